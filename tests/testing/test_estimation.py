"""Senders, receivers and plants: published ones keep their contract, broken ones are told why."""

from functools import partial

import numpy as np
import pytest

from schedlab.estimation.estimators import (
    Biased,
    GridFilter,
    Hold,
    Kalman,
    ParticleFilter,
    Predictor,
)
from schedlab.estimation.observation import parts
from schedlab.estimation.plants import SYSTEMS, Replay, system
from schedlab.estimation.schedulers import SCHEDULERS, EventTriggered, PlanarValue
from schedlab.testing.estimation import check_estimator, check_plant, check_policy

OPTIONS = {"silent_intervals": {"low": [-1, -2.0], "high": [1, 2.0]}}
ESTIMATORS = {
    "hold": Hold,
    "predictor": Predictor,
    "kalman": Kalman,
    "kalman, noisy messages": partial(Kalman, message_noise=0.3, strength=1.0),
    "biased": partial(Biased, biases=[0.1, 0.2, 0.3]),
    "grid": partial(GridFilter, scheduler=EventTriggered()),
    "particles": partial(ParticleFilter, scheduler=EventTriggered()),
    "particles, silence missing": partial(ParticleFilter, scheduler=None),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_published_policy_keeps_its_contract(name):
    check_policy(partial(SCHEDULERS[name], **OPTIONS.get(name, {})))


def test_a_policy_for_two_states_is_held_to_it_on_a_plant_of_two():
    values = np.random.default_rng(0).normal(size=(9, 9))
    check_policy(partial(PlanarValue, 4.0, values), on="S5")


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_published_estimator_keeps_its_contract(name):
    check_estimator(ESTIMATORS[name])


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_published_plant_keeps_its_contract(name):
    check_plant(partial(system, name))


def test_recordings_are_plants_too():
    windows = np.random.default_rng(0).normal(size=(50, 40, 2))
    check_plant(lambda: Replay("recordings", windows))


class Nothing:
    pass


class Clairvoyant:
    """Sends before a jump that it reads from the environment."""

    def __init__(self, env):
        self.env = env

    def transmit(self, obs):
        coming = self.env.states[min(self.env.time + 1, self.env.steps)]
        return bool(abs(coming[0, 0] - obs[0]) > 1)


class Counting:
    """Every second time it is asked, whoever asks."""

    asked = 0

    def transmit(self, obs):
        self.asked += 1
        return self.asked % 2 == 0


class Probable:
    def transmit(self, obs):
        return 0.5


class Careless(EventTriggered):
    def transmit(self, obs, rng=None):
        return bool(np.random.random() < 0.5)  # noqa: NPY002


class Divided(EventTriggered):
    """Decides for many by another width than for one."""

    def transmit(self, obs, rng=None):
        seen = parts(obs)
        return bool(abs(seen.state[0] - seen.predicted[0]) > 3)


class Rounding(EventTriggered):
    def transmit(self, obs, rng=None):
        obs[:] = np.round(obs)
        return super().transmit(obs, rng)


@pytest.mark.parametrize(
    ("broken", "rule", "words"),
    [
        (Clairvoyant, "sees_no_future", r"step \d+: it says (True|False), and .* states after"),
        (Counting, "answers_alike_whenever_asked", r"observation \d+ \(age \d\): it said \w+, ask"),
        (Probable, "says_yes_or_no", "transmit must return a bool, got 0.5"),
        (Careless, "answers_alike_whenever_asked", "draws come from the rng that it is given"),
        (Divided, "decides_for_many_as_for_one", r"age \d: act says True, transmit False"),
        (Rounding, "says_yes_or_no", "transmit changed the observation"),
        (Nothing, "says_yes_or_no", "Nothing has no method transmit"),
    ],
)
def test_a_broken_policy_is_told_what_it_breaks_and_where(expect_broken, broken, rule, words):
    expect_broken(check_policy, broken, rule, words)


class Eavesdropper(Predictor):
    """Looks at the state also when it was not sent."""

    def listen(self, states, sent):
        estimate = super().listen(states, sent)
        return estimate + 0.1 * (states - estimate)


class Hoarder(Predictor):
    """Never forgets, not even after reset."""

    heard = 0.0

    def propose(self):
        return super().propose() + 0.01 * self.heard

    def listen(self, states, sent):
        self.heard = self.heard + sent.sum()
        return super().listen(states, sent)


class Diverging(Predictor):
    def propose(self):
        super().propose()
        self.proposal = self.proposal * np.where(self.age[:, None] > 4, np.nan, 1.0)
        return self.proposal


class Alone(Predictor):
    def update(self, message=None):
        return self.propose()[0] if message is None else np.asarray(message) * 0.5


@pytest.mark.parametrize(
    ("broken", "rule", "words"),
    [
        (
            Eavesdropper,
            "uses_no_state_that_was_not_sent",
            r"step 0, plant \d: the estimate is \S+ instead of \S+",
        ),
        (Hoarder, "begins_anew_after_reset", r"after reset: step 0, plant 0: the proposal is"),
        (Diverging, "has_the_interface_of_a_receiver", r"step \d+: propose must return finite"),
        (Alone, "updates_one_plant_as_one_of_many", r"step \d+: update gives .*, propose and lis"),
        (Nothing, "has_the_interface_of_a_receiver", "Nothing has no method reset"),
    ],
)
def test_a_broken_estimator_is_told_what_it_breaks_and_where(expect_broken, broken, rule, words):
    expect_broken(check_estimator, broken, rule, words)


class Foreseeing(Predictor):
    """Was handed the trajectories when it was made, and proposes the message to come."""

    def __init__(self, plant):
        super().__init__(plant)
        self.step = 0

    def reset(self, start):
        super().reset(start)
        self.step = 0

    coming: dict = {}  # noqa: RUF012  what it recorded in the run before

    def listen(self, states, sent):
        self.coming[self.step] = states.copy()
        self.step += 1
        return super().listen(states, sent)

    def propose(self):
        proposal = super().propose()
        return self.coming.get(self.step, proposal) if self.coming else proposal


def test_an_estimator_that_foresees_messages_is_caught(expect_broken):
    words = r"step \d+, plant \d: the proposal is"
    expect_broken(check_estimator, Foreseeing, "hears_no_message_before_it_comes", words)


class Plant:
    """A random walk, with something to get wrong."""

    name, dimension = "mine", 1

    def quiet_step(self, x):
        return x

    def roll_out(self, last, age):
        return last

    def paths(self, source, count, steps):
        noise = source.standard_normal((steps, count, 1))
        return np.concatenate([np.zeros((1, count, 1)), noise.cumsum(axis=0)])


def test_a_plant_of_ones_own_needs_no_base_class():
    check_plant(Plant)


class Unseeded(Plant):
    def paths(self, source, count, steps):
        return super().paths(np.random.default_rng(), count, steps)


class Fixed(Plant):
    def paths(self, source, count, steps):
        return super().paths(np.random.default_rng(0), count, steps)


class Drifting(Plant):
    def quiet_step(self, x):
        return 0.9 * x


class InPlace(Plant):
    def quiet_step(self, x):
        x *= 0.9
        return x

    def roll_out(self, last, age):
        return last * 0.9 ** age[:, None]


class Exploding(Plant):
    def paths(self, source, count, steps):
        return super().paths(source, count, steps) / np.arange(steps + 1)[::-1, None, None]


@pytest.mark.filterwarnings("ignore:(divide|invalid)")
@pytest.mark.parametrize(
    ("broken", "rule", "words"),
    [
        (Unseeded, "passes_gymnasium", "AssertionError"),
        (Unseeded, "draws_its_paths_from_the_generator", r"step \[\d+\]: equal generators, other"),
        (Fixed, "draws_its_paths_from_the_generator", "other generators give the same states"),
        (Drifting, "steps_quietly_alike", r"roll_out: 1 quiet steps lead to \[\S+\], it says"),
        (InPlace, "steps_quietly_alike", "roll_out: 1 quiet steps|quiet_step changed the states"),
        (Exploding, "draws_its_paths_from_the_generator", r"step \[12\]: a state that is not fin"),
    ],
)
def test_a_broken_plant_is_told_what_it_breaks_and_where(expect_broken, broken, rule, words):
    expect_broken(check_plant, broken, rule, words)
