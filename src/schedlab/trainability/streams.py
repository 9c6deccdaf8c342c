"""Streams of tasks on which networks are trained one after the other, without a reset.

A stream is a list of tasks made beforehand, so that every arm of a comparison sees the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Task:
    """What a network has to fit until the next task.

    Attributes
    ----------
    inputs
        Shape ``(n, features)``.
    targets
        Classes, shape ``(n,)``, or real values, shape ``(n, 1)``.
    """

    inputs: Tensor
    targets: Tensor


def random_labels(
    inputs: Tensor, tasks: int, rng: np.random.Generator, *, classes: int = 10
) -> list[Task]:
    """Redraw all labels uniformly for each task: nothing but memory can fit them.

    The stream of the paper (section 5), where training accuracy is trainability alone.
    """
    drawn = [torch.from_numpy(rng.integers(0, classes, len(inputs))) for _ in range(tasks)]
    return [Task(inputs, labels.to(inputs.device)) for labels in drawn]


def shuffled_labels(
    inputs: Tensor, labels: Tensor, tasks: int, rng: np.random.Generator
) -> list[Task]:
    """Rename the classes by a random permutation for each task."""
    classes = int(labels.max()) + 1
    names = [torch.from_numpy(rng.permutation(classes)) for _ in range(tasks)]
    return [Task(inputs, renamed.to(labels.device)[labels]) for renamed in names]


def permuted_inputs(
    inputs: Tensor, labels: Tensor, tasks: int, rng: np.random.Generator
) -> list[Task]:
    """Shuffle the features by a random permutation for each task, the same for all samples."""
    return [
        Task(inputs[:, torch.from_numpy(rng.permutation(inputs.shape[1]))].contiguous(), labels)
        for _ in range(tasks)
    ]


def flipped_bits(
    samples: int,
    tasks: int,
    rng: np.random.Generator,
    *,
    bits: int = 20,
    slow_bits: int = 15,
    units: int = 100,
    threshold: float = 0.7,
) -> list[Task]:
    """Slowly-changing regression: one slow input bit flips between tasks.

    The target is a fixed random network of linear threshold units, as in *Loss of plasticity in
    deep continual learning* (Dohare et al., Nature 2024). A unit with input weights ±1 fires
    where their sum exceeds ``bits · threshold`` less the number of negative weights.

    Parameters
    ----------
    samples
        Inputs a task, whose fast bits are drawn at random.
    tasks
        Length of the stream.
    rng
        Draws everything.
    bits, slow_bits
        Input bits, and how many of them are constant within a task.
    units
        Threshold units of the target network.
    threshold
        β of the target network, in (0, 1).
    """
    weights = rng.choice([-1.0, 1.0], (bits + 1, units))
    heads = rng.choice([-1.0, 1.0], units)
    fires_above = (bits + 1) * threshold - (weights < 0).sum(0)
    slow = rng.integers(0, 2, slow_bits)
    stream = []
    for _ in range(tasks):
        slow[rng.integers(slow_bits)] ^= 1
        fast = rng.integers(0, 2, (samples, bits - slow_bits))
        inputs = np.hstack([np.broadcast_to(slow, (samples, slow_bits)), fast])
        hidden = np.hstack([inputs, np.ones((samples, 1))]) @ weights > fires_above
        targets = (hidden @ heads / np.sqrt(units))[:, None]
        stream.append(Task(_float(inputs), _float(targets)))
    return stream


def _float(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


STREAMS: dict[str, Callable[..., list[Task]]] = {
    "random_labels": random_labels,
    "shuffled_labels": shuffled_labels,
    "permuted_inputs": permuted_inputs,
    "flipped_bits": flipped_bits,
}
"""Streams by the name that ``params.yaml`` uses."""
