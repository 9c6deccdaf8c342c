"""Drive any scheduler with diffusers' interface, ours, diffusers' own or a user's."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Model = Callable[[Tensor, Tensor], Tensor]


def generate(
    model: Model,
    scheduler: Any,
    seeds: Tensor,
    steps: int,
    *,
    generator: torch.Generator | None = None,
    **options: Any,
) -> Tensor:
    """Return the samples that seeds become.

    Parameters
    ----------
    model
        ``model(x, t)`` with ``x`` at unit variance and ``t`` an element of ``timesteps``.
    scheduler
        Object with diffusers' interface; its run is begun anew.
    seeds
        Standard normal, of any shape.
    steps
        ``num_inference_steps``.
    generator
        Source of noise for a stochastic scheduler.
    options
        Further arguments of ``step``, for instance ``eta``.
    """
    scheduler.set_timesteps(steps, device=seeds.device)
    if generator is not None and "generator" in inspect.signature(scheduler.step).parameters:
        options["generator"] = generator
    sample = seeds * float(scheduler.init_noise_sigma)
    for t in scheduler.timesteps:
        output = model(scheduler.scale_model_input(sample, t), t)
        sample = scheduler.step(output, t, sample, **options).prev_sample
    return sample


def evaluations(scheduler: Any, steps: int) -> int:
    """Return how often a run of so many steps calls the network (NFE)."""
    scheduler.set_timesteps(steps)
    return len(scheduler.timesteps)


def steps_for(scheduler: Any, budget: int) -> int | None:
    """Return the most steps whose run stays within a number of evaluations, or ``None``."""
    for steps in range(budget, 0, -1):
        try:
            if evaluations(scheduler, steps) <= budget:
                return steps
        except ValueError:  # some start needs more steps than this
            continue
    return None
