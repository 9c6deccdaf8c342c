"""Whether a scheduler remembers its seed: the test for anything that computes with seeds."""

from typing import Any

import torch
from torch import Tensor

from schedlab.diffusion.sampling import Model, generate


def forgetting(
    model: Model, scheduler: Any, seeds: Tensor, steps: int, generator: torch.Generator, **step: Any
) -> float:
    """Return how much of a sample is the scheduler's own noise: 0 for none, 1 for all.

    Every seed is run twice with different noise. The root mean square difference of these twins
    is divided by that of samples of different seeds. Where the result is near 1, an interpolation
    of seeds says nothing of the samples.

    Parameters
    ----------
    model
        ``model(x, t)``, row by row.
    scheduler
        Any scheduler with diffusers' interface.
    seeds
        Standard normal, ``(n, ...)``, at least two.
    steps
        Steps of the scheduler.
    generator
        Source of the scheduler's noise.
    step
        Further arguments of its ``step``, for instance ``eta``.
    """
    if len(seeds) < 2:
        raise ValueError(f"at least two seeds are needed to compare samples, got {len(seeds)}")
    with torch.no_grad():
        first, again = (
            generate(model, scheduler, seeds, steps, generator=generator, **step) for _ in range(2)
        )
    twins = (first - again).square().mean()
    strangers = (first - again.roll(1, dims=0)).square().mean()
    return float((twins / strangers).sqrt())
