"""Noise schedules of training: how much each of the discrete timesteps adds."""

import itertools
import math

import numpy as np
import torch
from torch import Tensor

TINY_ALPHA_BAR = 2**-24  # what diffusers puts in the place of no signal where sigma must be finite


def betas(schedule: str, start: float, end: float, count: int, trained: object = None) -> Tensor:
    """Return the variance that each timestep adds, in float32 as networks were trained with.

    Raises
    ------
    ValueError
        If the schedule is unknown.
    """
    if trained is not None:
        return torch.tensor(np.asarray(trained), dtype=torch.float32)
    match schedule:
        case "linear":
            return torch.linspace(start, end, count)
        case "scaled_linear":
            return torch.linspace(start**0.5, end**0.5, count) ** 2
        case "squaredcos_cap_v2":
            return _from_alpha_bar(
                lambda u: math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2, count
            )
        case "exp":
            return _from_alpha_bar(lambda u: math.exp(-12 * u), count)
        case "sigmoid":
            return torch.sigmoid(torch.linspace(-6, 6, count)) * (end - start) + start
    raise ValueError(
        f"beta_schedule: {schedule!r} is unknown; "
        "allowed are linear, scaled_linear, squaredcos_cap_v2, exp, sigmoid"
    )


def _from_alpha_bar(alpha_bar: object, count: int) -> Tensor:
    ends = [alpha_bar(i / count) for i in range(count + 1)]
    steps = [min(1 - after / before, 0.999) for before, after in itertools.pairwise(ends)]
    return torch.tensor(steps, dtype=torch.float32)


def without_signal_at_the_end(variances: Tensor) -> Tensor:
    """Return variances rescaled so that the last timestep is pure noise.

    Lin et al., *Common Diffusion Noise Schedules and Sample Steps are Flawed*, Algorithm 1.
    """
    root = torch.cumprod(1 - variances, dim=0).sqrt()
    first, last = root[0].clone(), root[-1].clone()
    bar = ((root - last) * (first / (first - last))) ** 2
    return 1 - torch.cat([bar[:1], bar[1:] / bar[:-1]])
