"""Train the denoisers, and what every experiment on them shares: images, seeds, measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from schedlab.diffusion.learned_parameters import TrainParameters
from schedlab.diffusion.models.checkpoint import load_ensemble, save_ensemble
from schedlab.diffusion.models.denoiser import Ensemble, Shape
from schedlab.diffusion.models.images import Images, load_images
from schedlab.diffusion.models.training import Recipe, train_ensemble
from schedlab.diffusion.models.unet import pipeline_images, train_unet
from schedlab.diffusion.quality import Gauge
from schedlab.diffusion.sampling import generate
from schedlab.diffusion.schedulers import SCHEDULERS
from schedlab.lab.outputs import place
from schedlab.lab.seeds import generator

CHECKPOINT = "denoiser.safetensors"
TRAINED = f"results/diffusion/train/{CHECKPOINT}"
SPLIT_SEED = 0  # of training and held-out images, the same in every stage


@dataclass(frozen=True)
class Trained:
    """What the stages after training start from.

    Attributes
    ----------
    ensemble
        Denoisers, one per training seed.
    train, held_out
        Images that they have seen, and images that they have not.
    gauge
        Measures samples against ``train``.
    """

    ensemble: Ensemble
    train: Images
    held_out: Images
    gauge: Gauge

    def labels(self, count: int) -> Tensor:
        """Return ``count`` classes, each equally often."""
        return torch.arange(count).remainder(self.ensemble.shape.classes)

    def noise(self, *names: str, count: int) -> Tensor:
        """Draw standard normal seeds ``(members, count, pixels)``, a stream per training seed."""
        size = (count, self.ensemble.shape.pixels)
        return torch.from_numpy(
            np.stack(
                [
                    generator(seed, "diffusion-seeds", *names).standard_normal(size, np.float32)
                    for seed in self.ensemble.seeds
                ]
            )
        )

    @torch.no_grad()
    def images(self, scheduler: Any, seeds: Tensor, labels: Tensor, steps: int) -> Tensor:
        """Generate from seeds ``(members, n, pixels)``; a noisy scheduler gets a fixed stream."""
        noise = torch.Generator().manual_seed(0)
        model = self.ensemble.conditional(labels)
        return generate(model, scheduler, seeds, steps, generator=noise)

    def measure(self, samples: Tensor, labels: Tensor, **about: Any) -> pd.DataFrame:
        """Return one row per training seed: ``seed``, ``about``, measures of the samples."""
        rows = [
            {"seed": seed, **about, **self.gauge.measure(own.numpy(), labels.numpy())}
            for seed, own in zip(self.ensemble.seeds, samples, strict=True)
        ]
        return pd.DataFrame(rows)


def trained(images: str, checkpoint: Path | None = None) -> Trained:
    """Load what the training stage has left, with the images it was trained on.

    Raises
    ------
    FileNotFoundError
        If that stage has not run.
    ValueError
        If it ran on images of another size.
    """
    ensemble = load_ensemble(checkpoint or place(TRAINED))
    return together(ensemble, images)


def together(ensemble: Ensemble, images: str) -> Trained:
    """Put an ensemble beside the images that measure it."""
    whole = load_images(images)
    if whole.side**2 != ensemble.shape.pixels:
        raise ValueError(
            f"the model was trained on images of {ensemble.shape.pixels} pixels, {images} has "
            f"{whole.side**2}; set images of diffusion.train to {images}, then dvc repro"
        )
    train, held_out = whole.split(generator(SPLIT_SEED, "diffusion-split"))
    return Trained(ensemble, train, held_out, Gauge(train))


def train(parameters: TrainParameters) -> tuple[Trained, pd.DataFrame]:
    """Train one denoiser per seed; return them with the loss as ``step, seed, loss``."""
    whole = load_images(parameters.images)
    part, _ = whole.split(generator(SPLIT_SEED, "diffusion-split"))
    shape = Shape(part.pixels.shape[1], parameters.width, parameters.blocks)
    recipe = Recipe(parameters.steps, parameters.batch, parameters.peak_rate)
    ensemble, losses = train_ensemble(part, shape, recipe, noise_levels(), parameters.seeds)
    return together(ensemble, parameters.images), losses


def keep(model: Trained, folder: str) -> None:
    """Write the trained denoisers into a stage's folder."""
    save_ensemble(model.ensemble, place(folder) / CHECKPOINT)


def noise_levels() -> Tensor:
    """Return ``alphas_cumprod`` of the schedule that all experiments share, DDPM's linear one."""
    return SCHEDULERS["ddim"]().alphas_cumprod.to(torch.float32)


def quality(model: Trained, parameters: TrainParameters) -> tuple[pd.DataFrame, Tensor]:
    """Generate from random seeds and measure; real held-out images are measured beside them.

    Returns
    -------
    ``seed, images, frechet, accuracy, contrast, diversity`` with ``images`` "generated" or
    "held out"; and the generated images ``(members, n, pixels)``.
    """
    labels = model.labels(parameters.samples)
    seeds = model.noise("quality", count=parameters.samples)
    seeds = seeds[:1].expand_as(seeds)  # the same for all, to see what the weights change
    scheduler = SCHEDULERS["ddim"](clip_sample=False)
    samples = model.images(scheduler, seeds, labels, parameters.sampling_steps)
    real = model.gauge.measure(model.held_out.pixels, model.held_out.labels)
    rows = [{"seed": seed, "images": "held out", **real} for seed in model.ensemble.seeds]
    table = model.measure(samples, labels, images="generated")
    return pd.concat([table, pd.DataFrame(rows)], ignore_index=True), samples


def unet_in_pipeline(
    model: Trained, parameters: TrainParameters, names: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, Tensor]]:
    """Train diffusers' U-Net and generate with diffusers' pipeline under several schedulers.

    Returns
    -------
    ``scheduler`` and measures; images ``(n, pixels)`` by scheduler.
    """
    recipe = Recipe(parameters.unet_steps, parameters.unet_batch, parameters.peak_rate)
    unet, _ = train_unet(model.train, recipe, noise_levels(), parameters.seeds[0])
    labels = model.labels(parameters.unet_samples).tolist()
    found = {}
    for name in names:
        # The network predicts v, and digits end at -1 and 1, but noise on the way does not
        scheduler = SCHEDULERS[name](prediction_type="v_prediction")
        if "clip_sample" in scheduler.config:
            scheduler.register_to_config(clip_sample=False)
        noise = torch.Generator().manual_seed(parameters.seeds[0])
        found[name] = pipeline_images(unet, scheduler, labels, parameters.pipeline_steps, noise)
    rows = [
        {"scheduler": name, **model.gauge.measure(images.numpy(), np.array(labels))}
        for name, images in found.items()
    ]
    return pd.DataFrame(rows), found


def side_by_side(model: Trained, samples: Tensor, count: int) -> dict[str, np.ndarray]:
    """Return the first images of every training seed, and as many real ones, by name."""
    panels = {
        f"training seed {seed}": own[:count].numpy()
        for seed, own in zip(model.ensemble.seeds, samples, strict=True)
    }
    order = np.argsort(model.held_out.labels, kind="stable")
    per_class = count // model.ensemble.shape.classes
    chosen = [order[model.held_out.labels[order] == label][:per_class] for label in range(10)]
    return panels | {"real, held out": model.held_out.pixels[np.stack(chosen).T.ravel()]}
