"""ANIL: only the head adapts to a task, so that its inner loop has a closed form.

Raghu et al., "Rapid Learning or Feature Reuse?" (2020). Features are computed once; each inner step
is two products of small matrices for all tasks at once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

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
from schedlab.metalearning.learners.records import Call, Params, deltas_of, pooled, recorded


class ANIL(InnerLoop):
    """Almost no inner loop; parameters are those of :class:`InnerLoop`."""

    def outputs(self, params: Params, tasks: Tasks, steps: int | None = None) -> Tensor:
        """Return query outputs after adaptation, ``(seeds, n, k, outputs)``, without a graph."""
        with torch.no_grad():
            support = self._features(params, tasks.x_support)
            query = self._features(params, tasks.x_query)
            head = self._adapted(_heads(params, len(tasks.x_support[0])), support, tasks, steps)
            return query @ head

    def candidates(
        self,
        params: Params,
        tasks: Tasks,
        similarity: Similarity | None = None,
        query_loss: QueryLoss | None = None,
    ) -> Candidates:
        """Return losses, factors and gradients of a pool; see :class:`Learner`."""
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        with recorded(self.network) as support_calls:
            support = self._features(leaves, tasks.x_support)
        with recorded(self.network) as query_calls:
            query = self._features(leaves, tasks.x_query)
        head = _heads(params, len(tasks.x_support[0])).requires_grad_()
        calls = support_calls, query_calls
        outputs = support @ head, query @ head
        before = self._before((support, query), outputs, tasks)
        found = None
        if similarity:
            found = self._products(before, outputs, tasks, calls, similarity)
        adapted = query @ self._adapted(head, support, tasks)
        losses = self.objective.loss(adapted, tasks.y_query)
        outer = query_loss(adapted, tasks.y_query) if query_loss else losses
        passed = [*support_calls, *query_calls]
        *deltas, own = deltas_of(outer, [*(c.returned for c in passed), head], keep=False)

        def gradient(index: Tensor, coefficients: Tensor) -> Params:
            body = pooled(passed, deltas, index, coefficients)
            return body | _head_gradient(own, index, coefficients)

        return Candidates(
            losses.detach(), adapted.detach(), before, gradient, **measured(found, similarity)
        )

    def _features(self, params: Params, x: Tensor) -> Tensor:
        """Return features with a one behind them, which multiplies the head's bias."""
        body = {n.removeprefix("body."): p for n, p in params.items() if n.startswith("body.")}
        return F.pad(functional_call(self.network.body, body, (x,)), (0, 1), value=1.0)

    def _adapted(
        self, head: Tensor, features: Tensor, tasks: Tasks, steps: int | None = None
    ) -> Tensor:
        """Return every task's head after the inner loop, ``(seeds, n, d + 1, outputs)``."""
        shape, targets = head.shape, tasks.y_support.flatten(0, 1)
        head, features = head.flatten(0, 1), features.flatten(0, 1)
        if self.first_order:
            features = features.detach()
        for _ in range(self.inner_steps if steps is None else steps):
            residual = self.objective.residual(features @ head, targets)
            if self.first_order:
                residual = residual.detach()
            head = torch.baddbmm(head, features.mT, residual, alpha=-self.inner_lr)
        return head.unflatten(0, shape[:2])

    def _before(
        self, features: tuple[Tensor, Tensor], outputs: tuple[Tensor, Tensor], tasks: Tasks
    ) -> Before:
        return Before(
            *(f.detach()[..., :-1] for f in features),
            self.objective.residual(outputs[0].detach(), tasks.y_support),
            self.objective.residual(outputs[1].detach(), tasks.y_query),
        )

    def _products(
        self,
        before: Before,
        outputs: tuple[Tensor, Tensor],
        tasks: Tasks,
        calls: tuple[list[Call], list[Call]],
        similarity: Similarity,
    ) -> Products:
        """Return the products of support and query gradients before adaptation."""
        if similarity.scope == "head":
            return head_products(before)
        losses = self.objective.loss(outputs[0], tasks.y_support)
        losses = losses + self.objective.loss(outputs[1], tasks.y_query)
        head = self.network.head
        support = [*calls[0], Call("head", head, before.support, outputs[0])]
        query = [*calls[1], Call("head", head, before.query, outputs[1])]
        return whole_products(losses, (support, query))


def _heads(params: Params, tasks: int) -> Tensor:
    """Return a copy of the head for each task, its bias as the last row of its weight."""
    head = torch.cat([params["head.weight"], params["head.bias"].unsqueeze(1)], 1).detach()
    return head.unsqueeze(1).repeat(1, tasks, 1, 1)


def _head_gradient(own: Tensor, index: Tensor, coefficients: Tensor) -> Params:
    total = (pick(own, index) * coefficients[..., None, None]).sum(1)
    return {"head.weight": total[:, :-1], "head.bias": total[:, -1]}
