import numpy as np
import pytest
from scipy.stats import norm

from schedlab.estimation.channel import Channel, share
from schedlab.estimation.estimators.predictors import Biased, Predictor
from schedlab.estimation.experiment.channel import refitted
from schedlab.estimation.plants import system
from schedlab.estimation.schedulers import EventTriggered, MyopicValue
from schedlab.estimation.simulate import follow

PROBLEM = system("S2")


def run(channel, *, scheduler=None, estimator=None, problem=PROBLEM, loops=20, steps=200, seed=0):
    return share(
        problem,
        scheduler or EventTriggered(1.0),
        estimator or Predictor(problem.plant),
        channel,
        loops=loops,
        steps=steps,
        rng=np.random.default_rng(seed),
    )


def test_a_channel_that_never_fails_is_the_plain_loop():
    receiver = Biased(PROBLEM.plant, [-0.5, -0.9])
    traffic = run(Channel(airtime=2**-10), scheduler=MyopicValue(1.0), estimator=receiver)
    states = PROBLEM.plant.paths(np.random.default_rng(0), 20, 200)
    rng = np.random.default_rng(1)
    plain = list(follow(PROBLEM.plant, MyopicValue(1.0), receiver, states, rng))
    errors = [PROBLEM.squared_error(step.state, step.estimate) for step in plain]
    np.testing.assert_allclose(traffic.error, errors)
    assert traffic.attempts.sum() == sum(step.sent.sum() for step in plain)


def test_loss_costs_what_the_chain_of_errors_says():
    width, loss, a = 1.2, 0.3, 0.9
    edges = np.linspace(-9, 9, 722)
    middle = (edges[1:] + edges[:-1]) / 2
    to = np.diff(norm.cdf(edges[None] - a * middle[:, None]), axis=1)
    fresh = np.diff(norm.cdf(edges))
    told = np.where(np.abs(middle) > width, 1 - loss, 0.0)[:, None]
    chain = told * fresh + (1 - told) * to
    law = np.full(len(middle), 1 / len(middle))
    for _ in range(300):
        law = law @ chain
        law /= law.sum()
    normal = system("S1")
    traffic = run(
        Channel(airtime=2**-10, loss=loss),
        scheduler=EventTriggered(width),
        problem=normal,
        loops=60,
        steps=1500,
    )
    expected = law @ ((1 - told[:, 0]) * middle**2)
    sends = law @ (np.abs(middle) > width)
    assert traffic.error[100:].mean() == pytest.approx(expected, rel=0.03)
    assert traffic.attempts.sum() / (60 * 1500) == pytest.approx(sends, rel=0.03)


def test_a_full_channel_carries_one_message_per_airtime():
    traffic = run(Channel(airtime=0.5), scheduler=EventTriggered(1e-9), loops=10, steps=300)
    assert traffic.attempts.sum() == pytest.approx(2 * 300, abs=12)
    assert traffic.latency.mean() > 3


def test_messages_come_late_by_airtime_and_delay():
    traffic = run(Channel(airtime=0.25, delay=2.0), loops=1)
    assert traffic.latency == pytest.approx(2.25)
    assert traffic.age[1:].min() == 2


def test_without_an_acknowledgement_in_time_the_sender_waits():
    prompt = run(Channel(airtime=2**-10), scheduler=EventTriggered(1e-9), loops=1)
    slow = run(
        Channel(airtime=2**-10, acknowledgement=3.5), scheduler=EventTriggered(1e-9), loops=1
    )
    assert prompt.attempts.sum() == 200
    assert slow.attempts.sum() == 50


def test_refitting_recovers_the_mean_of_what_silence_hides():
    receiver = Biased(PROBLEM.plant, np.zeros(5))
    pilot = run(Channel(airtime=2**-10), loops=100, steps=300)
    fitted = refitted(PROBLEM, receiver, pilot).biases[0, 0]
    noise = PROBLEM.plant.noise.sample(np.random.default_rng(2), (100_000,))
    assert fitted == pytest.approx(noise[np.abs(noise) <= 1].mean(), abs=0.02)


@pytest.mark.parametrize("wrong", [{"airtime": 0}, {"slots": 0}, {"loss": 1.0}, {"delay": -1}])
def test_an_impossible_channel_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        Channel(**wrong)
