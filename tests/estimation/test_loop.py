"""Schedulers, estimators, the loop, and the environment."""

from dataclasses import replace

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy import linalg, special

from schedlab.estimation.cells import cells_of
from schedlab.estimation.env import RemoteEstimation
from schedlab.estimation.estimators import (
    Biased,
    GridFilter,
    Hold,
    Kalman,
    ParticleFilter,
    Predictor,
)
from schedlab.estimation.estimators.grid import silent_beliefs
from schedlab.estimation.exact import closed
from schedlab.estimation.noise import Mixture
from schedlab.estimation.observation import observe, parts
from schedlab.estimation.plants import SYSTEMS, linear, system
from schedlab.estimation.schedulers import (
    SCHEDULERS,
    Age,
    Always,
    EventTriggered,
    ExactValue,
    MyopicValue,
    Never,
    Periodic,
    PlanarValue,
    Random,
    SendOnDelta,
    SilentIntervals,
    StochasticTrigger,
    vectorised,
)
from schedlab.estimation.simulate import follow, simulate

S1 = system("S1")


def run(scheduler, estimator, problem=S1, *, paths=2000, steps=200, seed=0):
    rng = np.random.default_rng(seed)
    return simulate(problem, scheduler, estimator, paths=paths, steps=steps, rng=rng)


def seen(state, *, estimate=0.0, predicted=0.0, last=0.0, age=1):
    return np.array([state, estimate, predicted, last, age], dtype=float)


@pytest.mark.parametrize(
    ("scheduler", "obs", "sends"),
    [
        (Always(), seen(0.0), True),
        (Never(), seen(99.0), False),
        (Age(3), seen(0.0, age=3), True),
        (Periodic(3), seen(0.0, age=2), False),
        (SendOnDelta(1.0), seen(2.5, last=1.0, predicted=2.0), True),
        (EventTriggered(1.0), seen(2.5, last=1.0, predicted=2.0), False),
        (MyopicValue(2.0), seen(1.5, estimate=0.0), True),
        (MyopicValue(2.0), seen(1.5, estimate=0.5), False),
        (SilentIntervals([-2.0, -3.0], [0.0, -1.0]), seen(-0.5, age=1), False),
        (SilentIntervals([-2.0, -3.0], [0.0, -1.0]), seen(-0.5, age=7), True),
        (SilentIntervals([[-2.0, 1.0]], [[-1.0, np.nan]]), seen(-1.5), False),
        (SilentIntervals([[np.nan]], [[np.nan]]), seen(0.0), True),
        (SilentIntervals([-2.0], [0.5]), seen(0.5), False),  # an end is silent
        (SilentIntervals([-2.0], [0.5]), seen(-2.0), False),
        (Age(1), seen(0.0), True),
        (EventTriggered(0.5), seen(0.6), True),
        (EventTriggered(3.0), seen(2.9), False),
    ],
)
def test_rules_decide_as_stated(scheduler, obs, sends):
    assert scheduler.transmit(obs) is sends
    assert scheduler.act(np.stack([obs, obs])).tolist() == [sends, sends]


def test_chance_needs_a_generator_and_keeps_its_probability():
    rng, obs = np.random.default_rng(0), np.tile(seen(1.0), (40_000, 1))
    assert Random(0.3).act(obs, rng).mean() == pytest.approx(0.3, abs=0.01)
    silent = np.exp(-0.5 * 2.0)
    assert StochasticTrigger(2.0).act(obs, rng).mean() == pytest.approx(1 - silent, abs=0.01)
    for rule in (Random(), StochasticTrigger()):
        with pytest.raises(ValueError, match="random generator"):
            rule.transmit(seen(0.0))


def test_a_policy_that_knows_one_plant_runs_on_many():
    class OneSided:
        def transmit(self, obs):
            return parts(obs).state[0] > 1

    policy = vectorised(OneSided())
    assert policy.act(np.stack([seen(2.0), seen(0.0)])).tolist() == [True, False]
    with pytest.raises(ValueError, match="no scheduler"):
        vectorised(object())


def test_every_registered_scheduler_can_be_made_and_run():
    for build in SCHEDULERS.values():
        options = {"low": [-1.0], "high": [1.0]} if build is SilentIntervals else {}
        found = run(build(**options), Predictor(S1.plant), paths=20, steps=20)
        assert np.isfinite(found.cost).all()


