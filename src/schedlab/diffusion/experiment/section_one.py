"""NAO under every scheduler, few-step quality, and memory of seeds, on the learned model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from schedlab.diffusion import worlds
from schedlab.diffusion.experiment.learned import Trained
from schedlab.diffusion.experiment.seed_space import ENDS, interpolated
from schedlab.diffusion.parameters import SectionParameters
from schedlab.diffusion.quiet import without_notices
from schedlab.diffusion.sampling import steps_for
from schedlab.diffusion.schedulers import SCHEDULERS
from schedlab.diffusion.seeds.memory import forgetting
from schedlab.lab.resolve import Choice, resolve_all
from schedlab.lab.seeds import generator

METHODS = ("LERP", "SLERP", "LOL", "NAO")


def choices(parameters: SectionParameters) -> dict[str, Choice]:
    """Return the schedulers by label."""
    return {c.label: c for c in resolve_all(parameters.schedulers, SCHEDULERS)}


def made(choice: Choice, budget: int) -> tuple[Any, int | None]:
    """Return a fresh scheduler, and the steps that a budget of evaluations allows it."""
    with without_notices():
        scheduler = choice.make()
        return scheduler, steps_for(scheduler, budget)


def gaps(model: Trained, parameters: SectionParameters) -> pd.DataFrame:
    """Generate from the middles of paths under every scheduler.

    Returns
    -------
    ``seed, scheduler, stochastic, method, frechet``: the distance of the images to real ones.
    """
    labels = model.labels(parameters.samples)
    first, last = (model.noise("pairs", end, count=parameters.samples) for end in ("a", "b"))
    paths = interpolated(first, last, parameters.path_points)
    middles = {ENDS: first} | {m: paths[m][..., parameters.path_points // 2, :] for m in METHODS}
    rows = []
    for label, choice in choices(parameters).items():
        for method, seeds in middles.items():
            scheduler, steps = made(choice, parameters.budget)
            images = model.images(scheduler, seeds, labels, steps)
            about = {"scheduler": label, "stochastic": noisy(choice), "method": method}
            rows += [
                {"seed": s, **about, "frechet": model.gauge.frechet(own.numpy())}
                for s, own in zip(model.ensemble.seeds, images, strict=True)
            ]
    return pd.DataFrame(rows)


def noisy(choice: Choice) -> bool:
    """Tell whether a scheduler draws noise of its own: whether it forgets some of the seed."""
    return memory_of(choice, {}, samples=4, seed=0) > 0


def memory_of(choice: Choice, step: Mapping[str, Any], samples: int, seed: int) -> float:
    """Return how much of a sample is the scheduler's own noise, on the mixture."""
    world = worlds.ring()
    scheduler, _ = made(choice, 20)
    stream = generator(seed, "diffusion-memory").standard_normal((samples, world.dimensions))
    noise = torch.Generator().manual_seed(seed)
    model = world.network(scheduler.alphas_cumprod)
    return forgetting(model, scheduler, torch.from_numpy(stream), 20, noise, **step)


def memory(parameters: SectionParameters) -> pd.DataFrame:
    """Return how much of its seed a scheduler forgets: DDIM by ``eta``, and all others.

    Returns
    -------
    ``seed, scheduler, eta`` (missing for the others), ``forgotten``.
    """
    (ddim,) = resolve_all(
        [{"use": "ddim", "label": "DDIM", "options": {"clip_sample": False}}], SCHEDULERS
    )
    runs = [(ddim, eta, {"eta": eta}) for eta in parameters.etas]
    runs += [(choice, float("nan"), {}) for choice in choices(parameters).values()]
    return pd.DataFrame(
        [
            {
                "seed": seed,
                "scheduler": choice.label,
                "eta": eta,
                "forgotten": memory_of(choice, step, parameters.memory_samples, seed),
            }
            for choice, eta, step in runs
            for seed in parameters.memory_seeds
        ]
    )


def few_steps(
    model: Trained, parameters: SectionParameters
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Generate with few evaluations and compare with a long run of DDIM from the same seeds.

    Returns
    -------
    ``seed, scheduler, nfe, rmse, frechet``; images of the first model, one class after the other,
    by scheduler, the budgets side by side.
    """
    labels = model.labels(parameters.samples)
    seeds = model.noise("few", count=parameters.samples)
    fine = SCHEDULERS["ddim"](clip_sample=False)
    exact = model.images(fine, seeds, labels, parameters.reference_steps)
    rows, shown = [], {}
    for label, choice in choices(parameters).items():
        if noisy(choice):
            continue
        for budget in parameters.budgets:
            scheduler, steps = made(choice, budget)
            if steps is None:
                continue
            images = model.images(scheduler, seeds, labels, steps)
            rows += _compared(model, images, exact, scheduler=label, nfe=budget)
            shown[label, budget] = images[0, :10].numpy()
    return pd.DataFrame(rows), shown


def _compared(model: Trained, images: Tensor, exact: Tensor, **about: Any) -> list[dict[str, Any]]:
    errors = (images - exact).square().mean(dim=(1, 2)).sqrt().tolist()
    return [
        {"seed": seed, **about, "rmse": rmse, "frechet": model.gauge.frechet(own.numpy())}
        for seed, rmse, own in zip(model.ensemble.seeds, errors, images, strict=True)
    ]
