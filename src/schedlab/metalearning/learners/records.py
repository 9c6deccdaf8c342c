"""Gradients of every task from one forward and one backward pass over all of them.

A pass is recorded layer by layer: what came in, and the gradient of the summed losses with respect
to what went out. Since no task's loss depends on another's layers, a task's gradient is a product
of its own part of both, and so is the gradient of any selection of tasks, known only later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from schedlab.metalearning.batches import pick
from schedlab.metalearning.learners.layers import Dense
from schedlab.metalearning.learners.networks import Network

Params = dict[str, Tensor]
Products = dict[str, tuple[Tensor, Tensor, Tensor]]


@dataclass
class Call:
    """What a layer was given and returned, for all tasks of all seeds.

    Attributes
    ----------
    name
        Path of the layer in its network.
    layer
        The layer.
    given, returned
        Shapes ``(seeds, n, k, ...)``.
    """

    name: str
    layer: nn.Module
    given: Tensor
    returned: Tensor


@contextmanager
def recorded(network: Network) -> Iterator[list[Call]]:
    """Record the calls of the layers that have parameters."""
    calls: list[Call] = []
    hooks = [
        layer.register_forward_hook(_note(calls, name))
        for name, layer in network.named_modules()
        if hasattr(layer, "per_task")
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def _note(calls: list[Call], name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def hook(layer: nn.Module, given: tuple[Tensor, ...], returned: Tensor) -> None:
        calls.append(Call(name, layer, given[0].detach(), returned))

    return hook


def deltas_of(losses: Tensor, tensors: Sequence[Tensor], *, keep: bool) -> list[Tensor]:
    """Return the gradient of summed losses with respect to what layers returned.

    Parameters
    ----------
    losses
        One per task.
    tensors
        Outputs of layers on the way to the losses, or copies of a parameter for every task.
    keep
        Whether the graph is needed again.
    """
    found = torch.autograd.grad(losses.sum(), tensors, retain_graph=keep, allow_unused=True)
    return [torch.zeros_like(t) if d is None else d for t, d in zip(tensors, found, strict=True)]


def per_task(calls: Sequence[Call], deltas: Sequence[Tensor]) -> Params:
    """Return the gradient of every task by parameter, ``(seeds, n, ...)``."""
    return {
        f"{call.name}.{name}": gradient
        for call, delta in zip(calls, deltas, strict=True)
        for name, gradient in call.layer.per_task(call.given, delta).items()
    }


def pooled(
    calls: Sequence[Call], deltas: Sequence[Tensor], index: Tensor, coefficients: Tensor
) -> Params:
    """Return the gradient of a weighted sum of some tasks' losses, ``(seeds, ...)``.

    Parameters
    ----------
    calls, deltas
        Of a recorded pass.
    index, coefficients
        Which tasks with which weight, shape ``(seeds, b)``.
    """
    total: Params = {}
    for call, delta in zip(calls, deltas, strict=True):
        chosen = pick(delta, index)
        weighted = chosen * coefficients.reshape(*index.shape, *(1,) * (chosen.ndim - 2))
        for name, gradient in call.layer.pooled(pick(call.given, index), weighted).items():
            key = f"{call.name}.{name}"
            total[key] = total[key] + gradient if key in total else gradient
    return total


def products(
    calls: tuple[Sequence[Call], Sequence[Call]],
    deltas: tuple[Sequence[Tensor], Sequence[Tensor]],
) -> Products:
    """Return ⟨a, b⟩, ⟨a, a⟩, ⟨b, b⟩ of every task for two recorded passes, by parameter.

    A dense layer's products need no gradients: ⟨XᵀD, YᵀE⟩ is the sum of (XYᵀ)∘(DEᵀ), which is
    the cheaper way where sets are small.
    """
    found: Products = {}
    for call, other, delta, opposite in zip(*calls, *deltas, strict=True):
        a, b = (call.given, delta), (other.given, opposite)
        if isinstance(call.layer, Dense) and _small(call.given, delta):
            found[f"{call.name}.weight"] = (_alike(a, b), _alike(a, a), _alike(b, b))
            found[f"{call.name}.bias"] = dots(delta.sum(-2), opposite.sum(-2))
        else:
            first, second = call.layer.per_task(*a), call.layer.per_task(*b)
            found |= {f"{call.name}.{name}": dots(first[name], second[name]) for name in first}
    return found


def _small(given: Tensor, delta: Tensor) -> bool:
    samples, inputs, outputs = *given.shape[-2:], delta.shape[-1]
    return 3 * samples * (inputs + outputs) < (2 * samples + 3) * inputs * outputs


def _alike(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> Tensor:
    return ((a[0] @ b[0].mT) * (a[1] @ b[1].mT)).sum((-2, -1))


def dots(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return ⟨a, b⟩, ⟨a, a⟩, ⟨b, b⟩ of every task for tensors of shape ``(seeds, n, ...)``."""
    a, b = a.flatten(2), b.flatten(2)
    return (a * b).sum(-1), (a * a).sum(-1), (b * b).sum(-1)
