"""The learners once more as the public code has them: autograd, one task after the other."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call

from schedlab.metalearning.batches import Tasks


def adapted(learner, params: dict[str, Tensor], x: Tensor, y: Tensor, names: list[str]):
    """Return one task's parameters after the inner loop over the named ones."""
    for _ in range(learner.inner_steps):
        outputs = functional_call(learner.network, params, (x,))
        loss = learner.objective.loss(outputs, y)
        slopes = torch.autograd.grad(
            loss, [params[n] for n in names], create_graph=not learner.first_order
        )
        steps = {n: params[n] - learner.inner_lr * g for n, g in zip(names, slopes, strict=True)}
        params = {**params, **steps}
    return params


def query_losses(learner, params: dict[str, Tensor], tasks: Tasks, names: list[str]) -> Tensor:
    """Return the query loss of every task of one seed, one after the other."""
    losses = []
    for x, y, xq, yq in zip(
        tasks.x_support, tasks.y_support, tasks.x_query, tasks.y_query, strict=True
    ):
        own = adapted(learner, params, x, y, names)
        outputs = functional_call(learner.network, own, (xq,))
        losses.append(learner.objective.loss(outputs, yq))
    return torch.stack(losses)


def gradients_before(learner, params: dict[str, Tensor], x: Tensor, y: Tensor):
    """Return one set's gradient by parameter at the common parameters."""
    loss = learner.objective.loss(functional_call(learner.network, params, (x,)), y)
    return dict(zip(params, torch.autograd.grad(loss, list(params.values())), strict=True))
