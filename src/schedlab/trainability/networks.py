"""The paper's networks: multilayer perceptrons with rectified or concatenated rectified units."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn


class CReLU(nn.Module):
    """Concatenated rectifiers, [relu(z), relu(−z)]: twice as many outputs as inputs."""

    def forward(self, z: Tensor) -> Tensor:
        """Return both halves along the last axis."""
        return torch.cat([z.relu(), (-z).relu()], -1)


ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "crelu": CReLU}


def perceptron(widths: Sequence[int], activation: str, rng: np.random.Generator) -> nn.Sequential:
    """Return a perceptron with layers ``fc1``, ``fc2``, …, initialised as in the paper.

    Parameters
    ----------
    widths
        Inputs, hidden units of each layer, outputs; the paper's are 784, 256, 256, 10.
    activation
        A name of :data:`ACTIVATIONS`.
    rng
        Draws the weights: Kaiming-uniform in every layer, the last included; biases are zero.
    """
    fan_out = 2 if activation == "crelu" else 1
    model = nn.Sequential()
    for number, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        layer = nn.Linear(inputs * (fan_out if number > 1 else 1), outputs)
        kaiming(layer.weight, rng)
        nn.init.zeros_(layer.bias)
        model.add_module(f"fc{number}", layer)
        if number < len(widths) - 1:
            model.add_module(f"act{number}", ACTIVATIONS[activation]())
    return model


def kaiming(weight: Tensor, rng: np.random.Generator) -> None:
    """Fill a weight of shape ``(out, in)`` uniformly within ±√(6 / in)."""
    bound = (6 / weight.shape[1]) ** 0.5
    drawn = rng.uniform(-bound, bound, tuple(weight.shape))
    with torch.no_grad():
        weight.copy_(torch.from_numpy(drawn))
