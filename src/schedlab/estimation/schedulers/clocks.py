"""Rules that never look at the state."""

import numpy as np

from schedlab.estimation.observation import parts
from schedlab.estimation.schedulers.interface import Scheduler


class Always(Scheduler):
    """Send at every step."""

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return all true."""
        return np.ones(len(obs), dtype=bool)


class Never(Scheduler):
    """Send at no step."""

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return all false."""
        return np.zeros(len(obs), dtype=bool)


class Age(Scheduler):
    """Send when the age of information reaches a limit; on a perfect channel, periodically.

    Attributes
    ----------
    limit
        Steps since the last message, at least 1.
    """

    def __init__(self, limit: int = 2) -> None:
        if limit < 1:
            raise ValueError(f"limit: expected at least 1 step, got {limit}")
        self.limit = limit

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Send where the age is at its limit or beyond."""
        return parts(obs).age >= self.limit


class Periodic(Age):
    """Send every so many steps, counted from the last message that got through.

    Attributes
    ----------
    period
        Steps from one message to the next, at least 1.
    """

    def __init__(self, period: int = 2) -> None:
        if period < 1:
            raise ValueError(f"period: expected at least 1 step, got {period}")
        super().__init__(period)


class Random(Scheduler):
    """Send with a fixed probability, whatever happens.

    Attributes
    ----------
    rate
        Probability per step.
    """

    def __init__(self, rate: float = 0.5) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"rate: expected a probability, got {rate}")
        self.rate = rate

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Toss a coin for every plant."""
        if rng is None:
            raise ValueError("a random schedule needs a random generator: act(obs, rng)")
        return rng.random(len(obs)) < self.rate

    def silent_probability(self, obs: np.ndarray) -> np.ndarray:
        """Return the same probability for every row: such silence says nothing."""
        return np.full(len(obs), 1.0 - self.rate)
