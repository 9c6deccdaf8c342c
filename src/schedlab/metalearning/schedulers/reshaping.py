"""Uniform sampling with another loss: hard examples or hard tasks count more in the meta-update."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from schedlab.metalearning.schedulers.heuristics import Uniform


class Focal(Uniform):
    """Focal loss −(1 − p)^γ log p of every query, averaged.

    Lin et al., *Focal loss for dense object detection* (ICCV 2017), as used for meta-learning
    baselines with γ = 2. With ℓ = −log p it is (1 − e^{−ℓ})^γ ℓ; for regression we put the squared
    error in the place of ℓ, which is our extension.

    Parameters
    ----------
    tensors, seed
        As for every scheduler.
    gamma
        γ ≥ 0; 0 is the plain loss.
    """

    def __init__(self, tensors: int = 1, seed: int = 0, gamma: float = 2.0) -> None:
        super().__init__(tensors, seed)
        self.gamma = _not_negative("gamma", gamma)

    def query_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of every task.

        Parameters
        ----------
        outputs, targets
            Of all queries, shapes ``(..., n, k, outputs)`` and ``(..., n, k)``, or for regression
            twice ``(..., n, k, 1)``.

        Returns
        -------
        Shape ``(..., n)``.
        """
        losses = example_losses(outputs, targets)
        return (-torch.expm1(-losses.clamp_min(1e-12))).pow(self.gamma).mul(losses).mean(-1)


class DAML(Uniform):
    """Task losses weighed by a power of themselves: difficulty-aware meta-learning.

    Li, Yu, Jin, Zhang and Heng, *Difficulty-aware meta-learning for rare disease diagnosis*
    (MICCAI 2020), rescale a task's loss so that easy tasks count less. Their formula was not to be
    had; this reconstruction takes L_i · (L_i / mean L)^η with the factor held constant.

    Parameters
    ----------
    tensors, seed
        As for every scheduler.
    eta
        η ≥ 0; 0 is the plain loss.
    """

    def __init__(self, tensors: int = 1, seed: int = 0, eta: float = 1.0) -> None:
        super().__init__(tensors, seed)
        self.eta = _not_negative("eta", eta)

    def query_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of every task, as in :meth:`Focal.query_loss`."""
        losses = example_losses(outputs, targets).mean(-1)
        known = losses.detach()
        return losses * (known / known.mean(-1, keepdim=True).clamp_min(1e-12)) ** self.eta


def example_losses(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return cross-entropy or squared error of every query, shape ``(..., n, k)``."""
    if targets.is_floating_point():
        return (outputs - targets).square().mean(-1)
    flat = functional.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none")
    return flat.view(targets.shape)


def _not_negative(name: str, value: float) -> float:
    if not value >= 0:
        raise ValueError(f"{name}: expected a number from 0 on, got {value}")
    return value
