"""Many small perceptrons side by side, one per member, as batched matrix products."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

ACTIVATIONS = {"tanh": torch.tanh, "gelu": nn.functional.gelu}


class Perceptrons(nn.Module):
    """One multi-layer perceptron per member, with equal shapes and their own weights.

    Parameters
    ----------
    widths
        Inputs, hidden units of each layer, outputs.
    generators
        One a member; each draws the orthogonal weights of its own member.
    last_gain
        Scale of the last layer; small for networks that should start near zero.
    activation
        ``tanh`` or ``gelu``, after every layer but the last.
    """

    def __init__(
        self,
        widths: Sequence[int],
        generators: Sequence[torch.Generator],
        *,
        last_gain: float = 1.0,
        activation: str = "tanh",
    ) -> None:
        super().__init__()
        gains = [math.sqrt(2.0)] * (len(widths) - 2) + [last_gain]
        self.weights = nn.ParameterList(
            torch.stack([_orthogonal(n, m, gain, g) for g in generators])
            for (n, m), gain in zip(pairwise(widths), gains, strict=True)
        )
        self.biases = nn.ParameterList(torch.zeros(len(generators), 1, m) for m in widths[1:])
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs ``(members, batch, m)`` for inputs ``(members, batch, n)``."""
        *hidden, last = zip(self.biases, self.weights, strict=True)
        for bias, weight in hidden:
            x = self.activation(torch.baddbmm(bias, x, weight))
        return torch.baddbmm(last[0], x, last[1])


def _orthogonal(rows: int, columns: int, gain: float, generator: torch.Generator) -> Tensor:
    return nn.init.orthogonal_(torch.empty(rows, columns), gain, generator)


def clip_gradients(parameters: Sequence[Tensor], limit: float) -> None:
    """Scale each member's gradients so that their norm is at most ``limit``.

    Call it before the optimiser's step; after it, it does nothing.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    squares = torch.stack([g.square().flatten(1).sum(1) for g in gradients]).sum(0)
    factor = (limit / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, *[1] * (gradient.dim() - 1)))


def anneal(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameter groups."""
    for group in optimiser.param_groups:
        group["lr"] = rate
