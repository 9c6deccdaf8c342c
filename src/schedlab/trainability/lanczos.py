"""The largest eigenvalue of a symmetric operator that is known only by its products."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def top_eigenvalue(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    iterations: int = 8,
    tolerance: float = 1e-2,
) -> tuple[Tensor, Tensor]:
    """Return the largest algebraic eigenvalue and its vector by Lanczos' method.

    Unlike power iteration it never mistakes a large negative eigenvalue for the largest.

    Parameters
    ----------
    product
        The operator: vectors of shape ``(..., n)`` to vectors of that shape. Leading axes are
        problems of their own, solved at once.
    start
        First vectors, shape ``(..., n)``, not zero. The vectors of an earlier, similar problem
        save most of the work.
    iterations
        Most products, at least 1.
    tolerance
        Stop when every residual ‖A v − λ v‖ is below this times |λ|.

    Returns
    -------
    Eigenvalues of shape ``(...)`` and unit vectors of shape ``(..., n)``.
    """
    basis = [start / start.norm(dim=-1, keepdim=True)]
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    while True:
        image = product(basis[-1])
        diagonal.append((image * basis[-1]).sum(-1))
        rest = _orthogonal(image, basis)
        beside.append(rest.norm(dim=-1))
        value, weights = _ritz(diagonal, beside)
        residual = beside[-1] * weights[..., -1].abs()
        last = min(iterations, start.shape[-1])
        if len(basis) == last or bool((residual <= tolerance * value.abs()).all()):
            vector = (torch.stack(basis, -1) @ weights.unsqueeze(-1)).squeeze(-1)
            return value, vector / vector.norm(dim=-1, keepdim=True)
        basis.append(rest / beside[-1].clamp_min(torch.finfo(rest.dtype).tiny).unsqueeze(-1))


def hessian_product(
    gradients: Sequence[Tensor], weights: Sequence[Tensor]
) -> Callable[[Tensor], Tensor]:
    """Return the product of a Hessian block with a flat vector.

    Parameters
    ----------
    gradients
        Gradients of a loss with respect to ``weights``, made with ``create_graph=True``.
    weights
        The parameters of the block, in the order in which they are laid out in the vector.
    """
    sizes = [p.numel() for p in weights]

    def product(vector: Tensor) -> Tensor:
        pieces = [v.view_as(p) for v, p in zip(vector.split(sizes), weights, strict=True)]
        images = torch.autograd.grad(
            gradients, weights, pieces, retain_graph=True, materialize_grads=True
        )
        return torch.cat([image.flatten() for image in images])

    return product


def _orthogonal(vector: Tensor, basis: list[Tensor]) -> Tensor:
    """Subtract the basis twice: once leaves rounding errors that bring ghost eigenvalues."""
    columns = torch.stack(basis, -1)
    for _ in range(2):
        shares = columns.transpose(-1, -2) @ vector.unsqueeze(-1)
        vector = vector - (columns @ shares).squeeze(-1)
    return vector


def _ritz(diagonal: list[Tensor], beside: list[Tensor]) -> tuple[Tensor, Tensor]:
    small = torch.diag_embed(torch.stack(diagonal, -1))
    if len(diagonal) > 1:
        off = torch.stack(beside[:-1], -1)
        small = small + torch.diag_embed(off, 1) + torch.diag_embed(off, -1)
    values, vectors = torch.linalg.eigh(small)
    return values[..., -1], vectors[..., -1]
