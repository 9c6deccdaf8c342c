"""Training a fleet on streams of tasks under a scheduler and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from schedlab.trainability.fleet import Fleet
from schedlab.trainability.remedies import Remedy
from schedlab.trainability.schedulers import NoiseCurvatureLR
from schedlab.trainability.streams import Task

Observer = Callable[[int, int, dict[str, Tensor]], None]

REMEDY_SAMPLES = 512  # inputs that a remedy may look at


@dataclass
class Course:
    """How long and in what pieces a fleet is trained.

    Attributes
    ----------
    epochs
        Passes over a task's samples.
    batch_size
        Samples B in a minibatch; the last of an epoch may be smaller.
    interval
        K: updates between two decisions of a scheduler that reads statistics.
    probe
        Options of the :class:`~schedlab.trainability.probe.Probe`.
    """

    epochs: int
    batch_size: int
    interval: int
    probe: dict[str, Any] = field(default_factory=dict)


def train(
    fleet: Fleet,
    streams: Sequence[Sequence[Task]],
    course: Course,
    schedule: Callable[[Optimizer], LRScheduler],
    remedy: Remedy | None,
    rngs: Sequence[np.random.Generator],
    observe: Observer | None = None,
) -> tuple[Tensor, list[LRScheduler]]:
    """Train every member on its stream.

    Parameters
    ----------
    fleet
        The networks; changed in place.
    streams
        One stream per member, all of one length and with equally many samples.
    course
        Sizes.
    schedule
        Makes the scheduler of a member. One that has ``new_task`` is told of each task and given
        the probe's statistics every ``interval`` updates, before the update.
        ``ReduceLROnPlateau`` is given the epoch's mean loss; any other advances every update.
    remedy
        Applied to every member before each task but the first, if any.
    rngs
        One per member: the order of samples, and what the remedy draws.
    observe
        Called as each task ended with its number from 0, each member's number, and the member's
        parameters before the task's last update.

    Returns
    -------
    Scores of shape ``(members, tasks)``, and the schedulers. A score is the mean over all of a
    task's minibatches, before each update, of the accuracy; for real-valued targets, of the loss.
    """
    members = range(len(streams))
    schedulers = [schedule(optimizer) for optimizer in fleet.optimizers]
    probes = [fleet.probe(member, **course.probe) for member in members]
    scores = []
    for number, tasks in enumerate(zip(*streams, strict=True)):
        if remedy is not None and number > 0:
            for member in members:
                sample = tasks[member].inputs[:REMEDY_SAMPLES]
                remedy(fleet.models[member], fleet.optimizers[member], rngs[member], sample)
        scores.append(_train_task(fleet, tasks, course, schedulers, probes, rngs))
        if observe is not None:
            for member in members:
                observe(number, member, {n: w[member] for n, w in fleet.previous.items()})
    return torch.stack(scores, 1), schedulers


def _train_task(
    fleet: Fleet,
    tasks: Sequence[Task],
    course: Course,
    schedulers: Sequence[LRScheduler],
    probes: Sequence[Any],
    rngs: Sequence[np.random.Generator],
) -> Tensor:
    samples = len(tasks[0].inputs)
    batches = -(-samples // course.batch_size)
    for scheduler in schedulers:
        if hasattr(scheduler, "new_task"):
            scheduler.new_task(updates=course.epochs * batches)
    scores, update = [], 0
    for _ in range(course.epochs):
        orders = torch.stack([torch.from_numpy(rng.permutation(samples)) for rng in rngs])
        orders = orders.to(tasks[0].inputs.device)
        losses = []
        for chosen in orders.split(course.batch_size, dim=1):
            inputs, targets = _gather(tasks, chosen)
            due = update % course.interval == 0
            for scheduler, probe, x, y in zip(schedulers, probes, inputs, targets, strict=True):
                if isinstance(scheduler, NoiseCurvatureLR):
                    scheduler.step(probe.measure(x, y) if due else None)
            outputs, loss = fleet.gradients(inputs, targets)
            fleet.update(remember=update == course.epochs * batches - 1)
            for scheduler in schedulers:
                if not isinstance(scheduler, NoiseCurvatureLR | ReduceLROnPlateau):
                    scheduler.step()
            losses.append(loss)
            scores.append(_score(outputs, targets, loss))
            update += 1
        for member, scheduler in enumerate(schedulers):
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(float(torch.stack(losses)[:, member].mean()))
    return torch.stack(scores).mean(0)


def _gather(tasks: Sequence[Task], chosen: Tensor) -> tuple[Tensor, Tensor]:
    # On a CPU selecting rows takes a quarter of the time of indexing by them.
    pairs = list(zip(tasks, chosen, strict=True))
    inputs = torch.stack([task.inputs.index_select(0, rows) for task, rows in pairs])
    return inputs, torch.stack([task.targets.index_select(0, rows) for task, rows in pairs])


def _score(outputs: Tensor, targets: Tensor, losses: Tensor) -> Tensor:
    if targets.is_floating_point():
        return losses
    return (outputs.argmax(-1) == targets).float().mean(-1)
