"""The step that an optimiser really takes: its learning rate times its preconditioner."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

Group = Mapping[str, Any]


def effective_step(
    optimizer: Optimizer, group: Group, updates: int, *, elementwise: bool = False
) -> float:
    """Return a layer's effective step, appendix C.1 of the paper.

    For Adam and its variants the mean over the layer's weight tensors of

    ``lr / ((1 − β₁ᵗ) (√(mean(v) / (1 − β₂ᵗ)) + ε))``,

    the root mean square form of the authors' code; with AMSGrad v is the running maximum. For
    SGD with momentum m it is lr (1 − mᵗ)/(1 − m) after t updates. One-dimensional tensors are
    left out where the layer has others, and before the first update the learning rate is returned.

    Parameters
    ----------
    optimizer
        Any; those without a second moment count as SGD.
    group
        One of its parameter groups.
    updates
        How often the group was updated, which SGD does not count itself.
    elementwise
        Average 1/√v over elements, as the paper's text has it. It is never smaller, and a unit
        that never fired makes it explode.
    """
    steps = [
        _adam_step(optimizer.state[p], group, elementwise)
        for p in _weights(group)
        if "exp_avg_sq" in optimizer.state.get(p, {})
    ]
    if steps:
        return sum(steps) / len(steps)
    momentum = group.get("momentum", 0)
    gain = (1 - momentum**updates) / (1 - momentum) if updates and momentum < 1 else 1.0
    return _lr(group) * gain


def normaliser(optimizer: Optimizer, groups: Iterable[Group]) -> float:
    """Return lr / (√(mean of v over all elements) + ε), which normalises sharpness under Adam.

    Learning rate and ε are those of the first group. As in the authors' code v is not corrected
    for its bias. Without a second moment, or before the first update, it is 1.
    """
    groups = list(groups)
    moments = [
        _second_moment(optimizer.state[p], group)
        for group in groups
        for p in group["params"]
        if "exp_avg_sq" in optimizer.state.get(p, {})
    ]
    if not moments:
        return 1.0
    mean = sum(float(v.sum()) for v in moments) / sum(v.numel() for v in moments)
    return _lr(groups[0]) / (math.sqrt(mean) + groups[0]["eps"])


def _adam_step(state: Mapping[str, Any], group: Group, elementwise: bool) -> float:
    updates = float(state["step"])
    beta1, beta2 = group["betas"]
    corrected = _second_moment(state, group) / (1 - beta2**updates)
    if elementwise:
        scale = float((1 / (corrected.sqrt() + group["eps"])).mean())
    else:
        scale = 1 / (math.sqrt(float(corrected.mean())) + group["eps"])
    return _lr(group) * scale / (1 - beta1**updates)


def _second_moment(state: Mapping[str, Any], group: Group) -> Tensor:
    return state["max_exp_avg_sq"] if group.get("amsgrad") else state["exp_avg_sq"]


def _weights(group: Group) -> list[Tensor]:
    return [p for p in group["params"] if p.ndim > 1] or list(group["params"])


def _lr(group: Group) -> float:
    lr = group["lr"]
    return float(lr.item()) if isinstance(lr, torch.Tensor) else lr
