"""Rules that compare the state with what the receiver believes."""

import numpy as np

from schedlab.estimation.observation import error, parts
from schedlab.estimation.schedulers.interface import Scheduler


def _beyond(distance: np.ndarray, width: float) -> np.ndarray:
    return np.einsum("...i,...i->...", distance, distance) > width**2


class SendOnDelta(Scheduler):
    """Send when the state has left the last message by more than a width: a dead band.

    Attributes
    ----------
    width
        Euclidean distance, in the state's unit.
    """

    def __init__(self, width: float = 1.0) -> None:
        self.width = _positive("width", width)

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Send where the state is too far from the last message."""
        seen = parts(obs)
        return _beyond(seen.state - seen.last, self.width)


class EventTriggered(Scheduler):
    """Send when the prediction without noise is off by more than a width.

    Send-on-delta with prediction; with a Kalman-type predictor at the receiver it is the usual
    event-triggered estimator, which takes silence for missing data.

    Attributes
    ----------
    width
        Euclidean distance, in the state's unit.
    """

    def __init__(self, width: float = 1.0) -> None:
        self.width = _positive("width", width)

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Send where the prediction is too far off."""
        return _beyond(error(parts(obs)), self.width)


class StochasticTrigger(Scheduler):
    """Keep silent with probability ``exp(-strength e² / 2)``, e the error of prediction.

    Han, Mo, Wu et al., *Stochastic event-triggered sensor schedule for remote state estimation*
    (IEEE TAC, 2015): a Gaussian belief stays Gaussian through silence.

    Attributes
    ----------
    strength
        Y in their notation, above 0; larger sends more.
    """

    def __init__(self, strength: float = 1.0) -> None:
        self.strength = _positive("strength", strength)

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Draw silence for every plant."""
        if rng is None:
            raise ValueError("a stochastic trigger needs a random generator: act(obs, rng)")
        return rng.random(len(obs)) >= self.silent_probability(obs)

    def silent_probability(self, obs: np.ndarray) -> np.ndarray:
        """Return the probability of silence."""
        distance = error(parts(obs))
        return np.exp(-0.5 * self.strength * np.einsum("...i,...i->...", distance, distance))


def _positive(name: str, value: float) -> float:
    if not (value > 0 and np.isfinite(value)):
        raise ValueError(f"{name}: expected a number above 0, got {value}")
    return value
