"""What is asked of the three sides of remote estimation: sender, receiver and plant.

>>> from schedlab.estimation.schedulers import EventTriggered
>>> check_policy(EventTriggered)
"""

from __future__ import annotations

import copy
import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from schedlab.estimation.env import RemoteEstimation
from schedlab.estimation.plants import system
from schedlab.estimation.plants.plant import Problem
from schedlab.testing.contract import Broken, Make, Rule, check, name_of, require, require_method

__all__ = [
    "ESTIMATOR_RULES",
    "PLANT_RULES",
    "POLICY_RULES",
    "check_estimator",
    "check_plant",
    "check_policy",
    "name_of",
]

SCALAR = "S2"
STEPS = 30


def _observations(on: str) -> np.ndarray:
    """Return 40 observations that a sender of a system may make, with ages from 1 on."""
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 2, (40, 4 * system(on).plant.dimension + 1))
    rows[:, -1] = rng.integers(1, 9, len(rows))
    return rows


def _wants(function: Callable[..., Any], name: str) -> bool:
    return name in inspect.signature(function).parameters


def _policy(make: Make, on: str, env: RemoteEstimation | None = None) -> Any:
    """Return a fresh policy; one that asks for its environment by the name ``env`` gets one."""
    if not _wants(make, "env"):
        return make()
    if env is None:
        env = RemoteEstimation(system(on))
        env.reset(seed=0)
    return make(env=env)


def _asked(policy: Any, obs: np.ndarray, seed: int = 0) -> bool:
    rng = {"rng": np.random.default_rng(seed)} if _wants(policy.transmit, "rng") else {}
    return policy.transmit(obs, **rng)


def says_yes_or_no(make: Make, on: str = SCALAR) -> None:
    """Require that ``transmit`` returns a bool and leaves the observation as it is."""
    policy = _policy(make, on)
    require_method(policy, "transmit")
    for row in _observations(on):
        before = row.copy()
        sent = _asked(policy, row)
        require(isinstance(sent, bool | np.bool_), f"transmit must return a bool, got {sent!r}")
        require(np.array_equal(row, before), "transmit changed the observation that it was given")


def answers_alike_whenever_asked(make: Make, on: str = SCALAR) -> None:
    """Require equal answers to equal observations: many plants share a policy, none its past."""
    policy, rows = _policy(make, on), _observations(on)
    first = [_asked(policy, row) for row in rows]
    for number in reversed(range(len(rows))):
        where = f"observation {number} (age {rows[number, -1]:.0f})"
        for asked, whom in ((policy, "asked again"), (_policy(make, on), "a fresh one")):
            again = _asked(asked, rows[number])
            require(
                again == first[number],
                f"{where}: it said {bool(first[number])}, {whom} says {bool(again)}; what it "
                "counts or remembers must be read from the observation, whose last number is the "
                "age, and random draws come from the rng that it is given",
            )


def decides_for_many_as_for_one(make: Make, on: str = SCALAR) -> None:
    """Require of ``act``, where it has one, the answers that ``transmit`` gives row by row."""
    policy = _policy(make, on)
    if not hasattr(policy, "act"):
        return
    for row in _observations(on):
        acted = np.asarray(policy.act(row[None], np.random.default_rng(0)))
        alone = _asked(policy, row)
        require(
            acted.dtype == bool and acted.shape == (1,),
            f"act must return bools of shape (n,), got {acted.dtype} of shape {acted.shape}",
        )
        require(acted[0] == alone, f"age {row[-1]:.0f}: act says {acted[0]}, transmit {alone}")
    rows = _observations(on)
    together = np.asarray(policy.act(rows, np.random.default_rng(0)))
    require(together.shape == (len(rows),), f"act: shape {together.shape} for {len(rows)} rows")


def sees_no_future(make: Make, on: str = SCALAR) -> None:
    """Require that states to come have no bearing on a decision in the environment."""
    env = RemoteEstimation(system(on), steps=STEPS)
    obs, _ = env.reset(seed=1)
    policy = _policy(make, on, env)
    for time in range(1, STEPS):
        sent = _asked(policy, obs, seed=time)
        true = env.states.copy()
        for other in (true[::-1], true + 50.0):
            env.states = np.concatenate([true[: env.time + 1], other[env.time + 1 :]])
            again = _asked(policy, obs, seed=time)
            require(
                again == sent,
                f"step {time}: it says {bool(sent)}, and {bool(again)} where only states after "
                "this step differ; a sender sees its observation and nothing that is to come",
            )
        env.states = true
        obs = env.step(int(sent))[0]


