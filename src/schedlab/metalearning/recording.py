"""What happened in meta-training, step by step, as tidy tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

PHASES = ("warm_up", "training")


@dataclass
class Log:
    """Arrays of a run with an axis of seeds, in the order of steps; tables on demand.

    Attributes
    ----------
    seeds
        Numbers of the seeds.
    steps
        One mapping per step, of plain values and tensors ``(seeds, n)`` or ``(seeds,)``.
    scores
        One mapping per evaluation.
    """

    seeds: list[int]
    steps: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)

    def step_table(self) -> pd.DataFrame:
        """Return one row per seed, step and candidate.

        Returns
        -------
        Columns ``seed``, ``phase``, ``step`` from 0 in each phase, ``candidate``, ``noisy``,
        ``group`` (−1 without), ``loss`` (post-adaptation query loss), ``similarity`` (mean over
        parameter tensors), ``weight`` (the probability last given), ``selected`` (times it was
        taken), ``reward`` (of the step). What a scheduler does not ask for is missing.
        """
        return _long(self.seeds, self.steps, "candidate")

    def score_table(self) -> pd.DataFrame:
        """Return one row per seed, evaluation and test task: ``seed, step, task, score, loss``."""
        return _long(self.seeds, self.scores, "task")

    def cost_table(self) -> pd.DataFrame:
        """Return one row per seed and step: ``seed, phase, step, passes``.

        ``passes`` counts forward passes over a task so far, a backward pass as two.
        """
        table = pd.DataFrame(
            [{k: step[k] for k in ("phase", "step", "passes")} for step in self.steps],
            columns=["phase", "step", "passes"],
        )
        table["passes"] = table["passes"].cumsum()
        seeds = pd.DataFrame({"seed": self.seeds})
        return seeds.merge(table, how="cross")


def _long(seeds: list[int], events: list[dict[str, Any]], axis: str) -> pd.DataFrame:
    """Lay the events' arrays out in rows, seed by seed."""
    parts = [_rows(seeds, event, axis) for event in events]
    if not parts:
        return pd.DataFrame({"seed": []})
    table = pd.concat(parts, ignore_index=True)
    if "phase" in table:
        table["phase"] = pd.Categorical(table["phase"], PHASES)
        table = table.sort_values(["seed", "phase", "step", axis], ignore_index=True)
        return table.astype({"phase": str})
    return table.sort_values(["seed", "step", axis], ignore_index=True)


def _rows(seeds: list[int], event: dict[str, Any], axis: str) -> pd.DataFrame:
    wide = [v for v in event.values() if isinstance(v, Tensor) and v.ndim == 2]
    shape = (len(seeds), wide[0].shape[1])
    columns = {"seed": np.repeat(seeds, shape[1])}
    for name, value in event.items():
        if name != "passes":
            columns[name] = _laid_out(value, shape)
    columns[axis] = np.tile(np.arange(shape[1]), shape[0])
    return pd.DataFrame(columns)


def _laid_out(value: Any, shape: tuple[int, int]) -> Any:
    if not isinstance(value, Tensor):
        return value
    wide = value if value.ndim == 2 else value.unsqueeze(1)
    return torch.broadcast_to(wide, shape).reshape(-1).numpy()
