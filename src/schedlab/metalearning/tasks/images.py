"""Few-shot classification: sets of pictures by class, and the world that makes tasks of them."""

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from schedlab.data.catalog import fetch
from schedlab.metalearning.batches import Tasks
from schedlab.metalearning.tasks.files import open_arrays, refuse
from schedlab.metalearning.tasks.noise import Noise
from schedlab.metalearning.tasks.scores import accuracy
from schedlab.metalearning.tasks.world import (
    TEST,
    TRAINING,
    VALIDATION,
    check_sizes,
    random_stream,
)

OMNIGLOT_TEST = ("Greek", "Latin", "Early_Aramaic")
OMNIGLOT_VALIDATION = ("Balinese", "Tagalog")


@dataclass(frozen=True)
class ImageSet:
    """Pictures by class.

    Attributes
    ----------
    images
        Shape ``(classes, samples, channels, height, width)``, values from 0 to 1.
    split
        0 training, 1 validation, 2 test; shape ``(classes,)``.
    names
        One per class; may be empty.
    """

    images: Tensor
    split: Tensor
    names: tuple[str, ...] = ()


@dataclass
class ImageWorld:
    """Tasks of N classes from a few pictures each; a :class:`~.world.World`.

    Attributes
    ----------
    source
        The pictures.
    seed
        Of the budget, the validation tasks and the test tasks.
    ways, shots, queries
        Classes of a task, and pictures of each to adapt on and to be judged by.
    noise
        How training tasks are corrupted.
    budget
        How many of the training classes there are; ``None`` for all.
    validation_tasks, test_tasks
        How many of each.
    """

    source: ImageSet
    seed: int
    ways: int = 5
    shots: int = 5
    queries: int = 5
    noise: Noise = field(default_factory=Noise)
    budget: int | None = None
    validation_tasks: int = 24
    test_tasks: int = 200

    objective = "classification"
    score_name = "accuracy"
    score = staticmethod(accuracy)

    def __post_init__(self) -> None:
        """Choose the classes of the budget and draw the fixed tasks."""
        check_sizes(ways=self.ways, shots=self.shots, queries=self.queries)
        check_sizes(validation_tasks=self.validation_tasks, test_tasks=self.test_tasks)
        self.shape = tuple(self.source.images.shape[2:])
        self.outputs = self.ways
        self._check_samples()
        splits = [torch.nonzero(self.source.split == part).flatten() for part in range(3)]
        self.classes = self._within_budget(splits[TRAINING])
        for part, classes in zip(("training", "validation", "test"), splits, strict=True):
            if len(classes) < self.ways:
                raise ValueError(f"world: {len(classes)} {part} classes cannot fill {self.ways}")
        self.validation = self._fixed(splits[VALIDATION], self.validation_tasks, "validation")
        self.test = self._fixed(splits[TEST], self.test_tasks, "test")

    def pool(self, n: int, generator: torch.Generator) -> Tasks:
        """Return ``n`` candidates for training, some of them corrupted."""
        return self.noise.corrupt(self.clean(n, generator), self.ways, generator)

    def clean(self, n: int, generator: torch.Generator) -> Tasks:
        """Return the same candidates without corruption."""
        return self._draw(self.classes, n, generator)

    def _check_samples(self) -> None:
        there, wanted = self.source.images.shape[1], self.shots + self.queries
        if wanted > there:
            raise ValueError(
                f"world: {self.shots} shots and {self.queries} queries need {wanted} pictures of "
                f"a class, there are {there}"
            )

    def _within_budget(self, classes: Tensor) -> Tensor:
        if self.budget is None:
            return classes
        if not self.ways <= self.budget <= len(classes):
            raise ValueError(
                f"world: budget must be between {self.ways} ways and {len(classes)} training "
                f"classes, got {self.budget}"
            )
        order = torch.randperm(len(classes), generator=random_stream(self.seed, "budget"))
        return classes[order[: self.budget]]

    def _fixed(self, classes: Tensor, n: int, name: str) -> Tasks:
        return self._draw(classes, n, random_stream(self.seed, "world", name))

    def _draw(self, classes: Tensor, n: int, generator: torch.Generator) -> Tasks:
        chosen = classes[disjoint_groups(len(classes), n, self.ways, generator)]
        samples = self.source.images.shape[1]
        order = torch.rand(n, self.ways, samples, generator=generator).argsort(-1)
        support = order[..., : self.shots]
        query = order[..., self.shots : self.shots + self.queries]
        return Tasks(
            *self._labelled(chosen, support),
            *self._labelled(chosen, query),
            noisy=torch.zeros(n, dtype=torch.bool),
            classes=chosen,
        )

    def _labelled(self, chosen: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
        images = self.source.images[chosen.unsqueeze(-1), samples].flatten(1, 2)
        labels = torch.arange(self.ways).repeat_interleave(samples.shape[-1])
        return images, labels.expand(len(images), -1)


def disjoint_groups(classes: int, n: int, ways: int, generator: torch.Generator) -> Tensor:
    """Return ``n`` groups of ``ways`` different classes, with no class in two as far as they go.

    Returns
    -------
    Positions, shape ``(n, ways)``. Each round of ``classes // ways`` groups shares no class.
    """
    per_round = classes // ways
    rounds = -(-n // per_round)
    order = torch.rand(rounds, classes, generator=generator).argsort(-1)
    return order[:, : per_round * ways].reshape(-1, ways)[:n]


@cache
def omniglot() -> ImageSet:
    """Return 242 handwritten characters by 20 drawers, through the catalogue.

    Test alphabets are Greek, Latin and Early Aramaic; validation Balinese and Tagalog.

    Raises
    ------
    FileNotFoundError
        If the catalogue cannot get them.
    """
    with np.load(fetch("omniglot-small-28")) as stored:
        images, alphabets = stored["images"], stored["alphabet"].astype(str)
        names = [f"{a} {c}" for a, c in zip(alphabets, stored["character"], strict=True)]
    split = np.zeros(len(alphabets), dtype=int)
    split[np.isin(alphabets, OMNIGLOT_VALIDATION)] = VALIDATION
    split[np.isin(alphabets, OMNIGLOT_TEST)] = TEST
    pixels = torch.from_numpy(images).unsqueeze(2).float() / 255
    return ImageSet(pixels, torch.from_numpy(split), tuple(names))


@cache
def image_file(path: str) -> ImageSet:
    """Return pictures of the user's own, for instance miniImageNet's.

    Parameters
    ----------
    path
        An ``.npz`` with ``images``, uint8 of shape ``(classes, samples, height, width)`` or
        ``(classes, samples, height, width, 3)``, and ``split``, ``(classes,)``: 0 for training,
        1 for validation, 2 for test.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its arrays are not as said.
    """
    found = open_arrays(Path(path), ("images", "split"))
    images, split = found["images"], found["split"]
    if images.dtype != np.uint8 or not (images.ndim == 4 or images.shape[4:] == (3,)):
        refuse(path, "images", "uint8 of shape (classes, samples, height, width[, 3])", images)
    if split.shape != images.shape[:1] or not np.isin(split, (0, 1, 2)).all():
        refuse(path, "split", "0, 1 or 2 for each class", split)
    pixels = images[..., None] if images.ndim == 4 else images
    stacked = torch.from_numpy(np.moveaxis(pixels, -1, 2).copy()).float() / 255
    return ImageSet(stacked, torch.from_numpy(split.astype(int)))


def halved(source: ImageSet) -> ImageSet:
    """Return the pictures at half their height and width, by averaging."""
    images = source.images
    flat = torch.nn.functional.avg_pool2d(images.flatten(0, 1), 2)
    return replace(source, images=flat.reshape(*images.shape[:2], *flat.shape[1:]))