def test_costs_of_clocks_are_their_closed_forms():
    assert run(Always(), Hold()).cost == pytest.approx(2.0)
    for period in (2, 3):
        measured = run(Periodic(period), Predictor(S1.plant), paths=4000).means()
        average = measured["mse"] + 2.0 * measured["rate"]
        assert average == pytest.approx(closed.periodic_cost(period, 2.0), rel=0.02)
    stationary = run(Never(), Predictor(S1.plant), paths=4000, steps=400).means()["mse"]
    assert stationary == pytest.approx(1 / (1 - 0.81), rel=0.03)


def test_silent_steps_carry_all_of_the_error():
    found = run(EventTriggered(1.0), Predictor(S1.plant)).means()
    assert found["silent_mse"] * (1 - found["rate"]) == pytest.approx(found["mse"])


def test_equal_generators_give_equal_trajectories_to_different_pairs():
    problem = system("S2")
    found = [
        [step.state for step in follow(problem.plant, rule, Hold(), states, None)]
        for rule in (Always(), Never())
        for states in [problem.plant.paths(np.random.default_rng(5), 3, 9)]
    ]
    assert np.array_equal(*found)


def test_estimators_hear_one_message_or_none():
    receiver = Biased(S1.plant, [-0.5, -1.0])
    receiver.reset([[2.0]])
    heard = [receiver.update(message) for message in (None, None, None, [4.0], None)]
    expected = [0.9 * 2 - 0.5, 0.81 * 2 - 1, 0.729 * 2 - 1, 4.0, 3.6 - 0.5]
    assert np.ravel(heard) == pytest.approx(expected)
    assert receiver.predict(np.array([[2.0]]), np.array([3])) == pytest.approx(expected[2])


def test_a_kalman_filter_settles_at_the_riccati_equations_covariance():
    a = np.array([[0.95, 0.2], [0.0, 0.9]])
    kalman = Kalman(linear(a, Mixture()), message_noise=0.5)
    kalman.reset(np.zeros((1, 2)))
    for _ in range(60):
        kalman.update([0.0, 0.0])
    prior = linalg.solve_discrete_are(a.T, np.eye(2), np.eye(2), 0.5 * np.eye(2))
    posterior = prior - prior @ np.linalg.inv(prior + 0.5 * np.eye(2)) @ prior
    assert kalman.covariance[0] == pytest.approx(posterior, rel=1e-6)


def test_under_a_stochastic_trigger_silence_shrinks_the_kalman_covariance():
    rule, kalman = StochasticTrigger(1.063), Kalman(S1.plant, strength=1.063)
    kalman.reset(np.zeros((1, 1)))
    kalman.update(None)
    assert kalman.covariance.item() == pytest.approx(1 / (1 + 1.063))
    found = run(rule, kalman, paths=4000).means()
    assert found["mse"] + 2 * found["rate"] == pytest.approx(
        closed.stochastic_trigger_cost(1.063, 2.0, 0.9, 1.0), rel=0.02
    )
    assert closed.stochastic_trigger_cost(1.063, 2.0, 0.9, 1.0) == pytest.approx(1.045, abs=0.01)


def test_the_stochastic_triggers_cost_holds_where_errors_grow():
    problem = replace(S1, plant=linear(np.array([[1.2]]), Mixture()))
    receiver = Kalman(problem.plant, strength=0.3)
    found = run(StochasticTrigger(0.3), receiver, problem, paths=8000, steps=60).means()
    assert found["mse"] + 2 * found["rate"] == pytest.approx(
        closed.stochastic_trigger_cost(0.3, 2.0, 1.2, 1.0), rel=0.01
    )


def test_a_grid_filter_reads_the_mean_of_a_truncated_normal_law():
    reader = GridFilter(S1.plant, SilentIntervals([-0.5], [2.0]))
    top, bottom = special.ndtr(2.0), special.ndtr(-0.5)
    density = np.exp(-0.5 * np.array([-0.5, 2.0]) ** 2) / np.sqrt(2 * np.pi)
    mean = (density[0] - density[1]) / (top - bottom)
    assert reader.biases[0, 0] == pytest.approx(mean, abs=0.02)
    with pytest.raises(ValueError, match="cannot be read"):
        GridFilter(S1.plant, Always())


