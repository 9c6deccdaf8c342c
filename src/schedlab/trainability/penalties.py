"""Regularisers against loss of trainability, added to the loss.

A penalty takes the parameters of one network, or of several stacked along a leading axis, and
returns one value for each network; the sums are over a network's own parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]
Penalty = Callable[[Weights], Tensor]


def wasserstein(initial: Weights, *, strength: float = 1e-3) -> Penalty:
    """Return strength · Σ_tensors Σ_k (sort(θ)_k − sort(θ₀)_k)².

    The regulariser of *Learning Continually by Spectral Regularization* (Lewandowski et al.,
    arXiv 2312.00246) that the paper compares with. It lets single weights move as long as their
    distribution stays the initial one.

    Parameters
    ----------
    initial
        θ₀ by name, with a leading axis of networks.
    strength
        The paper's runs use 1e-3.
    """
    ranked = {name: p.detach().flatten(1).sort(-1).values for name, p in initial.items()}

    def penalty(weights: Weights) -> Tensor:
        parts = []
        for name, p in weights.items():
            flat = p.reshape(len(ranked[name]), -1)
            # Who stands where changes only at ties, so the ranks count as constants.
            order = _ascending(flat.detach())
            goal = torch.empty_like(flat).scatter_(-1, order, ranked[name])
            parts.append((flat - goal).square().sum(-1))
        return strength * torch.stack(parts).sum(0)

    return penalty


def _ascending(values: Tensor) -> Tensor:
    """Return the order of each row of a float tensor.

    By the bits of 32-bit floats read as integers, whose order is the same once the negative ones
    are turned round: torch sorts single rows of integers by radix, ten times faster than floats.
    """
    if values.dtype != torch.float32:
        return values.argsort(-1)
    bits = values.contiguous().view(torch.int32)
    keys = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return torch.stack([row.argsort(stable=True) for row in keys])


def l2_init(initial: Weights, *, strength: float = 1e-3) -> Penalty:
    """Return strength · ‖θ − θ₀‖² of *Maintaining Plasticity in Continual Learning via
    Regenerative Regularization* (Kumar et al., CoLLAs 2024).

    Parameters
    ----------
    initial
        θ₀ by name, with a leading axis of networks.
    strength
        Weight of the penalty.
    """  # noqa: D205
    start = {name: p.detach().clone() for name, p in initial.items()}

    def penalty(weights: Weights) -> Tensor:
        parts = [
            (p.reshape(start[name].shape) - start[name]).square().flatten(1).sum(-1)
            for name, p in weights.items()
        ]
        return strength * torch.stack(parts).sum(0)

    return penalty


PENALTIES: dict[str, Callable[..., Penalty]] = {"wasserstein": wasserstein, "l2_init": l2_init}
"""Penalties by the name that ``params.yaml`` uses."""
