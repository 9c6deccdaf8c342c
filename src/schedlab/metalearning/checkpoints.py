"""Checkpoints from which an interrupted run goes on to the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from schedlab.lab.files import write_atomically
from schedlab.metalearning.iteration import MetaTraining


def save(path: Path, training: MetaTraining) -> None:
    """Write all that changes from one iteration to the next, whole or not at all."""
    state = {
        "identity": _identity(training),
        "done": training.done,
        "params": training.params,
        "optimizer": training.optimizer.state_dict(),
        "streams": {n: [g.get_state() for g in own] for n, own in training.streams.items()},
        "schedulers": [scheduler.state_dict() for scheduler in training.schedulers],
        "steps": training.log.steps,
        "scores": training.log.scores,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda temporary: torch.save(state, temporary))


def load(path: Path, training: MetaTraining) -> None:
    """Put a run back to where its checkpoint was written.

    Raises
    ------
    ValueError
        If the checkpoint is of a run with other seeds, sizes or schedulers.
    """
    state = torch.load(path, weights_only=True)
    if state["identity"] != _identity(training):
        raise ValueError(f"{path} is a checkpoint of another run; delete it to start anew")
    training.done = state["done"]
    for name, value in state["params"].items():
        training.params[name].copy_(value)
    training.optimizer.load_state_dict(state["optimizer"])
    for name, own in state["streams"].items():
        for generator, its in zip(training.streams[name], own, strict=True):
            generator.set_state(its)
    for scheduler, its in zip(training.schedulers, state["schedulers"], strict=True):
        scheduler.load_state_dict(its)
    training.log.steps, training.log.scores = state["steps"], state["scores"]


def _identity(training: MetaTraining) -> dict[str, Any]:
    kinds = [type(scheduler).__qualname__ for scheduler in training.schedulers]
    return {
        "seeds": training.seeds,
        "settings": repr(training.settings),
        "schedulers": kinds,
        "parameters": {name: list(value.shape) for name, value in training.params.items()},
    }
