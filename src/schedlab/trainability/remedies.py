"""What is done to a network between tasks, or now and then, so that it stays trainable.

A remedy is called with a network, its optimizer and a random stream, and changes them in place.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from schedlab.trainability.networks import kaiming

Remedy = Callable[[nn.Sequential, Optimizer, np.random.Generator, Tensor], None]


def reset(
    model: nn.Sequential, optimizer: Optimizer, rng: np.random.Generator, inputs: Tensor
) -> None:
    """Draw the network anew and forget the optimizer's state: the paper's *reset at task*."""
    for layer in _linear(model):
        kaiming(layer.weight, rng)
        nn.init.zeros_(layer.bias)
    optimizer.state.clear()


def shrink_and_perturb(
    model: nn.Sequential,
    optimizer: Optimizer,
    rng: np.random.Generator,
    inputs: Tensor,
    *,
    shrink: float = 0.5,
    perturb: float = 0.1,
) -> None:
    """Scale the weights down and add a fresh initialisation, scaled too.

    *On Warm-Starting Neural Network Training* (Ash and Adams, NeurIPS 2020).

    Parameters
    ----------
    model, optimizer, rng, inputs
        As every remedy's.
    shrink
        What the weights are multiplied with.
    perturb
        What the fresh weights are multiplied with.
    """
    for layer in _linear(model):
        fresh = torch.empty_like(layer.weight)
        kaiming(fresh, rng)
        with torch.no_grad():
            layer.weight.mul_(shrink).add_(fresh, alpha=perturb)
            layer.bias.mul_(shrink)


def redo(
    model: nn.Sequential,
    optimizer: Optimizer,
    rng: np.random.Generator,
    inputs: Tensor,
    *,
    dormant: float = 0.1,
) -> None:
    """Recycle dormant units: fresh incoming weights, outgoing weights zero, no momentum.

    *The Dormant Neuron Phenomenon in Deep Reinforcement Learning* (Sokar et al., ICML 2023). A
    unit is dormant where its mean activation is at most a share of its layer's mean.

    Parameters
    ----------
    model, optimizer, rng
        As every remedy's.
    inputs
        Samples to measure activations on, shape ``(n, features)``.
    dormant
        τ, the share.
    """
    layers = _linear(model)
    for layer, following, activity in zip(
        layers, layers[1:], hidden_activity(model, inputs), strict=False
    ):
        units = activity <= dormant * activity.mean()
        # Concatenated rectifiers give two halves, which share a unit's incoming weights.
        both = units.view(-1, layer.out_features).all(0)
        fresh = torch.empty_like(layer.weight)
        kaiming(fresh, rng)
        with torch.no_grad():
            layer.weight[both] = fresh[both]
            layer.bias[both] = 0
            following.weight[:, both.repeat(len(units) // layer.out_features)] = 0
        _forget(optimizer, layer, both)


def hidden_activity(model: nn.Sequential, inputs: Tensor) -> list[Tensor]:
    """Return the mean absolute activation of every hidden unit, layer by layer."""
    found = []
    with torch.no_grad():
        for module in model:
            inputs = module(inputs)
            if not isinstance(module, nn.Linear):
                found.append(inputs.abs().mean(0))
    return found


def _linear(model: nn.Sequential) -> list[nn.Linear]:
    return [module for module in model if isinstance(module, nn.Linear)]


def _forget(optimizer: Optimizer, layer: nn.Linear, units: Tensor) -> None:
    for parameter in (layer.weight, layer.bias):
        for key, moment in optimizer.state.get(parameter, {}).items():
            if key != "step" and isinstance(moment, Tensor):
                moment[units] = 0


REMEDIES: dict[str, Callable[..., None]] = {
    "reset": reset,
    "shrink_and_perturb": shrink_and_perturb,
    "redo": redo,
}
"""Remedies by the name that ``params.yaml`` uses."""