POLICY_RULES: tuple[Rule, ...] = (
    says_yes_or_no,
    answers_alike_whenever_asked,
    decides_for_many_as_for_one,
    sees_no_future,
)


def check_policy(make: Make, *, on: str = SCALAR) -> None:
    """Hold a sender to its contract.

    Parameters
    ----------
    make
        Returns a fresh policy: the class, or a ``functools.partial`` with options. If it takes
        ``env``, it is given a :class:`schedlab.estimation.env.RemoteEstimation`.
    on
        One of :data:`schedlab.estimation.plants.SYSTEMS`, for a policy that is made for as many
        states as that has.

    Raises
    ------
    AssertionError
        Naming each broken rule and the step or observation.
    """
    check(make, [functools.partial(rule, on=on) for rule in POLICY_RULES])


def _loops() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield states of five copies of a plant, and who of them sends when."""
    plant = system(SCALAR).plant
    rng = np.random.default_rng(4)
    states = plant.paths(rng, 5, STEPS)
    yield "seldom", states, rng.random((STEPS, 5)) < 0.15
    yield "often", states, rng.random((STEPS, 5)) < 0.6


def _estimator(make: Make) -> Any:
    """Return a fresh receiver, of the plant if it asks for one, with the seed if it draws."""
    given = {"plant": system(SCALAR).plant, "rng": np.random.default_rng(6)}
    return make(**{name: value for name, value in given.items() if _wants(make, name)})


def _followed(estimator: Any, states: np.ndarray, sent: np.ndarray) -> np.ndarray:
    """Return proposals and estimates of every step, shape (steps, 2, plants, dimension)."""
    estimator.reset(states[0].copy())
    found = []
    for step, (now, who) in enumerate(zip(states[1:], sent, strict=True)):
        pair = [np.array(estimator.propose()), np.array(estimator.listen(now.copy(), who.copy()))]
        for name, values in zip(("propose", "listen"), pair, strict=True):
            require(
                values.shape == now.shape and np.isfinite(values).all(),
                f"step {step}: {name} must return finite numbers of shape {now.shape}, "
                f"got {values.shape}: {values.ravel()[:3]}",
            )
        found.append(pair)
    return np.array(found)


def _require_equal(where: str, left: np.ndarray, right: np.ndarray) -> None:
    unequal = np.argwhere(left != right)
    if len(unequal):
        step, which, plant, _ = unequal[0]
        name = ("proposal", "estimate")[which]
        values = f"{right[tuple(unequal[0])]:.6g} instead of {left[tuple(unequal[0])]:.6g}"
        raise Broken(f"{where}: step {step}, plant {plant}: the {name} is {values}")


def has_the_interface_of_a_receiver(make: Make) -> None:
    """Require reset, propose, listen and update, and finite estimates."""
    estimator = _estimator(make)
    require_method(estimator, "reset", "propose", "listen", "update")
    for _, states, sent in _loops():
        _followed(estimator, states, sent)


def uses_no_state_that_was_not_sent(make: Make) -> None:
    """Require equal estimates whatever the states of silent steps: they are hidden."""
    for name, states, sent in _loops():
        hidden = states.copy()
        hidden[1:][~sent] = 777.0
        runs = [_followed(_estimator(make), each, sent) for each in (states, hidden)]
        where = f"messages sent {name}, where only states that were not sent differ"
        _require_equal(where, *runs)


def hears_no_message_before_it_comes(make: Make) -> None:
    """Require that estimates do not depend on later messages."""
    for name, states, sent in _loops():
        later, other = sent.copy(), states.copy()
        half = STEPS // 2
        later[half:] = ~later[half:]
        other[half + 1 :] += 5.0
        runs = [
            _followed(_estimator(make), *each)[:half] for each in ((states, sent), (other, later))
        ]
        _require_equal(f"messages sent {name}, where only later ones differ", *runs)


def begins_anew_after_reset(make: Make) -> None:
    """Require that a second run equals the first."""
    for name, states, sent in _loops():
        estimator = _estimator(make)
        generators = {
            key: copy.deepcopy(value)
            for key, value in vars(estimator).items()
            if isinstance(value, np.random.Generator)
        }
        first = _followed(estimator, states, sent)
        vars(estimator).update(generators)
        second = _followed(estimator, states, sent)
        _require_equal(f"messages sent {name}, after reset", first, second)


def updates_one_plant_as_one_of_many(make: Make) -> None:
    """Require that ``update`` is propose and listen for a single plant."""
    for name, states, sent in _loops():
        states, sent = states[:, :1], sent[:, :1]
        estimates = _followed(_estimator(make), states, sent)[:, 1, 0]
        single = _estimator(make)
        single.reset(states[0].copy())
        for step, (now, who) in enumerate(zip(states[1:, 0], sent[:, 0], strict=True)):
            found = np.asarray(single.update(now.copy() if who else None))
            where = f"messages sent {name}, step {step}"
            require(
                np.array_equal(found, estimates[step]),
                f"{where}: update gives {found}, propose and listen {estimates[step]}",
            )


ESTIMATOR_RULES: tuple[Rule, ...] = (
    has_the_interface_of_a_receiver,
    uses_no_state_that_was_not_sent,
    hears_no_message_before_it_comes,
    begins_anew_after_reset,
    updates_one_plant_as_one_of_many,
)


def check_estimator(make: Make) -> None:
    """Hold a receiver to its contract, on a scalar plant.

    Parameters
    ----------
    make
        Returns a fresh receiver: the class, or a ``functools.partial`` with
        options. If it takes ``plant`` or ``rng``, it is
        given a linear plant with one state, and a random generator.

    Raises
    ------
    AssertionError
        Naming each broken rule, the step and the plant.
    """
    check(make, ESTIMATOR_RULES)


def _problem(make: Make) -> Problem:
    made = make()
    return made if isinstance(made, Problem) else Problem(made, price=1.0)


def passes_gymnasium(make: Make) -> None:
    """Require that it passes gymnasium's own checker as an environment."""
    from gymnasium.utils.env_checker import check_env

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(spec|render|infinity).*")
        check_env(RemoteEstimation(_problem(make), steps=20), skip_render_check=True)


