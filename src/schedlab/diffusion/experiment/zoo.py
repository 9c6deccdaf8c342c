"""Every scheduler class: parity with diffusers, identities, and error for a budget."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from schedlab.diffusion import parity, worlds
from schedlab.diffusion.parameters import ZooParameters
from schedlab.diffusion.quiet import without_notices
from schedlab.diffusion.sampling import generate, steps_for
from schedlab.diffusion.schedulers import SCHEDULERS
from schedlab.lab.resolve import Choice, resolve_all
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep

ALMOST_DATA = 1e-4  # noise ratio below which the exact flow moves no sample visibly


def compare_with_diffusers(parameters: ZooParameters) -> pd.DataFrame:
    """Return one row a combination of options: how far our class is from diffusers' own."""
    return sweep(
        _compare_class,
        {"name": list(parity.GRID), "thin": [parameters.thin]},
        parameters.seeds,
        label="parity",
    )


def _compare_class(name: str, thin: int, seed: int) -> pd.DataFrame:
    return pd.DataFrame([parity.difference(case, seed) for case in parity.cases(name, thin, seed)])


def starts(count: int, dimensions: int, seed: int) -> Tensor:
    """Return the standard normal seeds of a run, in double precision."""
    return torch.from_numpy(generator(seed, "starts").standard_normal((count, dimensions)))


def error_by_budget(parameters: ZooParameters) -> pd.DataFrame:
    """Return each scheduler's distance from the exact solution for every budget of evaluations."""
    entries = [entry.model_dump() for entry in parameters.schedulers]
    grid = {"entry": entries, "samples": [parameters.samples], "budgets": [parameters.budgets]}
    return sweep(_errors_of, grid, parameters.seeds, label="error by budget")


def _errors_of(
    entry: Mapping[str, Any], samples: int, budgets: Sequence[int], seed: int
) -> pd.DataFrame:
    (choice,) = resolve_all([entry], SCHEDULERS)
    world = worlds.ring()
    rows = []
    for budget in budgets:
        steps = _steps_within(choice, budget)
        if steps is not None:
            error = distance_from_exact(choice.make(), world, steps, samples, seed)
            rows.append({"scheduler": choice.label, "nfe": budget, "steps": steps, "rmse": error})
    return pd.DataFrame(rows, columns=["scheduler", "nfe", "steps", "rmse"])


def _steps_within(choice: Choice, budget: int) -> int | None:
    with without_notices():
        return steps_for(choice.make(), budget)


def distance_from_exact(
    scheduler: Any, world: worlds.Mixture, steps: int, samples: int, seed: int
) -> float:
    """Return the root mean square distance between a run's samples and the exact ones.

    Both start from the same noise at the scheduler's own first level; the exact solution goes
    on to the data.
    """
    model = world.network(scheduler.alphas_cumprod)
    seeds = starts(samples, world.dimensions, seed)
    with without_notices():
        found = generate(model, scheduler, seeds, steps)
        scheduler.set_timesteps(steps)
    bar = scheduler.alphas_cumprod.double().numpy()
    first = scheduler.timesteps[0]
    ratio = np.interp(float(first), np.arange(bar.size), np.sqrt((1 - bar) / bar))
    one = torch.ones(1, dtype=torch.float64) * float(scheduler.init_noise_sigma)
    unit = float(scheduler.scale_model_input(one, first)) * np.hypot(1, ratio)
    exact = _exact(world, samples, seed, round(float(unit), 10), round(float(ratio), 10))
    return float((found - exact).square().mean().sqrt())


@lru_cache(maxsize=64)
def _exact(world: worlds.Mixture, samples: int, seed: int, scale: float, ratio: float) -> Tensor:
    """Return where the exact flow takes the seeds; schedulers share starts, so it is kept."""
    begin = starts(samples, world.dimensions, seed) * scale
    return world.solve(begin, ratio, ALMOST_DATA, 1e-8)


DATA_END = ("DDIM", "Euler", "DPM-Solver++ 1", "UniPC 1")
NOISY_END = ("DDIM, noisy end", "DPM-Solver 1", "DEIS 1")
STOCHASTIC = ("DDIM, η = 1", "DDPM", "Euler ancestral")


def identities(parameters: ZooParameters) -> pd.DataFrame:
    """Return how far solvers that should be one and the same are from the first of their group."""
    return sweep(
        _identities, {"steps": [10, 20], "samples": [parameters.samples]}, parameters.seeds
    )


def _identities(steps: int, samples: int, seed: int) -> pd.DataFrame:
    world = worlds.ring()
    groups = {"to the data": DATA_END, "to the last noise": NOISY_END, "with noise": STOCHASTIC}
    made = _first_order(steps)
    rows = []
    for group, labels in groups.items():
        results = {label: _run(world, *made[label], steps, samples, seed) for label in labels}
        base = results[labels[0]]
        rows += [
            {
                "group": group,
                "scheduler": label,
                "relative": float((result - base).abs().max() / base.abs().max()),
            }
            for label, result in results.items()
        ]
    return pd.DataFrame(rows)


def _first_order(steps: int) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return first-order schedulers on one grid, with options of ``step``."""
    trailing = {"timestep_spacing": "trailing"}
    free = {**trailing, "clip_sample": False}
    low = {**trailing, "solver_order": 1}
    noisy = {"final_sigmas_type": "sigma_min"}
    make = SCHEDULERS
    return {
        "DDIM": (make["ddim"](**free), {}),
        "Euler": (make["euler"](**trailing), {}),
        "DPM-Solver++ 1": (make["dpm_multistep"](**low), {}),
        "UniPC 1": (make["unipc"](**low, disable_corrector=list(range(steps))), {}),
        "DDIM, noisy end": (make["ddim"](**free, set_alpha_to_one=False), {}),
        "DPM-Solver 1": (make["dpm_multistep"](**low, **noisy, algorithm_type="dpmsolver"), {}),
        "DEIS 1": (make["deis"](**low), {}),
        "DDIM, η = 1": (make["ddim"](**free), {"eta": 1.0}),
        "DDPM": (make["ddpm"](**free), {}),
        "Euler ancestral": (make["euler_ancestral"](**trailing), {}),
    }


def _run(
    world: worlds.Mixture,
    scheduler: Any,
    options: dict[str, Any],
    steps: int,
    samples: int,
    seed: int,
) -> Tensor:
    """Return the samples from one noisy start, whatever coordinates the scheduler works in."""
    scheduler.set_timesteps(steps)
    level = scheduler.calls[0].level
    begin = starts(samples, world.dimensions, seed) * (
        level.norm / float(scheduler.init_noise_sigma)
    )
    noise = torch.Generator().manual_seed(seed)
    model = world.network(scheduler.alphas_cumprod)
    return generate(model, scheduler, begin, steps, generator=noise, **options)
