"""Errors of prediction on a grid: cells, and what noise and decay do to them.

Probabilities of cells come from the noise law's distribution function, not from samples of a
density, which would shift the mean of a law whose density jumps.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from schedlab.estimation.noise import ScalarNoise
from schedlab.estimation.plants.linear import is_linear
from schedlab.estimation.plants.plant import Plant


@dataclass(frozen=True)
class Cells:
    """Equal cells on ``[-reach, reach]`` for ``e_{k+1} = a e_k + w``; the outer two are open.

    Attributes
    ----------
    noise
        Law of ``w``.
    a
        Decay of errors per step.
    reach
        Half width of the grid, in the state's unit.
    count
        Number of cells, odd, so that one is centred on 0.
    """

    noise: ScalarNoise
    a: float
    reach: float
    count: int

    def __post_init__(self) -> None:
        if self.count < 3 or self.count % 2 == 0:
            raise ValueError(f"count must be odd and at least 3, got {self.count}")
        if not self.reach > 0:
            raise ValueError(f"reach must be above 0, got {self.reach}")

    @cached_property
    def centres(self) -> np.ndarray:
        """Centres of the cells, shape ``(count,)``."""
        return np.linspace(-self.reach, self.reach, self.count)

    @cached_property
    def first(self) -> np.ndarray:
        """Law of the error one step after a message, shape ``(count,)``."""
        return self._masses(np.zeros(1))[0]

    @cached_property
    def transition(self) -> np.ndarray:
        """Law of the next error, a row per present cell, shape ``(count, count)``."""
        return self._masses(self.a * self.centres)

    def _masses(self, shift: np.ndarray) -> np.ndarray:
        half = self.centres[1] - self.centres[0]
        edges = self.centres[:-1] + half / 2
        inner = self.noise.cdf(edges[None] - shift[:, None])
        ends = np.zeros((len(shift), 1)), np.ones((len(shift), 1))
        return np.diff(np.concatenate([ends[0], inner, ends[1]], axis=1), axis=1)


def cells_of(plant: Plant, *, count: int = 481, reach: float | None = None) -> Cells:
    """Return a grid for a scalar linear plant.

    Parameters
    ----------
    plant
        Scalar and linear, its noise with ``cdf``.
    count
        Number of cells.
    reach
        Half width; by default 12 standard deviations of the noise.

    Raises
    ------
    ValueError
        If the plant is not scalar and linear.
    """
    if not is_linear(plant) or plant.dimension != 1:
        raise ValueError(f"plant {plant.name!r} is not scalar and linear; a grid needs that")
    noise, decay = plant.noise, plant.transition
    if decay.input_matrix is not None:
        raise ValueError(f"plant {plant.name!r}: scale the noise law instead of an input matrix")
    width = 12 * float(np.sqrt(noise.variance)) if reach is None else reach
    return Cells(noise, float(decay.matrix[0, 0]), width, count)
