"""Train denoisers by the v-prediction loss (Salimans and Ho 2022), several seeds at once.

The members of an ensemble share nothing but the clock: each has its own start, batches, timesteps
and noise. The one-cycle learning rate ends near zero, so no average of the weights is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.func import stack_module_state
from tqdm import trange

from schedlab.diffusion.models.denoiser import Denoiser, Ensemble, Shape, signal_and_noise
from schedlab.diffusion.models.images import Images
from schedlab.lab.seeds import generator

M = TypeVar("M")
LOG_EVERY = 50  # steps that one row of the loss table averages


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes
    ----------
    steps, batch
        Optimiser steps, and images in each.
    peak_rate
        Highest learning rate of the one-cycle schedule.
    """

    steps: int
    batch: int
    peak_rate: float


def train_ensemble(
    images: Images, shape: Shape, recipe: Recipe, alphas_cumprod: Tensor, seeds: Sequence[int]
) -> tuple[Ensemble, pd.DataFrame]:
    """Train one denoiser per seed.

    Parameters
    ----------
    images
        Training images.
    shape, recipe
        Size of the networks, and how to train them.
    alphas_cumprod
        Cumulative signal level at every training timestep, ``(timesteps,)``.
    seeds
        Training seeds.

    Returns
    -------
    The networks, and the training loss as ``step, seed, loss``.
    """
    starts = [seeded(lambda: Denoiser(shape), seed) for seed in seeds]
    ensemble = Ensemble(shape, stack_module_state(starts)[0], alphas_cumprod, seeds)
    weights = list(ensemble.parameters.values())
    losses = fit(ensemble.velocity, weights, images, recipe, alphas_cumprod, seeds)
    trained = {name: weight.detach() for name, weight in ensemble.parameters.items()}
    return Ensemble(shape, trained, alphas_cumprod, seeds), losses


def fit(
    velocity: Callable[[Tensor, Tensor, Tensor], Tensor],
    weights: Sequence[Tensor],
    images: Images,
    recipe: Recipe,
    alphas_cumprod: Tensor,
    seeds: Sequence[int],
) -> pd.DataFrame:
    """Train weights in place and return the loss as ``step, seed, loss``.

    Parameters
    ----------
    velocity
        Prediction of ``v`` for images ``(seeds, batch, pixels)``, timesteps and classes
        ``(seeds, batch)``.
    weights
        What it depends on.
    images, recipe, alphas_cumprod, seeds
        As for :func:`train_ensemble`.
    """
    optimiser = torch.optim.AdamW(weights, lr=recipe.peak_rate, foreach=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.peak_rate, recipe.steps)
    streams = [generator(seed, "diffusion-training") for seed in seeds]
    losses = []
    for _ in trange(recipe.steps, desc="training", leave=False):
        *inputs, target = draw(images, recipe.batch, alphas_cumprod, streams)
        loss = (velocity(*inputs) - target).square().mean(dim=(1, 2))
        loss.sum().backward()
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        losses.append(loss.detach())
    return _table(losses, seeds)


def seeded(build: Callable[[], M], seed: int) -> M:
    """Build a network with its start drawn from a seed; torch's own generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def draw(
    images: Images, batch: int, alphas_cumprod: Tensor, streams: Sequence[np.random.Generator]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw a batch per member: noisy images, timesteps, labels, and the ``v`` to predict."""
    rows = np.stack([stream.integers(len(images), size=batch) for stream in streams])
    times = np.stack([stream.integers(len(alphas_cumprod), size=batch) for stream in streams])
    size = (batch, images.pixels.shape[1])
    drawn = np.stack([stream.standard_normal(size, np.float32) for stream in streams])
    timesteps, noise = torch.from_numpy(times), torch.from_numpy(drawn)
    clean, labels = torch.from_numpy(images.pixels[rows]), torch.from_numpy(images.labels[rows])
    alpha, sigma = (level[..., None] for level in signal_and_noise(alphas_cumprod, timesteps))
    return alpha * clean + sigma * noise, timesteps, labels, alpha * noise - sigma * clean


def _table(losses: list[Tensor], seeds: Sequence[int]) -> pd.DataFrame:
    means = torch.stack([part.mean(dim=0) for part in torch.stack(losses).split(LOG_EVERY)])
    table = pd.DataFrame(means.numpy(), columns=[*seeds])
    table.insert(0, "step", [LOG_EVERY * (i + 1) for i in range(len(table))])
    return table.melt("step", var_name="seed", value_name="loss").astype({"seed": "int64"})
