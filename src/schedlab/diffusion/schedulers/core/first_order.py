"""DDIM, which is also Euler's method, and its stochastic relatives."""

import math

from schedlab.diffusion.schedulers.core.levels import Level
from schedlab.diffusion.schedulers.core.moves import Move


def ddim(here: Level, target: Level, eta: float = 0.0) -> tuple[Move, float]:
    """Return DDIM's move on a data prediction, and the deviation of its noise.

    Song, Meng and Ermon, *Denoising Diffusion Implicit Models*, equations 12 and 16. In exploding
    coordinates it is Euler's method for ``eta = 0`` and the ancestral one of Karras et al.
    for ``eta = 1``.
    """
    noise = eta * _ancestral_deviation(here, target)
    direction = math.sqrt(max(0.0, target.sigma**2 - noise**2))
    keep = direction / here.sigma
    return Move(keep, (target.alpha - keep * here.alpha,)), noise


def ddpm(here: Level, target: Level) -> tuple[Move, float, float]:
    """Return the mean of DDPM's posterior, its small and its large deviation.

    Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models*, equations 6 and 7.
    """
    alpha = (here.alpha / target.alpha) ** 2
    beta = 1 - alpha
    keep = math.sqrt(alpha) * (target.sigma / here.sigma) ** 2
    move = Move(keep, (target.alpha * beta / here.sigma**2,))
    small = max((target.sigma / here.sigma) ** 2 * beta, 1e-20)
    return move, math.sqrt(small), math.sqrt(beta)


def _ancestral_deviation(here: Level, target: Level) -> float:
    """Return the noise that makes a step as random as the forward process."""
    if math.isinf(here.ratio):
        return target.sigma
    lost = max(0.0, here.ratio**2 - target.ratio**2)
    return target.sigma * math.sqrt(lost) / here.ratio
