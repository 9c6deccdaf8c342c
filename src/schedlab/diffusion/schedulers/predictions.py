"""What a network puts out, in terms of the data or of the noise; and limits on the data."""

import torch
from torch import Tensor

from schedlab.diffusion.schedulers.core.levels import Level

PREDICTION_TYPES = ("epsilon", "sample", "v_prediction")
Linear = tuple[float, float]


def to_data(level: Level, prediction_type: str) -> Linear:
    """Return factors of sample and output that give the predicted data.

    Raises
    ------
    ValueError
        If the level holds no signal, so that a noise prediction says nothing about the data.
    """
    alpha, sigma = level
    match prediction_type:
        case "sample":
            return 0.0, 1.0
        case "v_prediction":
            return alpha / level.norm**2, -sigma / level.norm
    if not alpha:
        raise ValueError(
            "a timestep without signal needs prediction_type v_prediction or sample; "
            "epsilon leaves the data undefined (set rescale_betas_zero_snr=False)"
        )
    return 1 / alpha, -sigma / alpha


def to_noise(level: Level, prediction_type: str) -> Linear:
    """Return factors of sample and output that give the predicted noise."""
    alpha, sigma = level
    match prediction_type:
        case "sample":
            return 1 / sigma, -alpha / sigma
        case "v_prediction":
            return sigma / level.norm**2, alpha / level.norm
    return 0.0, 1.0


def linear(factors: Linear, sample: Tensor, output: Tensor) -> Tensor:
    """Return ``factors[0] * sample + factors[1] * output``."""
    keep, weight = factors
    if not keep:
        return output if weight == 1.0 else output * weight
    if keep == 1.0:
        return torch.add(sample, output, alpha=weight)
    return torch.mul(sample, keep).add_(output, alpha=weight)


def threshold(data: Tensor, quantile: float, ceiling: float) -> Tensor:
    """Return data clamped to a quantile of its absolute values and divided by it.

    Saharia et al., *Photorealistic Text-to-Image Diffusion Models*, "dynamic thresholding". The
    quantile is taken for each item of the batch and lies between 1 and ``ceiling``.
    """
    flat = data.flatten(1)
    limit = torch.quantile(flat.abs(), quantile, dim=1, keepdim=True).clamp(1, ceiling)
    return (flat.clamp(-limit, limit) / limit).reshape(data.shape)
