"""What a learner finds out about a pool of tasks in one pass, and the interface of learners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from schedlab.metalearning.batches import Tasks
from schedlab.metalearning.learners.factors import Before, Products, Similarity, norms, similarities
from schedlab.metalearning.learners.networks import Network
from schedlab.metalearning.learners.objectives import Objective
from schedlab.metalearning.learners.records import Params

QueryLoss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Candidates:
    """A pool of tasks at the present parameters.

    Attributes
    ----------
    losses
        Query losses after adaptation, shape ``(seeds, n)``.
    outputs
        Query outputs after adaptation, shape ``(seeds, n, k, outputs)``.
    before
        Features and residuals before adaptation.
    similarity, query_norms
        By parameter tensor, shape ``(seeds, n, tensors)``; None unless asked for.
    gradient
        From indices and coefficients, each of shape ``(seeds, b)``, to the gradient of the
        weighted query losses with respect to the common parameters.
    """

    losses: Tensor
    outputs: Tensor
    before: Before
    gradient: Callable[[Tensor, Tensor], Params]
    similarity: Tensor | None = None
    query_norms: Tensor | None = None


class Learner(Protocol):
    """A meta-learner for several seeds at once.

    Parameters of all seeds are stacked: every tensor has shape ``(seeds, ...)``.
    """

    network: Network
    objective: Objective
    inner_lr: float

    def outputs(self, params: Params, tasks: Tasks, steps: int | None = None) -> Tensor:
        """Return query outputs after adaptation, ``(seeds, n, k, outputs)``, without a graph."""

    def candidates(
        self,
        params: Params,
        tasks: Tasks,
        similarity: Similarity | None = None,
        query_loss: QueryLoss | None = None,
    ) -> Candidates:
        """Return losses, factors and gradients of a pool of tasks.

        Parameters
        ----------
        params
            Common parameters.
        tasks
            The pool, with an axis of seeds.
        similarity
            Which similarity of gradients to measure, if any.
        query_loss
            Whose gradient ``gradient`` returns, by default the objective's.
        """


def measured(found: Products | None, similarity: Similarity | None) -> dict[str, Tensor]:
    """Return a pool's similarity and norms as :class:`Candidates` takes them."""
    if found is None or similarity is None:
        return {}
    parts = {"similarity": similarities(found, similarity.kind), "query_norms": norms(found)}
    return {name: values.detach() for name, values in parts.items()}


def confusion(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean probability that queries of class i give to class j, ``(..., ways, ways)``.

    Parameters
    ----------
    outputs
        Logits of query sets, shape ``(..., k, ways)``.
    targets
        Classes, shape ``(..., k)``.
    """
    one_hot = F.one_hot(targets, outputs.shape[-1]).to(outputs.dtype)
    counts = one_hot.sum(-2).clamp(min=1).unsqueeze(-1)
    return (one_hot.mT @ outputs.softmax(-1)) / counts


def tensors(network: Network, similarity: Similarity) -> int:
    """Return the number of parameter tensors whose gradients are compared."""
    layers = [network.head] if similarity.scope == "head" else network.modules()
    return sum(2 for layer in layers if hasattr(layer, "fan_in"))


def draw_stacked(network: Network, generators: list[torch.Generator]) -> Params:
    """Draw the parameters of several seeds, each from its own generator."""
    drawn = [network.initial(generator) for generator in generators]
    return {name: torch.stack([member[name] for member in drawn]) for name in drawn[0]}
