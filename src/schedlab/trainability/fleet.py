"""Several networks of one shape, trained at once: one stacked forward and backward pass for all.

Each member is an ordinary module with an ordinary optimizer, whose parameters are views into the
stack. So remedies, probes and schedulers act on a member as they would on a network of their own,
and only the arithmetic is shared. On a GPU, or with small layers, a stack costs little more than
one network. On a CPU core whose time goes into matrix products it costs as much as its members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim import Optimizer

from schedlab.trainability.penalties import Penalty, Weights
from schedlab.trainability.probe import Probe, groups_by_layer


class Fleet:
    """A stack of networks with an optimizer each.

    Parameters
    ----------
    models
        Networks of one architecture; they become views into the stack.
    optimizer
        From the parameter groups of one network, one group a layer, to its optimizer.
    loss
        From outputs and targets to one loss per sample.
    lr
        Learning rate of every group at the start.

    Attributes
    ----------
    weights
        Stacked parameters by name, each of shape ``(members, ...)``.
    models, optimizers
        The members.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        optimizer: Callable[[list[dict]], Optimizer],
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        lr: float,
    ) -> None:
        self.models, self.loss = list(models), loss
        self.weights, _ = stack_module_state(self.models)
        for member, model in enumerate(self.models):
            for name, parameter in model.named_parameters():
                parameter.data = self.weights[name].detach()[member]
        self.optimizers = [optimizer(groups_by_layer(model, lr=lr)) for model in self.models]
        self.previous: dict[str, Tensor] = {}
        self.penalties: list[Penalty] = []
        self.penalty: Penalty | None = None
        skeleton = self.models[0]
        self._forward = vmap(lambda weights, x: functional_call(skeleton, weights, (x,)))

    def penalise(self, make: Callable[[Weights], Penalty]) -> None:
        """Add a penalty that is relative to the weights as they are now."""
        self.penalty = make(self.weights)
        self.penalties = [
            make({name: w[member : member + 1] for name, w in self.weights.items()})
            for member in range(len(self.models))
        ]

    def probe(self, member: int, **options: Any) -> Probe:
        """Return a probe of one member, its penalty included."""
        model, own = self.models[member], None
        if self.penalties:
            penalty = self.penalties[member]

            def own() -> Tensor:
                return penalty(dict(model.named_parameters())).sum()

        return Probe(model, self.optimizers[member], self.loss, penalty=own, **options)

    def gradients(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Give every member its gradient on its minibatch.

        Parameters
        ----------
        inputs
            Shape ``(members, B, features)``.
        targets
            Shape ``(members, B, ...)``.

        Returns
        -------
        Outputs, shape ``(members, B, ...)``, and mean losses without penalty, shape
        ``(members,)``, both before any update.
        """
        if len(self.models) == 1:
            return self._gradients_of_one(inputs, targets)
        outputs = self._forward(self.weights, inputs)
        losses, total = self._losses(outputs, targets, self.weights)
        stacked = torch.autograd.grad(total, list(self.weights.values()))
        for name, gradient in zip(self.weights, stacked, strict=True):
            # Batched products may leave another layout, which fused optimizers misread.
            aligned = gradient.contiguous()
            for member, model in enumerate(self.models):
                model.get_parameter(name).grad = aligned[member]
        return outputs.detach(), losses.detach()

    def _gradients_of_one(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Do without batched products, which cost a quarter of a step more."""
        own = dict(self.models[0].named_parameters())
        outputs = self.models[0](inputs[0]).unsqueeze(0)
        stacked = {name: p.unsqueeze(0) for name, p in own.items()}
        losses, total = self._losses(outputs, targets, stacked)
        for p, gradient in zip(
            own.values(), torch.autograd.grad(total, list(own.values())), strict=True
        ):
            p.grad = gradient
        return outputs.detach(), losses.detach()

    def _losses(self, outputs: Tensor, targets: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
        """Return each member's mean loss, and the sum of all with penalties."""
        flat = self.loss(outputs.flatten(0, 1), targets.flatten(0, 1))
        losses = flat.reshape(len(self.models), -1).mean(-1)
        total = losses if self.penalty is None else losses + self.penalty(weights)
        return losses, total.sum()

    def update(self, *, remember: bool = False) -> None:
        """Let every optimizer take its step; keep the weights before it, if asked."""
        if remember:
            self.previous = {name: w.detach().clone() for name, w in self.weights.items()}
        for optimizer in self.optimizers:
            optimizer.step()
