"""Rules that weigh a message's price against what it is worth."""

from collections.abc import Sequence

import numpy as np

from schedlab.estimation.observation import error, parts
from schedlab.estimation.schedulers.interface import Scheduler


class MyopicValue(Scheduler):
    """Send when the error that silence would cost now exceeds the price: value of one step.

    Attributes
    ----------
    price
        Cost of a message.
    weight
        Weight of errors, a matrix; by default the identity.
    """

    def __init__(self, price: float = 1.0, weight: Sequence[Sequence[float]] | None = None) -> None:
        if price <= 0:
            raise ValueError(f"price: expected a number above 0, got {price}")
        self.price = price
        self.weight = None if weight is None else np.asarray(weight, dtype=float)

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Send where the receiver's error would cost more than a message."""
        seen = parts(obs)
        off = seen.state - seen.estimate
        weighted = off if self.weight is None else off @ self.weight
        return np.einsum("...i,...i->...", off, weighted) > self.price


class SilentIntervals(Scheduler):
    """Keep silent while the error of prediction lies in the interval of the present age.

    The form of every optimal scheduler of a scalar linear plant whose silent set has one piece
    per age. Beyond the last age the last interval holds.

    Attributes
    ----------
    low, high
        Ends of the interval by age, from age 1 on; an empty interval always sends.
    """

    def __init__(self, low: Sequence[float], high: Sequence[float]) -> None:
        if len(low) != len(high) or not len(low):
            raise ValueError("low and high need one entry per age each, at least one")
        self.low, self.high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Send outside the interval."""
        seen = parts(obs)
        row = np.minimum(seen.age.astype(int), len(self.low)) - 1
        off = error(seen)[..., 0]
        return (off < self.low[row]) | (off > self.high[row])


class ExactValue(Scheduler):
    """Send where the dynamic programme of a scalar linear plant finds a message worth its price.

    Attributes
    ----------
    grid
        Errors of prediction, evenly spaced, ascending.
    advantage
        Cost of silence minus cost of a message, shape ``(ages, len(grid))``; linear in between,
        and sent outside the grid. Beyond the last age the last row holds.
    """

    def __init__(self, grid: Sequence[float], advantage: np.ndarray) -> None:
        self.grid, self.advantage = np.asarray(grid, dtype=float), np.asarray(advantage)
        if self.advantage.ndim != 2 or self.advantage.shape[1] != len(self.grid):
            raise ValueError(
                f"advantage must have one column per error, {len(self.grid)}; its shape is "
                f"{self.advantage.shape}"
            )

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Send where silence costs more."""
        seen = parts(obs)
        row = np.minimum(seen.age.astype(int), len(self.advantage)) - 1
        place = (error(seen)[..., 0] - self.grid[0]) / (self.grid[1] - self.grid[0])
        left = np.clip(place.astype(int), 0, len(self.grid) - 2)
        share = place - left
        value = (1 - share) * self.advantage[row, left] + share * self.advantage[row, left + 1]
        outside = (place < 0) | (place > len(self.grid) - 1)
        return outside | (value > 0)
