"""Many copies of a plant, a sender and a receiver, step by step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from schedlab.estimation.estimators.interface import Estimator
from schedlab.estimation.observation import observe
from schedlab.estimation.plants.plant import Problem
from schedlab.estimation.schedulers.interface import vectorised


@dataclass(frozen=True)
class Step:
    """One step of all plants; shapes ``(n, d)``, ``sent`` and ``age`` ``(n,)``.

    Attributes
    ----------
    state, estimate
        The plants' states, and what the receivers hold of them.
    silent_estimate
        What they would hold without a message.
    predicted
        Extrapolations without noise from the last message before this step.
    age
        Steps since the last message before this step.
    sent
        Who sent.
    """

    state: np.ndarray
    estimate: np.ndarray
    silent_estimate: np.ndarray
    predicted: np.ndarray
    age: np.ndarray
    sent: np.ndarray


@dataclass(frozen=True)
class Run:
    """What a simulation measured, one value per path.

    Attributes
    ----------
    cost
        Discounted cost as an average per step, ``(1 - discount) J``; the weights of the steps
        that were simulated sum to 1.
    rate
        Share of steps with a message.
    mse
        Mean weighted squared error over all steps.
    silent_mse
        The same over silent steps; missing where there were none.
    """

    cost: np.ndarray
    rate: np.ndarray
    mse: np.ndarray
    silent_mse: np.ndarray

    @property
    def standard_error(self) -> float:
        """Standard error of the mean cost."""
        return float(self.cost.std(ddof=1) / np.sqrt(len(self.cost)))

    def means(self) -> dict[str, float]:
        """Return the means over paths: ``cost``, ``rate``, ``mse``, ``silent_mse``."""
        silent = 1 - self.rate
        among = float(np.nansum(self.silent_mse * silent) / silent.sum()) if silent.sum() else 0.0
        return {
            "cost": float(self.cost.mean()),
            "rate": float(self.rate.mean()),
            "mse": float(self.mse.mean()),
            "silent_mse": among,
        }


def follow(
    plant: Any,
    scheduler: Any,
    estimator: Estimator,
    states: np.ndarray,
    rng: np.random.Generator,
) -> Iterator[Step]:
    """Yield every step of a loop along given trajectories.

    Parameters
    ----------
    plant
        For the prediction without noise.
    scheduler
        Anything with ``act`` or ``transmit``.
    estimator
        The receiver.
    states
        Trajectories, shape ``(steps + 1, n, d)``; the first states are known to both sides.
    rng
        Randomness of the scheduler.
    """
    policy = vectorised(scheduler)
    estimator.reset(states[0])
    last = predicted = states[0]
    age = np.zeros(states.shape[1], dtype=int)
    for state in states[1:]:
        age, predicted = age + 1, plant.quiet_step(predicted)
        proposal = estimator.propose()
        sent = np.asarray(policy.act(observe(state, proposal, predicted, last, age), rng), bool)
        yield Step(state, estimator.listen(state, sent), proposal, predicted, age, sent)
        heard = sent[:, None]
        last, predicted = np.where(heard, state, last), np.where(heard, state, predicted)
        age = np.where(sent, 0, age)


def simulate(
    problem: Problem,
    scheduler: Any,
    estimator: Estimator,
    *,
    paths: int,
    steps: int,
    rng: np.random.Generator,
) -> Run:
    """Run many independent copies and measure cost, rate and error.

    Equal generators give equal trajectories, whatever scheduler and estimator: comparisons
    under one seed are paired.

    Parameters
    ----------
    problem
        Plant, weight of errors, price of messages, discount.
    scheduler, estimator
        The two sides.
    paths, steps
        Copies, and steps of each.
    rng
        Randomness of plants, and, from a stream of its own, of the scheduler.
    """
    states = problem.plant.paths(rng, paths, steps)
    own = rng.spawn(1)[0]
    weights = problem.discount ** np.arange(steps)
    weights /= weights.sum()
    cost, sends, errors = np.zeros((3, paths))
    for weight, step in zip(
        weights, follow(problem.plant, scheduler, estimator, states, own), strict=True
    ):
        squared = problem.squared_error(step.state, step.estimate)
        cost += weight * (squared + problem.price * step.sent)
        sends += step.sent
        errors += squared
    silent = steps - sends
    among = np.divide(errors, silent, out=np.full(paths, np.nan), where=silent > 0)
    return Run(cost, sends / steps, errors / steps, among)
