"""One arm of a comparison: a method, a scheduler and a remedy, on a stream, for a few seeds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from schedlab.lab.resolve import SchedulerEntry, resolve
from schedlab.lab.seeds import generator
from schedlab.trainability.fleet import Fleet
from schedlab.trainability.networks import perceptron
from schedlab.trainability.penalties import PENALTIES
from schedlab.trainability.remedies import REMEDIES
from schedlab.trainability.schedulers import SCHEDULERS, NoiseCurvatureLR
from schedlab.trainability.streams import Task
from schedlab.trainability.training import Course, train

Entry = dict[str, Any]
CONSTANT: Entry = {"use": "constant", "label": "Constant", "options": {"factor": 1.0}}
UNTREATED: dict[str, Entry | None] = {"scheduler": CONSTANT, "remedy": None, "regulariser": None}


def chunks(seeds: Sequence[int], size: int) -> list[list[int]]:
    """Return the seeds in pieces that are trained as one stack."""
    return [list(seeds[i : i + size]) for i in range(0, len(seeds), size)]


def arms_of(
    schedulers: Sequence[SchedulerEntry],
    remedies: Sequence[SchedulerEntry],
    regularisers: Sequence[SchedulerEntry] = (),
) -> list[dict[str, Any]]:
    """Return a grid point for each arm: ``arm``, its label, and what it is treated with."""
    treatments = (
        *[(entry.label, {"scheduler": entry.model_dump()}) for entry in schedulers],
        *[(entry.label, {"remedy": entry.model_dump()}) for entry in remedies],
        *[(entry.label, {"regulariser": entry.model_dump()}) for entry in regularisers],
    )
    return [{"arm": label, **UNTREATED, **treatment} for label, treatment in treatments]


def device_of(setting: dict[str, Any]) -> torch.device:
    """Return where a setting's networks are trained."""
    gpu = setting["device"] == "auto" and torch.cuda.is_available()
    return torch.device("cuda" if gpu else "cpu")


def fleet_of(
    setting: dict[str, Any], members: Sequence[int], regulariser: Entry | None = None
) -> Fleet:
    """Return one network for each seed, equal for equal seeds whatever the arm."""
    models = [
        perceptron(setting["widths"], setting["activation"], generator(seed, "weights")).to(
            device_of(setting)
        )
        for seed in members
    ]
    decay = 0.0 if regulariser else setting["weight_decay"]
    optimizer = partial(Adam, weight_decay=decay, fused=True)
    loss = F.cross_entropy if setting["widths"][-1] > 1 else _squared_error
    fleet = Fleet(models, optimizer, partial(loss, reduction="none"), lr=setting["lr"])
    if regulariser:
        fleet.penalise(resolve(regulariser, PENALTIES, given=1).make)
    elif setting["penalty"]:
        make = PENALTIES[setting["penalty"]]
        fleet.penalise(partial(make, strength=setting["penalty_strength"]))
    return fleet


def run_arm(
    setting: dict[str, Any],
    streams: Sequence[Sequence[Task]],
    members: Sequence[int],
    scheduler: Entry = CONSTANT,
    remedy: Entry | None = None,
    regulariser: Entry | None = None,
    steps: dict[int, dict[str, float]] | None = None,
) -> pd.DataFrame:
    """Train a few seeds of one arm.

    Parameters
    ----------
    setting
        Values of :class:`~schedlab.trainability.parameters.RandomLabelParameters`.
    streams
        One per seed.
    members
        The seeds.
    scheduler, remedy, regulariser
        Entries of ``params.yaml``. A regulariser takes the place of the setting's own penalty and
        weight decay.
    steps
        Learning rates by seed and layer to use instead of ``lr``.

    Returns
    -------
    Columns ``seed``, ``task`` from 1, ``score``, and one row per decision and layer with the
    columns of :attr:`NoiseCurvatureLR.history`; a scheduler without decisions has one row per task
    and layer, with ``lr`` as the task ended.
    """
    fleet = fleet_of(setting, members, regulariser)
    for seed, optimizer in zip(members, fleet.optimizers, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = (steps or {}).get(seed, {}).get(group["name"], group["lr"])
    probe = {"iterations": setting["iterations"], "tolerance": setting["tolerance"]}
    course = Course(setting["epochs"], setting["batch_size"], setting["interval"], probe)
    choice = resolve(scheduler, SCHEDULERS, given=1)
    treatment = None if remedy is None else resolve(remedy, REMEDIES, given=4)
    rngs = [generator(seed, "order") for seed in members]
    scores, schedulers = train(
        fleet, streams, course, choice.make, treatment and treatment.make, rngs
    )
    parts = [
        _rows(scores[i].tolist(), schedulers[i], fleet.optimizers[i]).assign(seed=seed)
        for i, seed in enumerate(members)
    ]
    return pd.concat(parts, ignore_index=True)


def _squared_error(outputs: torch.Tensor, targets: torch.Tensor, reduction: str) -> torch.Tensor:
    return F.mse_loss(outputs, targets, reduction=reduction).flatten(1).mean(1)


def _rows(scores: list[float], scheduler: LRScheduler, optimizer: Optimizer) -> pd.DataFrame:
    by_task = pd.DataFrame({"task": np.arange(1, len(scores) + 1), "score": scores})
    if isinstance(scheduler, NoiseCurvatureLR):
        return by_task.merge(scheduler.history, on="task")
    layers = [
        {"layer": group["name"], "lr": float(group["lr"])} for group in optimizer.param_groups
    ]
    return by_task.merge(pd.DataFrame(layers), how="cross")
