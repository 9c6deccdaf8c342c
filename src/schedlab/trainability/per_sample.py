"""Squared norms of per-sample gradients, without ever forming the gradients where that is dear.

For a linear layer gᵢ = δᵢ aᵢᵀ, so ‖gᵢ‖² = ‖δᵢ‖² ‖aᵢ‖²: inputs and output gradients of one backward
pass hold all per-sample norms ("ghost norms"). Convolutions and batch norms have rules of their
own; whatever else a network contains goes through ``torch.func.vmap``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass
class Call:
    """What one module was given and returned in a forward pass."""

    module: nn.Module
    given: Tensor
    returned: Tensor


@contextmanager
def recorded(model: nn.Module) -> Iterator[list[Call]]:
    """Record the calls of all modules whose per-sample norms have a rule."""
    calls: list[Call] = []

    def note(module: nn.Module, given: tuple[Tensor, ...], returned: Tensor) -> None:
        calls.append(Call(module, given[0].detach(), returned))

    hooks = [m.register_forward_hook(note) for m in model.modules() if _has_rule(m)]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def ruled(model: nn.Module, calls: Sequence[Call]) -> list[Call]:
    """Return the calls whose parameters are used there and nowhere else."""
    times = Counter(call.module for call in calls)
    owners = Counter(p for m in model.modules() for p in m.parameters(recurse=False))
    return [
        call
        for call in calls
        if times[call.module] == 1
        and all(owners[p] == 1 for p in call.module.parameters(recurse=False))
    ]


def squared_norms(call: Call, delta: Tensor) -> dict[Tensor, Tensor]:
    """Return ‖gᵢ‖² of each parameter of a module, shape ``(B,)``, by its rule.

    Parameters
    ----------
    call
        The module's call in the forward pass.
    delta
        Gradient of the summed losses with respect to what the module returned.
    """
    module = call.module
    if isinstance(module, _BatchNorm):
        return _of_batch_norm(module, call.given, delta)
    if isinstance(module, nn.Conv2d):
        inputs, deltas = _unfolded(module, call.given), delta.flatten(2)
    else:
        inputs = call.given.reshape(len(delta), -1, module.in_features).transpose(1, 2)
        deltas = delta.reshape(len(delta), -1, module.out_features).transpose(1, 2)
    norms = {module.weight: ghost_norms(inputs, deltas)}
    if module.bias is not None:
        norms[module.bias] = deltas.sum(-1).square().sum(-1)
    return norms


def ghost_norms(inputs: Tensor, deltas: Tensor) -> Tensor:
    """Return ‖Σ_t δ_t a_tᵀ‖² for every sample.

    Parameters
    ----------
    inputs
        a, shape ``(..., B, in, T)``: T places at which the layer was applied.
    deltas
        δ, shape ``(..., B, out, T)``.

    Returns
    -------
    Shape ``(..., B)``. Of the two ways, gradients or T by T products, the smaller is taken.
    """
    places = inputs.shape[-1]
    if places == 1:
        return inputs.square().sum((-1, -2)) * deltas.square().sum((-1, -2))
    if places**2 < inputs.shape[-2] * deltas.shape[-2]:
        alike = (inputs.transpose(-1, -2) @ inputs) * (deltas.transpose(-1, -2) @ deltas)
        return alike.sum((-1, -2))
    return (deltas @ inputs.transpose(-1, -2)).square().sum((-1, -2))


def squared_norms_by_vmap(
    model: nn.Module, loss: Loss, names: Sequence[str], inputs: Tensor, targets: Tensor
) -> Tensor:
    """Return ‖gᵢ‖² summed over the named parameters, shape ``(B,)``, from the gradients."""
    fixed = {**dict(model.named_buffers()), **dict(model.named_parameters())}
    chosen = {name: fixed.pop(name) for name in names}

    def of_one(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        output = functional_call(model, (parameters, fixed), (x.unsqueeze(0),))
        return loss(output, y.unsqueeze(0)).sum()

    each = vmap(grad(of_one), in_dims=(None, 0, 0), randomness="different")
    gradients = each(chosen, inputs, targets)
    return torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0)


def _has_rule(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.groups == 1 and module.padding_mode == "zeros" and module.padding != "same"
    return isinstance(module, nn.Linear | _BatchNorm)


def _unfolded(module: nn.Conv2d, inputs: Tensor) -> Tensor:
    padding = 0 if module.padding == "valid" else module.padding
    return F.unfold(inputs, module.kernel_size, module.dilation, padding, module.stride)


def _of_batch_norm(module: _BatchNorm, inputs: Tensor, delta: Tensor) -> dict[Tensor, Tensor]:
    if module.weight is None:
        return {}
    by_batch = module.training or module.running_mean is None
    mean, var = (None, None) if by_batch else (module.running_mean, module.running_var)
    normal = F.batch_norm(inputs, mean, var, training=by_batch, eps=module.eps)
    scale = (delta * normal).flatten(2).sum(2) if delta.ndim > 2 else delta * normal
    shift = delta.flatten(2).sum(2) if delta.ndim > 2 else delta
    return {
        module.weight: scale.square().sum(1),
        module.bias: shift.square().sum(1),
    }
