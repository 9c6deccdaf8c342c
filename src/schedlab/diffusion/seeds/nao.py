"""NAO, norm-aware optimisation: paths between seeds and centroids of them, by gradient descent.

A path is a row of points whose ends are given and whose inner points minimise its cost under
:mod:`schedlab.diffusion.seeds.prior`. A centroid minimises the summed cost of the paths that lead
to it. Any number of problems is solved at once.

From the public code of the paper, a reconstruction with three departures: it stops on relative
rather than absolute changes (which fail at large ``d``), the jitter at the start has mean zero
(theirs moves the norm), and the step shrinks (with theirs, always 0.01, Adam never settles).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from schedlab.diffusion.seeds.prior import cost, curve_cost


@dataclass(frozen=True)
class Descent:
    """How to minimise.

    Attributes
    ----------
    points
        Points on a path, both ends included.
    rate, last_rate
        First and smallest step of Adam.
    tolerance, patience
        The step shrinks to a third once the summed cost has not fallen by more than this, relative
        to itself, for so many steps on end; the descent stops where it would fall below the last.
    most_steps
        Steps after which to stop anyway.
    jitter
        Width of the uniform noise on the first guess.
    """

    points: int = 50
    rate: float = 0.02
    last_rate: float = 0.001
    tolerance: float = 1e-4
    patience: int = 10
    most_steps: int = 2000
    jitter: float = 0.01


@dataclass(frozen=True)
class Found:
    """What a descent has found.

    Attributes
    ----------
    points
        Paths ``(..., points, dimensions)`` or centroids ``(..., dimensions)``.
    costs
        Sum over all problems after each step, ``(steps,)``.
    """

    points: Tensor
    costs: Tensor


def path(
    first: Tensor, last: Tensor, generator: torch.Generator, how: Descent = Descent()
) -> Found:
    """Return paths of least cost between pairs of seeds.

    Parameters
    ----------
    first, last
        Ends, ``(..., dimensions)``.
    generator
        Source of the jitter.
    how
        Settings of the descent.
    """
    inner = _chord(first, last, how.points)[..., 1:-1, :]
    inner = _jittered(inner, how.jitter, generator).requires_grad_()
    longest = 2 * (last - first).norm(dim=-1) / how.points

    def objective() -> Tensor:
        return _path_objective(_joined(first, inner, last), longest)

    costs = _descend([inner], objective, how)
    return Found(_joined(first, inner.detach(), last), costs)


def centroid(seeds: Tensor, generator: torch.Generator, how: Descent = Descent()) -> Found:
    """Return the points whose paths to groups of seeds cost least in sum.

    The charge of the centroid itself is added, as in the public code; with two seeds it alone
    tells apart the points of a geodesic, whose summed distances are equal.

    Parameters
    ----------
    seeds
        Groups, ``(..., seeds, dimensions)``.
    generator
        Source of the jitter.
    how
        Settings of the descent.
    """
    start = seeds.mean(dim=-2)
    inner = _chord(seeds, start[..., None, :].expand_as(seeds), how.points)[..., 1:-1, :]
    inner = _jittered(inner, how.jitter, generator).requires_grad_()
    centre = start.clone().requires_grad_()
    longest = 2 * (seeds - start[..., None, :]).norm(dim=-1) / how.points

    def objective() -> Tensor:
        ends = centre[..., None, :].expand_as(seeds)
        distances = _path_objective(_joined(seeds, inner, ends), longest).sum(dim=-1)
        return distances + cost(centre.norm(dim=-1), seeds.shape[-1])

    costs = _descend([inner, centre], objective, how)
    return Found(centre.detach(), costs)


def _chord(first: Tensor, last: Tensor, points: int) -> Tensor:
    along = torch.linspace(0, 1, points, dtype=first.dtype)[:, None]
    return torch.lerp(first[..., None, :], last[..., None, :], along)


def _jittered(points: Tensor, width: float, generator: torch.Generator) -> Tensor:
    noise = torch.rand(points.shape, generator=generator, dtype=points.dtype)
    return points + width * (noise - 0.5)


def _joined(first: Tensor, inner: Tensor, last: Tensor) -> Tensor:
    return torch.cat([first[..., None, :], inner, last[..., None, :]], dim=-2)


def _path_objective(points: Tensor, longest: Tensor) -> Tensor:
    """Return each path's cost, with a penalty on steps longer than ``longest``."""
    steps = points.diff(dim=-2).norm(dim=-1)
    return curve_cost(points) + torch.relu(steps - longest[..., None]).sum(dim=-1)


def _descend(variables: list[Tensor], objective, how: Descent) -> Tensor:  # noqa: ANN001
    """Minimise in place; return the sum of the costs after each step."""
    optimiser = torch.optim.Adam(variables, lr=how.rate)
    rates = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=1 / 3, patience=how.patience, threshold=how.tolerance
    )
    costs: list[Tensor] = []
    while len(costs) < how.most_steps and rates.get_last_lr()[0] >= how.last_rate:
        optimiser.zero_grad()
        total = objective().sum()
        total.backward()
        optimiser.step()
        rates.step(total.detach())
        costs.append(total.detach())
    return torch.stack(costs)
