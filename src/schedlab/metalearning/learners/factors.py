"""What ATS knows of a candidate task: its query loss, and how alike its two gradients are.

"Meta-learning with an Adaptive Task Scheduler" (2021): the query loss after adaptation, and the
similarity of support and query gradients before it. The paper takes an inner product of whole
gradients; its public code takes the cosine tensor by tensor, and for images the norms of the
query gradients too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from schedlab.metalearning.learners.records import Call, Products, deltas_of, dots, products

COSINE_EPSILON = 1e-8  # the public code's

Kind = Literal["cosine", "inner_product"]
Scope = Literal["all", "head"]


@dataclass(frozen=True)
class Similarity:
    """Which similarity is measured.

    Attributes
    ----------
    kind
        ``cosine`` as in the public code, ``inner_product`` as in the paper.
    scope
        ``all`` layers but normalisations, or the ``head`` alone, whose gradient costs no
        backward pass.
    """

    kind: Kind = "cosine"
    scope: Scope = "all"


class Before(NamedTuple):
    """A pool of tasks before adaptation: all that the head's gradients Fᵀ(p − y)/k are made of.

    Attributes
    ----------
    support, query
        Features of both sets, shape ``(seeds, n, k, d)``.
    support_residual, query_residual
        Gradients of the sets' losses with respect to outputs, ``(seeds, n, k, outputs)``.
    """

    support: Tensor
    query: Tensor
    support_residual: Tensor
    query_residual: Tensor


def similarities(found: Products, kind: Kind) -> Tensor:
    """Return one similarity per parameter tensor, shape ``(seeds, n, tensors)``.

    Parameters
    ----------
    found
        ⟨s, q⟩, ⟨s, s⟩ and ⟨q, q⟩ of each tensor.
    kind
        ``cosine`` as in the public code, ``inner_product`` as in the paper.
    """
    inner, support, query = (torch.stack(parts, -1) for parts in zip(*found.values(), strict=True))
    if kind == "inner_product":
        return inner
    return inner / (support * query).sqrt().clamp(min=COSINE_EPSILON)


def norms(found: Products) -> Tensor:
    """Return the norm of each tensor's query gradient, shape ``(seeds, n, tensors)``."""
    return torch.stack([query for _, _, query in found.values()], -1).sqrt()


def whole_products(losses: Tensor, calls: tuple[Sequence[Call], Sequence[Call]]) -> Products:
    """Return the products over all layers but normalisations, by one backward pass.

    Parameters
    ----------
    losses
        Of support plus query sets at the common parameters, shape ``(seeds, n)``.
    calls
        The layers' calls on support and on query sets.
    """
    pairs = [pair for pair in zip(*calls, strict=True) if hasattr(pair[0].layer, "fan_in")]
    deltas = deltas_of(losses, [call.returned for pair in pairs for call in pair], keep=True)
    support, query = zip(*pairs, strict=True)
    return products((support, query), (deltas[::2], deltas[1::2]))


def head_products(before: Before) -> Products:
    """Return the products over the head alone, from its gradients in closed form."""
    weights = before.support.mT @ before.support_residual, before.query.mT @ before.query_residual
    biases = before.support_residual.sum(-2), before.query_residual.sum(-2)
    return {"head.weight": dots(*weights), "head.bias": dots(*biases)}


def head_gradients(before: Before) -> tuple[Tensor, Tensor]:
    """Return the head's flat gradients on support and on query sets, ``(seeds, n, p)``."""
    pairs = (before.support, before.support_residual), (before.query, before.query_residual)
    support, query = (torch.cat([(f.mT @ r).flatten(2), r.sum(-2)], -1) for f, r in pairs)
    return support, query