def draws_its_paths_from_the_generator(make: Make) -> None:
    """Require paths that follow from the generator and nothing else."""
    plant = _problem(make).plant
    require_method(plant, "paths", "quiet_step", "roll_out")
    first, again, other = (plant.paths(np.random.default_rng(seed), 6, 12) for seed in (1, 1, 2))
    shape = (13, 6, plant.dimension)
    require(first.shape == shape, f"paths: expected shape {shape}, got {first.shape}")
    bad = np.argwhere(~np.isfinite(first))
    require(not len(bad), f"paths: step {bad[:1, 0]}: a state that is not finite")
    unequal = np.argwhere(first != again)
    require(not len(unequal), f"paths: step {unequal[:1, 0]}: equal generators, other states")
    require(not np.array_equal(first, other), "paths: other generators give the same states")


def steps_quietly_alike(make: Make) -> None:
    """Require that ``roll_out`` repeats quiet steps, which leave the states given as they are."""
    plant = _problem(make).plant
    states = plant.paths(np.random.default_rng(3), 6, 12)[-1]
    before, reached = states.copy(), states
    for age in range(1, 5):
        reached = np.asarray(plant.quiet_step(reached))
        require(
            reached.shape == states.shape,
            f"quiet_step: expected shape {states.shape}, got {reached.shape}",
        )
        rolled = np.asarray(plant.roll_out(states, np.full(len(states), age)))
        require(
            np.allclose(rolled, reached, rtol=1e-9, atol=1e-12),
            f"roll_out: {age} quiet steps lead to {reached[0]}, it says {rolled[0]}",
        )
    require(np.array_equal(states, before), "quiet_step changed the states that it was given")


PLANT_RULES: tuple[Rule, ...] = (
    passes_gymnasium,
    draws_its_paths_from_the_generator,
    steps_quietly_alike,
)


def check_plant(make: Make) -> None:
    """Hold a plant to its contract.

    Parameters
    ----------
    make
        Returns a plant, or a :class:`~schedlab.estimation.plants.Problem` with one.

    Raises
    ------
    AssertionError
        Naming each broken rule and the step.
    """
    check(make, PLANT_RULES)
