"""REINFORCE for draws from a pool: log-probabilities of a selection, and advantages of rewards."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from schedlab.metalearning.schedulers.interface import BASELINES, Selection

DECAY = 0.95  # of the moving averages that the paired baseline and the scale use


def categorical(logits: Tensor, selection: Selection) -> Tensor:
    """Return Σ log w_i of the selected candidates, as the authors' code scores them.

    It treats draws without replacement as independent, which is exact for a single one only.
    """
    return logits.log_softmax(0)[selection.indices][selection.coefficients > 0].sum()


def plackett_luce(logits: Tensor, selection: Selection) -> Tensor:
    """Return the log-probability of ordered draws without replacement.

    Σ_j [z_{i_j} − log Σ_{l not yet drawn} exp z_l], the law of sequential renormalised draws.
    """
    drawn = selection.indices[selection.coefficients > 0]
    taken = torch.nn.functional.one_hot(drawn, len(logits))
    before = taken.cumsum(0) - taken
    left = logits.expand(len(drawn), -1).masked_fill(before > 0, -torch.inf).logsumexp(1)
    return (logits[drawn] - left).sum()


LOG_PROBABILITIES: dict[str, Callable[[Tensor, Selection], Tensor]] = {
    "categorical": categorical,
    "plackett_luce": plackett_luce,
}


class Advantage:
    """How much better a reward is than expected.

    Parameters
    ----------
    baseline
        ``running_mean``: b is the mean of all rewards before, at first 0, as in the authors' code.
        ``paired``: the reward's difference from the reference on the same tasks, minus a moving
        average of that difference. ``none``: the reward as it is.
    normalise
        Whether to divide by a moving root mean square of the advantages.

    Raises
    ------
    ValueError
        If the baseline is unknown.
    """

    def __init__(self, baseline: str, normalise: bool) -> None:
        if baseline not in BASELINES:
            raise ValueError(f"baseline: expected one of {', '.join(BASELINES)}, got {baseline!r}")
        self.baseline, self.normalise = baseline, normalise
        self.count, self.mean, self.square = 0, 0.0, 0.0

    def __call__(self, reward: float, reference: float | None = None) -> float:
        """Return the advantage of a reward and remember the reward."""
        if self.baseline == "paired":
            if reference is None:
                raise ValueError("the paired baseline needs the reference reward")
            reward = reward - reference
        advantage = reward - self._expected(reward)
        self.count += 1
        self._remember(reward)
        return self._scaled(advantage) if self.normalise else advantage

    def _expected(self, reward: float) -> float:
        if self.baseline == "none":
            return 0.0
        if self.baseline == "running_mean":
            return self.mean
        return self.mean / (1 - DECAY**self.count) if self.count else reward

    def _remember(self, reward: float) -> None:
        rate = 1 / self.count if self.baseline == "running_mean" else 1 - DECAY
        self.mean += rate * (reward - self.mean)

    def _scaled(self, advantage: float) -> float:
        self.square += (1 - DECAY) * (advantage**2 - self.square)
        scale = math.sqrt(self.square / (1 - DECAY**self.count))
        return advantage / scale if scale > 0 else 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the averages."""
        return {"count": self.count, "mean": self.mean, "square": self.square}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` returned."""
        self.count, self.mean, self.square = state["count"], state["mean"], state["square"]
