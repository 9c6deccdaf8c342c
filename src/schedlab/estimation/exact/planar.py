"""Value iteration for linear plants of two states with a receiver that adds no bias.

With Gaussian noise and a scaled rotation as matrix the plain predictor is optimal; for other
matrices it is a person-by-person optimum. The error's expectation after a step is a blur by
the noise, two matrix products, and a look-up at ``A e``.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from schedlab.estimation.cells import Cells
from schedlab.estimation.plants.linear import is_linear
from schedlab.estimation.plants.plant import Problem


@dataclass(frozen=True)
class PlanarOptimum:
    """The best scheduler for a receiver without bias.

    Attributes
    ----------
    cost
        ``(1 - discount) J``.
    reach
        The grid spans ``[-reach, reach]`` in both errors.
    advantage
        Cost of silence minus cost of a message on the grid.
    """

    cost: float
    reach: float
    advantage: np.ndarray


def solve_planar(
    problem: Problem, *, count: int = 161, reach: float = 8.0, tolerance: float = 1e-6
) -> PlanarOptimum:
    """Return the best scheduler of a linear plant of two states.

    Parameters
    ----------
    problem
        Its noise must have ``cdf``, and drive both states directly.
    count
        Cells per axis, odd.
    reach
        Half width of the grid.
    tolerance
        Of the value's last change, as a cost per step.

    Raises
    ------
    ValueError
        If the plant is not linear with two states.
    """
    plant = problem.plant
    if not is_linear(plant) or plant.dimension != 2 or plant.transition.input_matrix is not None:
        raise ValueError(f"plant {plant.name!r} is not linear with two states and direct noise")
    plane = _plane(problem, Cells(plant.noise, 1.0, reach, count))
    value, silence, image = plane.settle(plane.error, problem.price)
    send, target = problem.price, problem.price + problem.discount * image
    while abs(target - send) * (1 - problem.discount) > tolerance:
        # A secant through two guesses of what sending costs, to where a guess confirms itself.
        value, _, image = plane.settle(value, target)
        slope = (problem.price + problem.discount * image - target) / (target - send)
        send = target + slope * (target - send) / (1 - slope)
        value, silence, image = plane.settle(value, send)
        target = problem.price + problem.discount * image
    return PlanarOptimum(float((1 - problem.discount) * image), reach, silence - send)


@dataclass(frozen=True)
class _Plane:
    """What one step costs in error, and where it leads, on a grid of errors."""

    blur: np.ndarray
    error: np.ndarray
    places: np.ndarray
    discount: float

    def settle(self, value: np.ndarray, send: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Return value, cost of silence, and value after a message, for a cost of sending."""
        for _ in range(300):
            blurred = self.blur @ value @ self.blur.T
            onward = ndimage.map_coordinates(blurred, self.places, order=3, mode="nearest")
            silence = self.error + self.discount * onward
            before, value = value, np.minimum(send, silence)
            if np.abs(value - before).max() < 1e-7:
                break
        middle = self.blur[len(self.blur) // 2]
        return value, silence, float(middle @ value @ middle)


def _plane(problem: Problem, cells: Cells) -> _Plane:
    axes = np.stack(np.meshgrid(cells.centres, cells.centres, indexing="ij"))
    error = np.einsum("iab,ij,jab->ab", axes, problem.weight, axes)
    ahead = np.einsum("ij,jab->iab", problem.plant.transition.matrix, axes)
    places = (ahead / cells.reach + 1) / 2 * (cells.count - 1)
    return _Plane(cells.transition, error, places, problem.discount)
