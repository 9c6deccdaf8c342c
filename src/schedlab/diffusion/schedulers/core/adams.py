"""Methods that integrate a polynomial through past noise predictions.

In exploding coordinates the probability-flow equation is ``dx/dr = epsilon``, with ``r`` the ratio
of noise to signal (Karras et al. 2022, equation 1). Methods differ in the variable in which
they interpolate ``epsilon``: ``r`` itself (LMS), its logarithm (DEIS), or the timestep (PLMS).
"""

import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from schedlab.diffusion.schedulers.core.levels import Level
from schedlab.diffusion.schedulers.core.moves import Move


def adams(
    levels: Sequence[Level],
    target: Level,
    variable: Callable[[float], float],
    rate: Callable[[np.ndarray], np.ndarray],
    points: int,
) -> Move:
    """Return the Adams-Bashforth move on noise predictions at ``levels``, newest first.

    Parameters
    ----------
    levels
        Where the predictions were made; as many as the order.
    target
        Where to go.
    variable
        Function of the noise ratio in which the predictions are interpolated.
    rate
        Derivative of the ratio by that variable.
    points
        Gauss-Legendre points; exact for a polynomial of degree ``2 * points - 1``.
    """
    known = [variable(level.ratio) for level in levels]
    start, end = known[0], variable(target.ratio)
    nodes, quadrature = _gauss(points)
    at = start + (end - start) * nodes
    weights = _lagrange(known, at) @ (quadrature * rate(at) * (end - start))
    return Move(target.alpha / levels[0].alpha, tuple((target.alpha * weights).tolist()))


def lms(levels: Sequence[Level], target: Level) -> Move:
    """Return the linear multistep move of k-diffusion: a polynomial in the noise ratio."""
    return adams(levels, target, float, np.ones_like, points=2)


def deis(levels: Sequence[Level], target: Level) -> Move:
    """Return DEIS's move: a polynomial in the logarithm of the noise ratio (log-rho).

    Zhang and Chen, *Fast Sampling of Diffusion Models with Exponential Integrator*, equation 15.
    """
    return adams(levels, target, math.log, np.exp, points=16)


BASHFORTH = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)
"""Adams-Bashforth weights for equal steps, by order."""


def transfer(here: Level, target: Level, mix: Sequence[float]) -> Move:
    """Return PNDM's transfer with a mix of noise predictions in the place of one.

    Liu et al., *Pseudo Numerical Methods for Diffusion Models on Manifolds*, equation 11: the
    step of DDIM, whatever prediction it is given.
    """
    keep = target.alpha / here.alpha
    return Move(keep, tuple((target.sigma - keep * here.sigma) * w for w in mix))


def _lagrange(known: Sequence[float], at: np.ndarray) -> np.ndarray:
    """Return the Lagrange basis of the known points, one row each, at other points."""
    rows = np.ones((len(known), at.size))
    for j, node in enumerate(known):
        for other in (k for i, k in enumerate(known) if i != j):
            rows[j] *= (at - other) / (node - other)
    return rows


@cache
def _gauss(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of Gauss and Legendre on the unit interval."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return (nodes + 1) / 2, weights / 2
