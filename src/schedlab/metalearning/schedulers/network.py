"""The neural scheduler g of *Meta-learning with an Adaptive Task Scheduler* (Yao et al., 2021)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

HIDDEN = 10  # units of each direction of an LSTM
STAGES = 100  # entries of the progress embedding
EMBEDDING = 5
CONTEXTS = ("tasks", "features")


class SchedulerNetwork(nn.Module):
    """A logit for every candidate task, from a few factors of each and the share of training done.

    Progress is embedded; each factor passes through a bidirectional LSTM over a sequence of length
    one, as in the authors' code, which makes it a gated layer; the concatenation x and a mapping h
    of its context go through two layers, z = fc2(tanh(fc1([x, h(x_C)]))).

    Parameters
    ----------
    widths
        Numbers per task of each factor, in the order of concatenation. The authors' classifier has
        ``{"norms": 10, "cosines": 10, "losses": 1}`` (8,131 parameters), their regressor
        ``{"cosines": 6, "losses": 1}`` (5,251).
    seed
        Source of the initial weights.
    context
        ``tasks``: x_C is the mean of x over the other tasks, as deep sets intend. ``features``: the
        sum runs over a task's own features, as in the authors' code, so that no task's logit
        depends on another task.

    Raises
    ------
    ValueError
        If there is no factor or the context is unknown.
    """

    def __init__(self, widths: Mapping[str, int], seed: int, context: str = "tasks") -> None:
        super().__init__()
        if not widths:
            raise ValueError("a scheduler network needs at least one factor")
        if context not in CONTEXTS:
            raise ValueError(f"context: expected one of {', '.join(CONTEXTS)}, got {context!r}")
        self.context = context
        x = EMBEDDING + 2 * HIDDEN * len(widths)
        with torch.random.fork_rng(devices=[]):  # modules draw from the global generator
            torch.manual_seed(seed)
            self.progress = nn.Embedding(STAGES, EMBEDDING)
            self.lstms = nn.ModuleDict(
                {name: nn.LSTM(width, HIDDEN, bidirectional=True) for name, width in widths.items()}
            )
            self.h = nn.Sequential(nn.Linear(x, 20), nn.Tanh(), nn.Linear(20, 10))
            self.fc1 = nn.Linear(x + 10, 20)
            self.fc2 = nn.Linear(20, 1)

    def forward(self, factors: Mapping[str, Tensor], progress: float) -> Tensor:
        """Return logits, shape ``(n,)``.

        Parameters
        ----------
        factors
            Tensors ``(n, width)`` by name.
        progress
            Share of meta-training done, in [0, 1].
        """
        x = self._concatenation(factors, progress)
        axis = 0 if self.context == "tasks" else 1
        context = (x.sum(axis, keepdim=True) - x) / max(len(x) - 1, 1)
        z = self.fc1(torch.cat([x, self.h(context)], 1)).tanh()
        return self.fc2(z).squeeze(1)

    def _concatenation(self, factors: Mapping[str, Tensor], progress: float) -> Tensor:
        outputs = [gated(lstm, factors[name]) for name, lstm in self.lstms.items()]
        stage = self.progress.weight[min(int(progress * STAGES), STAGES - 1)]
        return torch.cat([stage.expand(len(outputs[0]), -1), *outputs], 1)


def gated(lstm: nn.LSTM, inputs: Tensor) -> Tensor:
    """Return what a bidirectional LSTM makes of sequences of one step, ``(n, 2 HIDDEN)``.

    From a zero state h = σ(o) tanh(σ(i) tanh(g)) with gates W x + b: the recurrent and forget
    weights meet zeros. The module's own call takes ten times as long on so few numbers.

    Parameters
    ----------
    lstm
        One layer.
    inputs
        Shape ``(n, width)``.
    """
    weight = torch.cat([lstm.weight_ih_l0, lstm.weight_ih_l0_reverse])
    bias = torch.cat(
        [lstm.bias_ih_l0 + lstm.bias_hh_l0, lstm.bias_ih_l0_reverse + lstm.bias_hh_l0_reverse]
    )
    gates = nn.functional.linear(inputs, weight, bias).view(len(inputs), 2, 4 * HIDDEN)
    enter, _, cell, leave = gates.chunk(4, -1)
    return (leave.sigmoid() * (enter.sigmoid() * cell.tanh()).tanh()).flatten(1)
