"""The adaptive sampler ASr: diversity, entropy and difficulty of tasks, weighed by a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from schedlab.metalearning.schedulers.ats import PolicyGradient
from schedlab.metalearning.schedulers.interface import State

SIGMA = 0.1  # σ and ε of the authors' code


class ASr(PolicyGradient):
    """Probabilities from three measures of a task's support set, learned from rewards.

    Wang et al., *Towards task sampler learning for meta-learning* (IJCV 2024). The measures are the
    formulas of the public code; its sampler itself is not in there, so that a network with one
    hidden layer on the standardised measures, taught by the same rewards as ATS, is our
    reconstruction.

    Parameters
    ----------
    tensors, seed
        As for every scheduler.
    preset, overrides
        As for ATS.
    hidden
        Units of the network.
    """

    needs = frozenset({"support_features", "support_gradients"})

    def __init__(
        self, tensors: int, seed: int, preset: str = "fast", hidden: int = 16, **overrides: Any
    ) -> None:
        with torch.random.fork_rng(devices=[]):  # modules draw from the global generator
            torch.manual_seed(seed)
            network = nn.Sequential(nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        super().__init__(tensors, seed, network, preset, "categorical", False, overrides)

    def logits(self, state: State) -> Tensor:
        """Return z of the candidates' measures."""
        measures = standardised(
            torch.stack(
                [
                    diversity(state.field("support_features")),
                    entropy(state.field("support_features"), state.support_labels),
                    state.field("support_gradients").square().sum(1),  # difficulty
                ],
                1,
            )
        )
        return self.network(measures).squeeze(1)


def standardised(measures: Tensor) -> Tensor:
    """Return every column of a pool with mean 0 and standard deviation 1."""
    centred = measures - measures.mean(0)
    return centred / centred.square().mean(0).sqrt().clamp_min(1e-8)


def diversity(features: Tensor) -> Tensor:
    """Return k/2 log det(I + Z Zᵀ/(k σ²)) per task, the rate that codes its k features.

    Parameters
    ----------
    features
        Shape ``(n, k, d)``; every feature is scaled to norm 1.
    """
    k = features.shape[1]
    return 0.5 * k * _log_det(_gram(features) / (k * SIGMA**2))


def entropy(features: Tensor, labels: Tensor | None) -> Tensor:
    """Return Σ_j k_j/(2k) log det(I + Z C_j Zᵀ/(k_j ε²)) per task, the rate within its classes.

    Parameters
    ----------
    features
        Shape ``(n, k, d)``.
    labels
        Class of every feature, shape ``(n, k)``; targets of a regression count as one class.
    """
    gram, k = _gram(features), features.shape[1]
    if labels is None or labels.is_floating_point():
        return 0.5 * _log_det(gram / (k * SIGMA**2))
    members = nn.functional.one_hot(labels).movedim(-1, 1).to(gram.dtype)  # (n, classes, k)
    sizes = members.sum(-1)
    inside = gram[:, None] * members[..., None] * members[..., None, :]
    rates = _log_det(inside / (sizes.clamp_min(1)[..., None, None] * SIGMA**2))
    return (sizes / (2 * k) * rates).sum(1)


def _gram(features: Tensor) -> Tensor:
    unit = nn.functional.normalize(features, dim=-1)
    return unit @ unit.mT


def _log_det(matrices: Tensor) -> Tensor:
    """Return log det(I + M) of positive semi-definite matrices."""
    return torch.linalg.slogdet(matrices + torch.eye(matrices.shape[-1])).logabsdet
