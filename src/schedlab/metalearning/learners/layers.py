"""Layers that serve one set of samples, a stack of tasks' sets, or stacks of several seeds.

A layer's parameters may carry an axis of seeds in front, of which its inputs then carry the same.
Beside its forward pass each layer has two rules: what its parameters' gradient is for every task
(``per_task``), and what it is summed over tasks (``pooled``), both from the layer's inputs and the
gradient of the losses with respect to its outputs. So one backward pass serves all tasks, where
a loop would make one each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-5  # of batch normalisation, torch's default

Gradients = dict[str, Tensor]


class Dense(nn.Module):
    """An affine map of the last axis.

    Parameters
    ----------
    inputs, outputs
        Widths; the weight has shape ``(inputs, outputs)``.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.fan_in = inputs

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., k, inputs)`` to ``(..., k, outputs)``."""
        if self.weight.ndim == 2:
            return x @ self.weight + self.bias
        rows = x.flatten(1, -2)  # all tasks of a seed share its weight: one product a seed
        mapped = torch.baddbmm(self.bias.unsqueeze(1), rows, self.weight)
        return mapped.reshape(*x.shape[:-1], -1)

    def per_task(self, given: Tensor, delta: Tensor) -> Gradients:
        """Return every task's gradient, shape ``(seeds, n, ...)``."""
        return {"weight": given.mT @ delta, "bias": delta.sum(-2)}

    def pooled(self, given: Tensor, delta: Tensor) -> Gradients:
        """Return the gradient summed over tasks, shape ``(seeds, ...)``."""
        rows, deltas = given.flatten(1, -2), delta.flatten(1, -2)
        return {"weight": rows.mT @ deltas, "bias": deltas.sum(1)}


class Convolution(nn.Module):
    """A 3 by 3 convolution that keeps height and width.

    Parameters
    ----------
    inputs, outputs
        Channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.fan_in = 9 * inputs

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., k, inputs, height, width)`` to as many images of ``outputs`` channels."""
        if self.weight.ndim == 4:
            return _convolve(x, self.weight, self.bias)
        each = [_convolve(*member) for member in zip(x, self.weight, self.bias, strict=True)]
        return torch.stack(each) if len(each) > 1 else each[0].unsqueeze(0)

    def per_task(self, given: Tensor, delta: Tensor) -> Gradients:
        """Return every task's gradient, shape ``(seeds, n, ...)``."""
        pairs = zip(given.flatten(0, 1), delta.flatten(0, 1), strict=True)
        weights = torch.stack([self._of_images(x, d) for x, d in pairs])
        return {
            "weight": weights.unflatten(0, given.shape[:2]),
            "bias": delta.sum((-4, -2, -1)),
        }

    def pooled(self, given: Tensor, delta: Tensor) -> Gradients:
        """Return the gradient summed over tasks, shape ``(seeds, ...)``."""
        pairs = zip(given.flatten(1, 2), delta.flatten(1, 2), strict=True)
        return {
            "weight": torch.stack([self._of_images(x, d) for x, d in pairs]),
            "bias": delta.sum((1, 2, -2, -1)),
        }

    def _of_images(self, given: Tensor, delta: Tensor) -> Tensor:
        return nn.grad.conv2d_weight(given, self.weight.shape[-4:], delta, padding=1)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if x.ndim == 4:
        return F.conv2d(x, weight, bias, padding=1)
    images, last = x.flatten(0, -4), torch.channels_last  # in which pooling is many times faster
    found = F.conv2d(images.contiguous(memory_format=last), weight, bias, padding=1)
    return found.contiguous(memory_format=last).unflatten(0, x.shape[:-3])


class Normalisation(nn.Module):
    """Batch normalisation by the statistics of the set at hand, in training and in tests alike.

    No running averages are kept: the published code never leaves training mode, so that a task's
    query set is normalised by itself.

    Parameters
    ----------
    channels
        Number of features, or of image channels.
    images
        Whether inputs are images, which are normalised over height and width too.
    """

    def __init__(self, channels: int, *, images: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.over = (-4, -2, -1) if images else (-2,)

    def forward(self, x: Tensor) -> Tensor:
        """Return inputs of any set with mean 0 and variance 1, then scaled and shifted."""
        return _normalised(x, self.weight, self.bias, -3 if len(self.over) > 1 else -1)

    def per_task(self, given: Tensor, delta: Tensor) -> Gradients:
        """Return every task's gradient, shape ``(seeds, n, channels)``."""
        one = given.new_ones(self.weight.shape)
        normal = _normalised(given, one, 0 * one, -3 if len(self.over) > 1 else -1)
        return {"weight": (normal * delta).sum(self.over), "bias": delta.sum(self.over)}

    def pooled(self, given: Tensor, delta: Tensor) -> Gradients:
        """Return the gradient summed over tasks, shape ``(seeds, channels)``."""
        return {name: g.sum(1) for name, g in self.per_task(given, delta).items()}


def _normalised(x: Tensor, weight: Tensor, bias: Tensor, channel: int) -> Tensor:
    """Normalise every set by itself; ``channel`` is the axis that keeps its own statistics."""
    if x.ndim == 1 - channel:  # one set, as ``vmap`` sees it
        return _batch_norm(x, weight, bias)
    if channel == -1:
        return _normalised_rows(x, weight, bias)
    sets, seeds = x.flatten(0, -5), x.shape[0]
    each = len(sets) // seeds if weight.ndim == 2 else len(sets)
    own = [p.reshape(-1, p.shape[-1]).repeat_interleave(each, 0) for p in (weight, bias)]
    parts = [_batch_norm(*part) for part in zip(sets, *own, strict=True)]
    return torch.cat(parts).unflatten(0, x.shape[:-3])


def _normalised_rows(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Take the features of all sets for features of one: a set's rows come first."""
    *stacks, rows, features = x.shape
    side_by_side = x.movedim(-2, 0)
    own = [p.unsqueeze(-2).expand(*stacks, features).reshape(-1) for p in (weight, bias)]
    found = _batch_norm(side_by_side.reshape(rows, -1), *own)
    return found.reshape(side_by_side.shape).movedim(0, -2)


def _batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=EPSILON)
