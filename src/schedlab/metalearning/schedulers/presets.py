"""Two recipes for teaching a scheduler by rewards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schedlab.metalearning.schedulers.interface import Bilevel

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "validation_tasks": 2,
        "temporary_lr": None,
        "reward": "score",
        "baseline": "running_mean",
        "warm_up": 2000,
        "cached": False,
        "learning_rate": 1e-3,
        "normalise": False,
        "min_temperature": 0.1,
        "decay": 0.99,
        "norms": True,
    },
    "fast": {
        "validation_tasks": None,
        "temporary_lr": 0.1,
        "reward": "loss",
        "baseline": "paired",
        "warm_up": 250,
        "cached": True,
        "learning_rate": 3e-3,
        "normalise": True,
        "min_temperature": 0.1,
        "decay": 0.99,
        "norms": False,
    },
}
"""``paper``: as the authors' code for miniImageNet with noise. ``fast``: rewards of less variance.

At the paper's step sizes one temporary step changes the validation loss by thousandths, while the
mean reward of a few random validation tasks fluctuates by tenths, so that a scheduler needs many
thousands of steps. ``fast`` takes all validation tasks, compares with the model before the step on
the same tasks, steps further, scales advantages, and warms up on factors computed once.
"""

OWN = ("learning_rate", "normalise", "min_temperature", "decay", "norms")
OTHERS = ("cached_tasks", "similarity", "scope")


def recipe(preset: str, overrides: Mapping[str, Any]) -> tuple[Bilevel, dict[str, Any]]:
    """Return a preset with changes: what the loop must know, and the scheduler's own part.

    Raises
    ------
    ValueError
        If the preset or a name is unknown.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    allowed = (*PRESETS[preset], *OTHERS)
    if unknown := sorted(set(overrides) - set(allowed)):
        raise ValueError(f"unknown option {unknown[0]!r}; a preset has {', '.join(allowed)}")
    options = {**PRESETS[preset], **overrides}
    own = {name: options.pop(name) for name in OWN}
    return Bilevel(**options), own
