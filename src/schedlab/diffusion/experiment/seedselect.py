"""SeedSelect for classes that a model has hardly seen, from random and from NAO's starts."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from schedlab.diffusion.experiment.learned import Trained, noise_levels, together
from schedlab.diffusion.experiment.seed_space import QUICK, inverted_by, sampler
from schedlab.diffusion.learned_parameters import SelectParameters
from schedlab.diffusion.models.classifier import features, train_classifier
from schedlab.diffusion.models.denoiser import Shape
from schedlab.diffusion.models.images import Images
from schedlab.diffusion.models.training import Recipe, train_ensemble
from schedlab.diffusion.quality import fitted
from schedlab.diffusion.seeds.nao import Descent, path
from schedlab.diffusion.seeds.seedselect import FROM_NAO, PLAIN, resemblance, select
from schedlab.lab.seeds import generator

STARTS = ("random", "NAO")
INVERSION_STEPS = 50  # as in the public code, which inverts on a finer grid than it generates


@dataclass(frozen=True)
class LongTail:
    """A model that was trained on classes of very different sizes.

    Attributes
    ----------
    model
        The denoisers, with the whole set of images to judge them.
    few
        The long-tailed images they were trained on.
    classifier
        Gives features; it was trained on images that the denoisers have not seen.
    counts
        Training images of each class.
    """

    model: Trained
    few: Images
    classifier: nn.Sequential
    counts: list[int]


def long_tail(parameters: SelectParameters, whole: Trained) -> LongTail:
    """Train on few images of rare classes, and a classifier on the images left over."""
    counts = np.geomspace(parameters.most, parameters.fewest, 10).round().astype(int).tolist()
    few, rest = [], []
    for label, count in enumerate(counts):
        rows = np.flatnonzero(whole.train.labels == label)
        few.append(rows[:count])
        rest.append(rows[count:])
    images = whole.train.take(np.concatenate(few))
    shape = Shape(images.pixels.shape[1], parameters.width, parameters.blocks)
    recipe = Recipe(parameters.steps, parameters.batch, parameters.peak_rate)
    ensemble, _ = train_ensemble(images, shape, recipe, noise_levels(), parameters.seeds)
    classifier = train_classifier(whole.train.take(np.concatenate(rest)), seed=0)
    return LongTail(together(ensemble, parameters.images), images, classifier, counts)


@dataclass(frozen=True)
class Searches:
    """What the searches from both starts have found.

    Attributes
    ----------
    losses
        ``seed, start, iteration, loss``, the mean over images.
    images
        By name: "before" (random seeds), and after the search from each start.
    labels
        Classes of the images.
    """

    losses: pd.DataFrame
    images: dict[str, Tensor]
    labels: Tensor


def searches(tail: LongTail, parameters: SelectParameters) -> Searches:
    """Search seeds for the rare classes from random seeds and from the middle of NAO's paths."""
    rare = np.argsort(tail.counts)[: parameters.rare_classes]
    labels = np.repeat(np.sort(rare), parameters.images_per_class)
    rows = _references(tail, parameters, labels)
    shots = torch.from_numpy(tail.few.pixels[rows])
    feature = features(tail.classifier, shots).mean(dim=-2)
    loss = resemblance(partial(features, tail.classifier), feature, shots.mean(dim=-2))
    noise = tail.model.ensemble.conditional(torch.from_numpy(labels))
    starts = {
        "random": (tail.model.noise("seedselect", count=len(labels)), PLAIN),
        "NAO": (_between_references(tail, shots, labels, parameters), FROM_NAO),
    }
    images, losses = {}, []
    for name, (seeds, how) in starts.items():
        steps = parameters.sampling_steps
        found, history = select(noise, sampler(), seeds, steps, loss, how)
        where = torch.from_numpy(labels)
        before = "before" if name == "random" else "NAO alone"
        images[before] = tail.model.images(sampler(), seeds, where, steps)
        images[name] = tail.model.images(sampler(), found, where, steps)
        losses.append(_loss_table(history, parameters.seeds, name))
    return Searches(pd.concat(losses, ignore_index=True), images, torch.from_numpy(labels))


def _references(tail: LongTail, parameters: SelectParameters, labels: np.ndarray) -> np.ndarray:
    """Draw two training images for each image to make, ``(members, n, 2)``."""
    streams = [generator(seed, "seedselect-references") for seed in parameters.seeds]
    return np.stack(
        [
            [s.choice(np.flatnonzero(tail.few.labels == c), 2, replace=False) for c in labels]
            for s in streams
        ]
    )


def _between_references(
    tail: LongTail, shots: Tensor, labels: np.ndarray, parameters: SelectParameters
) -> Tensor:
    """Return the middle of NAO's path between the seeds of each pair of references."""
    ends = [
        torch.stack(
            [
                inverted_by(tail.model, own.numpy(), labels, INVERSION_STEPS)[member]
                for member, own in enumerate(shots[:, :, end])
            ]
        )
        for end in (0, 1)
    ]
    how = Descent(points=parameters.path_points, **QUICK)
    found = path(*ends, torch.Generator().manual_seed(0), how).points
    return found[..., parameters.path_points // 2, :]


def _loss_table(history: Tensor, seeds: list[int], start: str) -> pd.DataFrame:
    mean = history.mean(dim=-1)
    return pd.DataFrame(
        [
            {"seed": seed, "start": start, "iteration": i, "loss": mean[i, k].item()}
            for k, seed in enumerate(seeds)
            for i in range(len(mean))
        ]
    )


def recognised(tail: LongTail, found: Searches) -> pd.DataFrame:
    """Return how often rare images are taken for their class: ``seed, images`` and measures."""
    tables = [
        tail.model.measure(samples, found.labels, images=name)
        for name, samples in found.images.items()
    ]
    return pd.concat(tables, ignore_index=True)


def augmentation(tail: LongTail, found: Searches) -> pd.DataFrame:
    """Train a classifier on the long-tailed images and generated ones; test it on held-out images.

    Returns
    -------
    ``seed, images, rare_accuracy, accuracy``; ``images`` says what was added.
    """
    held, rare = tail.model.held_out, np.isin(tail.model.held_out.labels, found.labels.numpy())
    rows = []
    for member, seed in enumerate(tail.model.ensemble.seeds):
        added = {name: samples[member].numpy() for name, samples in found.images.items()}
        for name, more in {"nothing": None, **added}.items():
            right = _svm_predictions(tail.few, more, found.labels.numpy(), held) == held.labels
            rows.append(
                {
                    "seed": seed,
                    "images": name,
                    "rare_accuracy": right[rare].mean(),
                    "accuracy": right.mean(),
                }
            )
    return pd.DataFrame(rows)


def _svm_predictions(
    few: Images, more: np.ndarray | None, labels: np.ndarray, held: Images
) -> np.ndarray:
    pixels = few.pixels if more is None else np.concatenate([few.pixels, more])
    classes = few.labels if more is None else np.concatenate([few.labels, labels])
    return fitted(pixels, classes).predict(held.pixels)