def test_beliefs_at_every_age_are_the_laws_of_errors_that_stayed_silent():
    rule, cells = SilentIntervals([-1.0], [3.0]), cells_of(S1.plant, count=1921)
    beliefs = silent_beliefs(cells, rule, ages=4)
    assert len(beliefs) == 4
    states = S1.plant.paths(np.random.default_rng(4), 200_000, 4)
    alive = np.ones(states.shape[1], dtype=bool)
    loop = follow(S1.plant, rule, Predictor(S1.plant), states, None)
    for step, belief in zip(loop, beliefs, strict=True):
        alive &= ~step.sent
        off = (step.state - step.predicted)[alive, 0]
        mean = belief @ cells.centres
        deviation = np.sqrt(belief @ (cells.centres - mean) ** 2)
        assert [mean, deviation] == pytest.approx([off.mean(), off.std()], abs=0.01)


def test_beliefs_end_where_the_scheduler_is_sure_to_send():
    rule = SilentIntervals([-1.0, np.nan, -1.0], [1.0, np.nan, 1.0])
    assert len(silent_beliefs(cells_of(S1.plant), rule, ages=5)) == 1


def test_particles_agree_with_the_grid_and_beat_missing_data():
    problem, rule = system("S2"), EventTriggered(1.0)
    grid = run(rule, GridFilter(problem.plant, rule), problem, paths=300, steps=100)
    cloud = ParticleFilter(problem.plant, rule, np.random.default_rng(1), particles=400)
    cloudy = run(rule, cloud, problem, paths=300, steps=100)
    missing = run(rule, Predictor(problem.plant), problem, paths=300, steps=100)
    assert cloudy.cost.mean() == pytest.approx(grid.cost.mean(), rel=0.01)
    assert cloudy.cost.mean() < 0.95 * missing.cost.mean()


def test_particles_without_a_known_scheduler_take_silence_for_missing():
    cloud = ParticleFilter(S1.plant, None, np.random.default_rng(0), particles=2000)
    cloud.reset(np.full((1, 1), 3.0))
    assert cloud.update(None) == pytest.approx([2.7], abs=0.1)
    assert cloud.update([1.0]) == pytest.approx([1.0])


def test_particles_weigh_alike_when_silence_contradicts_all_of_them():
    # A lost message: under a scheduler that always sends, no particle explains the silence.
    cloud = ParticleFilter(S1.plant, Always(), np.random.default_rng(0), particles=2000)
    cloud.reset(np.array([[3.0], [-2.0]]))
    missing = ParticleFilter(S1.plant, None, np.random.default_rng(0), particles=2000)
    missing.reset(np.array([[3.0], [-2.0]]))
    for _ in range(3):
        np.testing.assert_allclose(cloud.propose(), missing.propose())
        silent = np.zeros(2, dtype=bool)
        heard = cloud.listen(np.zeros((2, 1)), silent)
        np.testing.assert_allclose(heard, missing.listen(np.zeros((2, 1)), silent))
    assert cloud.weights.sum(axis=1) == pytest.approx(1.0)


def test_particles_take_the_prediction_for_the_estimate_that_a_scheduler_reads():
    cloud = ParticleFilter(S1.plant, MyopicValue(0.25), np.random.default_rng(0), particles=500)
    cloud.reset(np.full((1, 1), 3.0))
    cloud.propose()
    near = np.abs(cloud.cloud[0, :, 0] - 2.7) <= 0.5  # 0.9 * 3, not 3
    assert 0 < near.sum() < 500
    assert (cloud.weights[0] > 0).tolist() == near.tolist()


def test_two_particles_are_enough():
    cloud = ParticleFilter(S1.plant, Never(), np.random.default_rng(0), particles=2)
    cloud.reset(np.zeros((1, 1)))
    assert cloud.update(None)[0] == pytest.approx(cloud.cloud[0].mean())


def test_a_grid_filter_predicts_the_mean_state_in_silence():
    problem, rule = system("S3"), SilentIntervals([-1.3, -1.8], [0.4, 0.0])
    reader = GridFilter(problem.plant, rule)
    states = problem.plant.paths(np.random.default_rng(2), 60_000, 2)
    steps = list(follow(problem.plant, rule, reader, states, None))
    silent = ~steps[0].sent & ~steps[1].sent
    for step in steps:
        off = (step.state - step.silent_estimate)[silent if step is steps[1] else ~step.sent]
        assert off.mean() == pytest.approx(0, abs=0.015)


