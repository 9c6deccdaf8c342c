"""MAML: every parameter adapts to a task.

Finn, Abbeel and Levine, "Model-Agnostic Meta-Learning" (2017), on ``torch.func``: a task is written
down once, for one network, and mapped over tasks and seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from schedlab.metalearning.batches import Tasks, pick
from schedlab.metalearning.learners.candidates import Candidates, QueryLoss, measured
from schedlab.metalearning.learners.factors import (
    Before,
    Products,
    Similarity,
    head_products,
    whole_products,
)
from schedlab.metalearning.learners.inner_loop import InnerLoop
from schedlab.metalearning.learners.records import Params, recorded


class MAML(InnerLoop):
    """Model-agnostic meta-learning; parameters are those of :class:`InnerLoop`."""

    def outputs(self, params: Params, tasks: Tasks, steps: int | None = None) -> Tensor:
        """Return query outputs after adaptation, ``(seeds, n, k, outputs)``, without a graph."""

        def of_task(params: Params, x: Tensor, y: Tensor, queries: Tensor) -> Tensor:
            return self._call(self._adapted(params, x, y, steps), queries)

        with torch.no_grad():
            each = _over_tasks_and_seeds(of_task, arguments=3)
            return each(params, tasks.x_support, tasks.y_support, tasks.x_query)

    def candidates(
        self,
        params: Params,
        tasks: Tasks,
        similarity: Similarity | None = None,
        query_loss: QueryLoss | None = None,
    ) -> Candidates:
        """Return losses, factors and gradients of a pool; see :class:`Learner`."""
        outer = query_loss or self.objective.loss

        def of_task(
            params: Params, x: Tensor, y: Tensor, xq: Tensor, yq: Tensor
        ) -> tuple[Tensor, Tensor]:
            outputs = self._call(self._adapted(params, x, y), xq)
            return outer(outputs, yq), outputs

        each = _over_tasks_and_seeds(grad(of_task, has_aux=True), arguments=4)
        gradients, outputs = each(
            params, tasks.x_support, tasks.y_support, tasks.x_query, tasks.y_query
        )

        def gradient(index: Tensor, coefficients: Tensor) -> Params:
            return {
                name: torch.einsum("sb,sb...->s...", coefficients, pick(each_task, index))
                for name, each_task in gradients.items()
            }

        before, found = self._before(params, tasks, similarity)
        losses = self.objective.loss(outputs, tasks.y_query)
        return Candidates(losses, outputs, before, gradient, **measured(found, similarity))

    def _call(self, params: Params, x: Tensor) -> Tensor:
        return functional_call(self.network, params, (x,))

    def _adapted(self, params: Params, x: Tensor, y: Tensor, steps: int | None = None) -> Params:
        """Return one task's parameters after the inner loop."""
        slope = grad(lambda p: self.objective.loss(self._call(p, x), y))
        for _ in range(self.inner_steps if steps is None else steps):
            step = slope(params)
            if self.first_order:
                step = {name: value.detach() for name, value in step.items()}
            params = {name: p - self.inner_lr * step[name] for name, p in params.items()}
        return params

    def _before(
        self, params: Params, tasks: Tasks, similarity: Similarity | None
    ) -> tuple[Before, Products | None]:
        """Return the pool before adaptation, and the products of both gradients."""
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        with recorded(self.network) as support:
            outputs = self._call(leaves, tasks.x_support)
        with recorded(self.network) as query:
            queries = self._call(leaves, tasks.x_query)
        before = Before(
            support[-1].given,
            query[-1].given,
            self.objective.residual(outputs.detach(), tasks.y_support),
            self.objective.residual(queries.detach(), tasks.y_query),
        )
        if similarity is None:
            return before, None
        if similarity.scope == "head":
            return before, head_products(before)
        losses = self.objective.loss(outputs, tasks.y_support)
        losses = losses + self.objective.loss(queries, tasks.y_query)
        return before, whole_products(losses, (support, query))


def _over_tasks_and_seeds(of_task: Callable[..., Any], *, arguments: int) -> Callable[..., Any]:
    """Map a function of parameters and a task's tensors over tasks, which share parameters."""
    over_tasks = vmap(of_task, in_dims=(None, *(0,) * arguments))
    return vmap(over_tasks, in_dims=(0,) * (arguments + 1))
