"""What a world of tasks offers a training loop, and how its fixed task sets get their seeds."""

from typing import Protocol

import torch
from torch import Tensor

from schedlab.lab.seeds import generator as stream
from schedlab.metalearning.batches import Tasks

TRAINING, VALIDATION, TEST = 0, 1, 2


class World(Protocol):
    """Where tasks come from; one object per seed.

    Attributes
    ----------
    objective
        ``"classification"`` or ``"regression"``.
    shape
        Of one input, ``(d,)`` or ``(channels, height, width)``.
    outputs
        Numbers a model puts out per input: the classes of a task, or 1.
    score_name
        Name and unit of :meth:`score`, for axes.
    validation, test
        All validation and test tasks: fixed, without noise, from classes, assays or functions
        that training never shows.
    """

    objective: str
    shape: tuple[int, ...]
    outputs: int
    score_name: str
    validation: Tasks
    test: Tasks

    def pool(self, n: int, generator: torch.Generator) -> Tasks:
        """Return ``n`` candidates for training, some of them corrupted."""

    def clean(self, n: int, generator: torch.Generator) -> Tasks:
        """Return the same candidates without corruption."""

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return one score per task, larger is better."""


def random_stream(seed: int, *names: str | int) -> torch.Generator:
    """Return torch's random stream of a seed and a list of names."""
    return torch.Generator().manual_seed(int(stream(seed, *names).integers(2**62)))


def check_sizes(**sizes: int) -> None:
    """Refuse sizes below 1.

    Raises
    ------
    ValueError
        Naming the first one.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"world: {name} must be at least 1, got {size}")
