"""Rules that weigh a message's price against what it is worth."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

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
    """Keep silent while the error of prediction lies in an interval of the present age.

    The form of every optimal scheduler of a scalar linear plant. Beyond the last age the last
    intervals hold.

    Attributes
    ----------
    low, high
        Ends by age, from age 1 on, shape ``(ages,)``, or ``(ages, pieces)`` with missing values
        where an age has fewer pieces. Where it has none, the scheduler always sends.
    """

    def __init__(self, low: Sequence[float], high: Sequence[float]) -> None:
        ends = [np.asarray(side, dtype=float) for side in (low, high)]
        if ends[0].shape != ends[1].shape or not ends[0].size:
            raise ValueError("low and high need one entry per age each, at least one")
        self.low, self.high = (side.reshape(len(side), -1) for side in ends)

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Send outside the intervals."""
        seen = parts(obs)
        row = np.minimum(seen.age.astype(int), len(self.low)) - 1
        off = error(seen)[..., :1]
        return ~((off >= self.low[row]) & (off <= self.high[row])).any(axis=-1)


class ExactValue(SilentIntervals):
    """Send where the dynamic programme finds a message worth its price: exact value of information.

    For a receiver that takes silence for missing data, on a scalar system of
    :data:`schedlab.estimation.plants.SYSTEMS`.

    Attributes
    ----------
    system
        Its name.
    price
        Cost of a message.
    discount
        Per step.
    """

    def __init__(self, system: str = "S1", price: float = 1.0, discount: float = 0.95) -> None:
        from schedlab.estimation.exact.solve import zero_bias  # which needs the class above
        from schedlab.estimation.plants import systems

        ends = zero_bias(systems.system(system, price, discount)).scheduler
        super().__init__(ends.low, ends.high)


class PlanarValue(Scheduler):
    """The same for a linear plant of two states, from a solved dynamic programme.

    Attributes
    ----------
    reach
        The grid spans ``[-reach, reach]`` in both errors of prediction.
    advantage
        Cost of silence minus cost of a message, square; linear in between.
    """

    def __init__(self, reach: float, advantage: np.ndarray) -> None:
        self.reach, self.advantage = reach, np.asarray(advantage)
        if self.advantage.ndim != 2 or self.advantage.shape[0] != self.advantage.shape[1]:
            raise ValueError(f"advantage must be square, its shape is {self.advantage.shape}")

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Send where silence costs more."""
        off = error(parts(obs))
        place = (off / self.reach + 1) / 2 * (len(self.advantage) - 1)
        value = ndimage.map_coordinates(self.advantage, place.T, order=1, mode="nearest")
        return value > 0
