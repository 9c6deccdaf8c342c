"""Single-cause indicators of loss of trainability, which the paper finds wanting (section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from schedlab.trainability import per_sample
from schedlab.trainability.lanczos import hessian_product, top_eigenvalue

FISHER_SAMPLES = 100
RANK_SHARE = 0.99
NAMES = {
    "hessian_rank": "Hessian rank (share of samples)",
    "sharpness": "sharpness of the whole Hessian",
    "weight_norm": "mean |weight|",
    "update_norm": "mean |update|",
    "update_ratio": "update / weight",
    "sign_entropy": "unit-sign entropy (nats)",
}
"""Indicators by name, with words for an axis."""


def indicators(
    model: nn.Sequential, inputs: Tensor, targets: Tensor, before: dict[str, Tensor]
) -> dict[str, float]:
    """Return the six indicators on one minibatch of a classifier.

    Parameters
    ----------
    model
        A perceptron.
    inputs, targets
        A minibatch.
    before
        The parameters before the last update, by name.
    """
    weights = dict(model.named_parameters())
    flat = torch.cat([p.detach().flatten() for p in weights.values()])
    moved = flat - torch.cat([before[name].flatten() for name in weights])
    weight_norm, update_norm = float(flat.abs().mean()), float(moved.abs().mean())
    return {
        "hessian_rank": hessian_rank(model, inputs[:FISHER_SAMPLES], targets[:FISHER_SAMPLES]),
        "sharpness": sharpness(model, inputs, targets),
        "weight_norm": weight_norm,
        "update_norm": update_norm,
        "update_ratio": update_norm / (weight_norm + 1e-12),
        "sign_entropy": sign_entropy(model, inputs),
    }


def hessian_rank(model: nn.Sequential, inputs: Tensor, targets: Tensor) -> float:
    """Return the share of samples whose gradients span 99 % of the singular values.

    A surrogate through the empirical Fisher: the singular values of the Gram matrix of
    single-sample gradients, as in the authors' code. Every layer of the perceptron has a bias.
    """
    with per_sample.recorded(model) as calls:
        loss = F.cross_entropy(model(inputs), targets, reduction="sum")
    deltas = torch.autograd.grad(loss, [call.returned for call in calls])
    # A layer's gradients are δᵢ aᵢᵀ and, of its bias, δᵢ: their products need no gradient.
    parts = [
        (delta @ delta.T) * (call.given @ call.given.T + 1)
        for call, delta in zip(calls, deltas, strict=True)
    ]
    return rank_of(torch.linalg.svdvals(torch.stack(parts).sum(0))) / len(inputs)


def rank_of(singular_values: Tensor) -> int:
    """Return how many of the largest singular values make up 99 % of their sum."""
    share = singular_values.cumsum(0) / singular_values.sum()
    return int((share < RANK_SHARE).sum()) + 1


def sharpness(model: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """Return the largest eigenvalue of the whole Hessian of the minibatch loss."""
    weights = list(model.parameters())
    loss = F.cross_entropy(model(inputs), targets)
    gradients = torch.autograd.grad(loss, weights, create_graph=True)
    product = hessian_product(gradients, weights)
    start = torch.cat([g.detach().flatten() for g in gradients])
    return float(top_eigenvalue(product, start, iterations=20, tolerance=1e-2)[0])


def sign_entropy(model: nn.Sequential, inputs: Tensor) -> float:
    """Return the mean entropy of the signs of hidden pre-activations over a batch, at most ln 2."""
    layers = [module for module in model if isinstance(module, nn.Linear)]
    entropies = []
    with torch.no_grad():
        for module in model:
            inputs = module(inputs)
            if isinstance(module, nn.Linear) and module is not layers[-1]:
                share = (inputs > 0).float().mean(0)
                entropies.append(torch.special.entr(share) + torch.special.entr(1 - share))
    return float(torch.stack([entropy.mean() for entropy in entropies]).mean())


def effective_rank(logits: Tensor) -> int:
    """Return the rank of a batch of logits at 99 % of the sum of singular values."""
    return rank_of(torch.linalg.svdvals(logits))
