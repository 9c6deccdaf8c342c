"""The cheapest curve between two seeds, exactly: NAO's optimum as a problem in one function.

The charge depends on the norm alone, so the optimal curve stays in the plane of its two ends. In
polar coordinates it is one function ``r(theta)``, and the cost, the integral over ``theta`` of
``c(r) sqrt(r'^2 + r^2)``, is minimised over it to any accuracy, in any number of dimensions.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize

from schedlab.diffusion.seeds.prior import cost


@dataclass(frozen=True)
class Geodesic:
    """A curve of least cost in the plane of its ends.

    Attributes
    ----------
    angle
        From 0 to the angle between the ends, rad.
    radius
        Norm at each angle.
    cost
        Its cost.
    """

    angle: np.ndarray
    radius: np.ndarray
    cost: float


def geodesic(
    first_norm: float, last_norm: float, angle: float, dimensions: int, cells: int = 400
) -> Geodesic:
    """Return the cheapest curve between two seeds.

    Parameters
    ----------
    first_norm, last_norm
        Norms of the seeds.
    angle
        Angle between them, rad, above 0 and at most pi.
    dimensions
        Length of the seeds.
    cells
        Pieces that the curve is made of; the cost is exact to their square.

    Raises
    ------
    ValueError
        If norms or angle are out of range.
    """
    if min(first_norm, last_norm) <= 0 or not 0 < angle <= np.pi:
        raise ValueError(
            f"norms must be positive and the angle within (0, pi], got {first_norm}, {last_norm} "
            f"and {angle}"
        )
    theta = np.linspace(0, angle, cells + 1)
    start = first_norm + (last_norm - first_norm) * theta / angle

    def objective(inner: np.ndarray) -> tuple[float, np.ndarray]:
        radius = np.concatenate([[first_norm], inner, [last_norm]])
        value, slope = _cost_and_slope(radius, angle / cells, dimensions)
        return value, slope[1:-1]

    found = minimize(
        objective,
        start[1:-1],
        jac=True,
        method="L-BFGS-B",
        bounds=[(1e-6, None)] * (cells - 1),
        options={"maxiter": 5000, "maxfun": 10000, "ftol": 1e-13, "gtol": 1e-9, "maxcor": 30},
    )
    return Geodesic(theta, np.concatenate([[first_norm], found.x, [last_norm]]), float(found.fun))


def _cost_and_slope(radius: np.ndarray, width: float, dimensions: int) -> tuple[float, np.ndarray]:
    """Return the cost by the midpoint rule in the angle, and its derivative by every radius."""
    middle, rise = (radius[1:] + radius[:-1]) / 2, np.diff(radius)
    charge = cost(torch.from_numpy(middle), dimensions).numpy()
    length = np.hypot(rise, middle * width)
    by_middle = (middle - (dimensions - 1) / middle) * length + charge * middle * width**2 / length
    by_rise = charge * rise / length
    slope = np.zeros_like(radius)
    slope[1:] += by_middle / 2 + by_rise
    slope[:-1] += by_middle / 2 - by_rise
    return float(charge @ length), slope
