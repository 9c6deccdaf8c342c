"""Symmetric thresholds on a scalar plant, by Fredholm integral equations.

For symmetric unimodal noise the best pair is a threshold on the error of prediction with the
plain predictor (Lipsa and Martins, 2011; Nayyar, Başar, Teneketzis and Veeravalli, 2013), and the
threshold's cost solves two integral equations (Chakravorty and Mahajan, *Fundamental limits of
remote estimation of Markov processes under communication constraints*, 2015).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

NODES = 80  # Gauss-Legendre nodes; the solution is analytic, so these give ten digits

Density = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Threshold:
    """A threshold and what it does.

    Attributes
    ----------
    width
        Silent while ``|e|`` is at most this.
    cost
        Cost per step: discounted and normalised, or the average where the discount is 1.
    rate, mse
        Messages and squared error per step, weighted as the cost is.
    """

    width: float
    cost: float
    rate: float
    mse: float


def threshold_performance(
    width: float, price: float, density: Density, a: float, discount: float = 1.0
) -> Threshold:
    """Return the performance of a threshold.

    On ``[-k, k]``: ``L(e) = e² + beta int phi(y - a e) L(y) dy`` and ``M`` likewise with 1 for
    ``e²``; from error 0, ``D = L(0) / M(0)``, ``N = 1 / M(0) - (1 - beta)``, cost
    ``D + price N``. Those start one step before the first decision, with no error, so they are
    ``beta`` times ours.

    Parameters
    ----------
    width
        The threshold k, above 0.
    price
        Cost of a message.
    density
        Of the noise, symmetric.
    a
        Decay of errors per step.
    discount
        beta; 1 for averages.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    y, w = width * nodes, width * weights
    kernel = discount * density(y[None] - a * y[:, None]) * w
    both = np.linalg.solve(np.eye(NODES) - kernel, np.stack([y**2, np.ones(NODES)], axis=1))
    start = discount * (density(y) * w) @ both
    length = 1 + start[1]
    mse = start[0] / length / discount
    rate = (1 / length - (1 - discount)) / discount
    return Threshold(width, float(mse + price * rate), float(rate), float(mse))


def best_threshold(price: float, density: Density, a: float, discount: float = 1.0) -> Threshold:
    """Return the threshold of least cost: a coarse geometric grid, then a bounded search.

    Parameters
    ----------
    price, density, a, discount
        As in :func:`threshold_performance`.
    """

    def cost(width: float) -> float:
        return threshold_performance(width, price, density, a, discount).cost

    grid = np.sqrt(price) * np.geomspace(0.05, 5, 25)
    best = int(np.argmin([cost(width) for width in grid]))
    ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(cost, bounds=ends, method="bounded", options={"xatol": 1e-8})
    return threshold_performance(float(found.x), price, density, a, discount)


def width_of_rate(rate: float, density: Density, a: float) -> float:
    """Return the threshold that sends at a given average rate, between 0 and 1."""
    return float(
        optimize.brentq(
            lambda width: threshold_performance(width, 1.0, density, a).rate - rate, 1e-3, 50.0
        )
    )
