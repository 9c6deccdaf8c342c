"""The law of a seed's norm, and what a curve costs under it.

The norm of a standard normal vector in ``d`` dimensions has the chi distribution. NAO charges a
curve, at every point, minus the log-density of its norm. That charge is positive in every
dimension, since the density stays below 0.8, which makes the least cost between two seeds a
metric. For large ``d`` the norm lies within a shell of radius ``sqrt(d - 1)`` and constant width.
"""

import math

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor


def log_density(norm: Tensor, dimensions: int) -> Tensor:
    """Return the log-density of the chi distribution at norms, in double precision.

    Single precision would not do: the terms are near 7e4 at 16,384 dimensions and cancel.

    Parameters
    ----------
    norm
        Positive norms, of any shape.
    dimensions
        Length of a seed.
    """
    exact = norm.double()
    scale = (dimensions / 2 - 1) * math.log(2) + math.lgamma(dimensions / 2)
    return (dimensions - 1) * exact.log() - exact.square() / 2 - scale


def cost(norm: Tensor, dimensions: int) -> Tensor:
    """Return the charge per unit of length at norms: minus the log-density, always positive."""
    return -log_density(norm, dimensions)


def curve_cost(points: Tensor, nodes: int = 1) -> Tensor:
    """Return the cost of polylines ``(..., points, dimensions)``.

    Parameters
    ----------
    points
        Corners of each line.
    nodes
        Gauss-Legendre nodes on each piece. One is the midpoint rule that NAO minimises; it
        flatters lines that cut corners, so comparisons take four.
    """
    steps = points.diff(dim=-2)
    at, weights = np.polynomial.legendre.leggauss(nodes)
    along = torch.as_tensor((at + 1) / 2, dtype=points.dtype)[:, None, None]
    where = points[..., None, :-1, :] + along * steps[..., None, :, :]
    charge = cost(where.norm(dim=-1), points.shape[-1])
    mean = (torch.as_tensor(weights / 2)[:, None] * charge).sum(dim=-2)
    return (steps.norm(dim=-1).double() * mean).sum(dim=-1)


def typical_norm(dimensions: int) -> float:
    """Return the most likely norm of a seed, ``sqrt(d - 1)``."""
    return math.sqrt(dimensions - 1)


def circle_radius(dimensions: int) -> float:
    """Return the radius of the circle about the origin that is itself a geodesic.

    There ``c(r) + r c'(r) = 0``, that is ``r^2 = d - 1 - c(r)``: long paths hug this circle.

    Raises
    ------
    ValueError
        Below three dimensions, where every path cuts inwards.
    """
    if dimensions < 3:
        raise ValueError(f"no circle is a geodesic in {dimensions} dimensions; three are needed")

    def slope(radius: float) -> float:
        charge = cost(torch.tensor(radius), dimensions).item()
        return charge + radius**2 - (dimensions - 1)

    return float(brentq(slope, math.sqrt((dimensions - 1) / 3), math.sqrt(dimensions - 1)))