def test_exact_value_is_better_than_any_width_of_a_symmetric_trigger():
    problem = system("S2")
    exact = run(ExactValue("S2", 1.0), Predictor(problem.plant), problem).cost.mean()
    widths = [run(EventTriggered(w), Predictor(problem.plant), problem) for w in (0.8, 1.0, 1.2)]
    assert exact < min(found.cost.mean() for found in widths)


@pytest.mark.filterwarnings("ignore:.*Box observation space.*")
@pytest.mark.parametrize("name", SYSTEMS)
def test_the_environment_passes_gymnasiums_check(name):
    check_env(RemoteEstimation(system(name), steps=5), skip_render_check=True)


@pytest.mark.filterwarnings("ignore:.*Box observation space.*")
def test_the_environment_passes_stable_baselines3s_check():
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(RemoteEstimation(S1))


def test_the_environment_pays_what_the_loop_pays():
    env, rule, steps = RemoteEstimation(S1, steps=30), EventTriggered(1.0), 30
    obs, _ = env.reset(seed=3)
    rewards, truncated = [], False
    while not truncated:
        obs, reward, terminated, truncated, info = env.step(int(rule.transmit(obs)))
        rewards.append(reward)
        assert not terminated
        assert (info["error"] == 0) == bool(info["delta"])
        assert parts(obs).age == info["age"] + 1
    loop = list(follow(S1.plant, rule, Predictor(S1.plant), env.states[: steps + 1], None))
    paid = [float(S1.squared_error(s.state, s.estimate)[0] + 2.0 * s.sent[0]) for s in loop]
    assert rewards == pytest.approx([-cost for cost in paid], abs=1e-5)
    env.reset()
    with pytest.raises(ValueError, match="action"):
        env.step(2)


def test_rules_without_options_are_the_plain_ones():
    assert [Age().limit, Periodic().limit] == [2, 2]
    assert [Random().rate, StochasticTrigger().strength] == [0.5, 1.0]
    plain, stated = ExactValue(), ExactValue("S1", 1.0, 0.95)
    assert np.array_equal(plain.low, stated.low, equal_nan=True)


def test_a_refusal_calls_the_option_by_the_name_it_was_given_under():
    with pytest.raises(ValueError, match="period: expected at least 1 step, got 0"):
        Periodic(0)


def test_silent_intervals_need_as_many_ends_on_both_sides():
    with pytest.raises(ValueError, match="one entry per age each"):
        SilentIntervals([-1.0, -2.0], [1.0])


def test_a_value_on_the_plane_is_read_where_the_error_lies():
    advantage = np.array([[-1.0, -1.0, 1.0], [-1.0, -1.0, -1.0], [3.0, -1.0, -1.0]])
    rule = PlanarValue(2.0, advantage)  # nodes at -2, 0 and 2 of both errors
    off = np.array([[2, -2], [-2, 2], [0, 0], [2, 2], [1.1, -1.1], [0.9, -0.9], [2, -0.6]], float)
    zero = np.zeros_like(off)
    sends = rule.act(observe(off, zero, zero, zero, np.ones(len(off))))
    # Linear in between: 0.21 at (1.1, -1.1), -0.19 at (0.9, -0.9), 0.2 at (2, -0.6).
    assert sends.tolist() == [True, True, False, False, True, False, True]
    beyond = observe(*np.array([[[9.0, -9.0]], *[[[0.0, 0.0]]] * 3]), np.ones(1))
    assert rule.act(beyond).tolist() == [True]


def test_observations_of_a_wrong_width_are_refused():
    assert observe(*np.zeros((4, 2, 3)), np.ones(2)).shape == (2, 13)
    with pytest.raises(ValueError, match=r"4 d \+ 1"):
        parts(np.zeros(6))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Age(0),
        lambda: Random(1.5),
        lambda: EventTriggered(0.0),
        lambda: MyopicValue(-1.0),
        lambda: SilentIntervals([0.0], []),
        lambda: PlanarValue(1.0, np.zeros((2, 3))),
        lambda: Kalman(system("lorenz").plant),
        lambda: ParticleFilter(S1.plant, None, None, particles=1),
        lambda: Biased(S1.plant, []),
        lambda: RemoteEstimation(S1, steps=0),
    ],
)
def test_bad_options_are_refused(make):
    with pytest.raises(ValueError, match=r".+"):
        make()
