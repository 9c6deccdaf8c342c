"""What can be checked of the theory of *Meta-learning with an Adaptive Task Scheduler*.

Proposition 1, as summarised by others (its text was not to be had): a schedule lowers the
meta-training loss below that of uniform sampling where its weights correlate negatively with the
query loss and positively with the similarity of support and query gradients. It rests on an
identity and on an expansion to first order in the inner step size, both below.
"""

from __future__ import annotations

from torch import Tensor


def covariance(x: Tensor, y: Tensor) -> Tensor:
    """Return the population covariance over the last axis."""
    return ((x - x.mean(-1, keepdim=True)) * (y - y.mean(-1, keepdim=True))).mean(-1)


def scheduled_loss(weights: Tensor, losses: Tensor) -> Tensor:
    """Return Σ w_i L_i = mean L + n Cov(w, L), for weights that sum to 1.

    Parameters
    ----------
    weights, losses
        Shape ``(..., n)``.
    """
    return losses.mean(-1) + losses.shape[-1] * covariance(weights, losses)


def expanded_losses(losses: Tensor, inner_products: Tensor, inner_lr: float) -> Tensor:
    """Return L(D_q; θ_0) − α ⟨∇L(D_s; θ_0), ∇L(D_q; θ_0)⟩, post-adaptation losses but for O(α²).

    Parameters
    ----------
    losses
        Query losses before adaptation, shape ``(..., n)``.
    inner_products
        Of support and query gradient of the adapted parameters, shape ``(..., n)``.
    inner_lr
        α of a single inner step.
    """
    return losses - inner_lr * inner_products


def expected_gain(
    weights: Tensor, losses: Tensor, inner_products: Tensor, inner_lr: float
) -> Tensor:
    """Return uniform minus scheduled meta-loss to first order: n (α Cov(w, ⟨·,·⟩) − Cov(w, L)).

    Positive where the weights are negatively correlated with the loss and positively with the
    similarity, which is Proposition 1.
    """
    gain = inner_lr * covariance(weights, inner_products) - covariance(weights, losses)
    return losses.shape[-1] * gain
