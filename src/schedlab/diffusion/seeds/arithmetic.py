"""Means of seeds in closed form: LERP, SLERP, NIN, FIX, LOL and centroids.

``NIN`` interpolates the norm as well (arXiv 2505.07481), ``LOL`` restores the distribution of a
linear combination of Gaussian seeds (arXiv 2408.08558). Both are later than NAO.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from schedlab.diffusion.seeds.prior import typical_norm

PARALLEL = 0.9995  # |cosine| from which SLERP falls back to LERP, as NAO's public code has it
KARCHER_STEPS = 20


def lerp(seeds: Tensor, weights: Tensor) -> Tensor:
    """Return weighted sums.

    Parameters
    ----------
    seeds
        ``(..., seeds, dimensions)``.
    weights
        ``(means, seeds)``.

    Returns
    -------
    Means, ``(..., means, dimensions)``.
    """
    return weights.to(seeds.dtype) @ seeds


def nin(seeds: Tensor, weights: Tensor) -> Tensor:
    """Return weighted sums, scaled to the weighted sum of the norms; shapes as :func:`lerp`."""
    return _scaled(lerp(seeds, weights), lerp(seeds.norm(dim=-1, keepdim=True), weights))


def fix(seeds: Tensor, weights: Tensor) -> Tensor:
    """Return weighted sums, scaled to the norm ``sqrt(d)``; shapes as :func:`lerp`."""
    return _scaled(lerp(seeds, weights), seeds.shape[-1] ** 0.5)


def lol(seeds: Tensor, weights: Tensor) -> Tensor:
    """Return sums with the distribution of the seeds; shapes as :func:`lerp`.

    For independent standard normal seeds that is a division by the root of the sum of squared
    weights. Weights that are all zero count as equal.
    """
    silent = (weights.square().sum(dim=-1, keepdim=True) < 1e-10).to(weights.dtype)
    heard = weights + silent
    return lerp(seeds, heard / heard.norm(dim=-1, keepdim=True))


def slerp(seeds: Tensor, weights: Tensor) -> Tensor:
    """Return points of the great circle through two seeds; shapes as :func:`lerp`.

    The angle is between directions, and the weights apply to the seeds themselves (Shoemake
    1985, as NAO's public code has it), so norms that differ are blended.
    """
    first, second = seeds[..., :1, :], seeds[..., 1:2, :]
    cosine = torch.nn.functional.cosine_similarity(first, second, dim=-1)[..., None]
    angle = cosine.clamp(-1, 1).arccos()
    curved = torch.sin(weights.to(seeds.dtype) * angle) / angle.sin()
    bent = torch.where(cosine.abs() > PARALLEL, weights.to(seeds.dtype), curved)
    return bent @ seeds


INTERPOLATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "LERP": lerp,
    "SLERP": slerp,
    "NIN": nin,
    "FIX": fix,
    "LOL": lol,
}
"""Closed-form interpolations of two seeds by the name that figures use."""


def between(count: int) -> Tensor:
    """Return the weights of ``count`` evenly spaced points from the first seed to the second."""
    towards = torch.linspace(0, 1, count, dtype=torch.float64)
    return torch.stack([1 - towards, towards], dim=-1)


def euclidean(seeds: Tensor) -> Tensor:
    """Return plain means of seeds ``(..., seeds, dimensions)``."""
    return seeds.mean(dim=-2)


def standardised(seeds: Tensor) -> Tensor:
    """Return means divided by the standard deviation of their entries."""
    mean = euclidean(seeds)
    return mean / mean.std(dim=-1, keepdim=True)


def mode_norm(seeds: Tensor) -> Tensor:
    """Return means scaled to the most likely norm."""
    return _scaled(euclidean(seeds), typical_norm(seeds.shape[-1]))


def lol_mean(seeds: Tensor) -> Tensor:
    """Return means with the distribution of independent seeds."""
    return lol(seeds, torch.ones(1, seeds.shape[-2]))[..., 0, :]


def spherical(seeds: Tensor) -> Tensor:
    """Return means on the sphere (Karcher), scaled to the mean of the norms.

    The point whose squared great-circle distances sum to the least, found by averaging in its
    tangent plane.
    """
    unit = torch.nn.functional.normalize(seeds, dim=-1)
    mean = torch.nn.functional.normalize(euclidean(unit), dim=-1)
    for _ in range(KARCHER_STEPS):
        cosine = (unit * mean[..., None, :]).sum(dim=-1, keepdim=True).clamp(-1, 1)
        stretch = cosine.arccos() / (1 - cosine.square()).clamp(min=1e-12).sqrt()
        step = euclidean(stretch * (unit - cosine * mean[..., None, :]))
        length = step.norm(dim=-1, keepdim=True)
        mean = length.cos() * mean + torch.sinc(length / torch.pi) * step
    return _scaled(mean, seeds.norm(dim=-1).mean(dim=-1, keepdim=True))


CENTROIDS: dict[str, Callable[[Tensor], Tensor]] = {
    "Euclidean": euclidean,
    "standardised": standardised,
    "mode norm": mode_norm,
    "spherical": spherical,
    "LOL": lol_mean,
}
"""Closed-form centroids of many seeds by the name that figures use."""


def _scaled(vectors: Tensor, norm: Tensor | float) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1) * norm
