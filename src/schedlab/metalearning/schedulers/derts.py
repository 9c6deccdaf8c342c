"""A weighted subset of tasks whose gradient stands for the pool's (DERTS)."""

from __future__ import annotations

import torch
from torch import Tensor

from schedlab.metalearning.schedulers.interface import Scheduler, Selection, State, top


class GradientMedoids(Scheduler):
    """B tasks that cover the pool's gradients, each weighted by how many it stands for.

    Zhan and Anderson, *Data-efficient and robust task selection for meta-learning* (CVPR workshops
    2024): a mapping Γ from the pool to a subset S bounds the error of its weighted gradient,
    ‖Σ_j g_j − Σ_{i∈S} γ_i g_i‖ ≤ Σ_j ‖g_j − g_{Γ(j)}‖, with γ_i the number of tasks mapped to i; S
    minimises the bound by greedy submodular maximisation. Reconstructed from public descriptions;
    gradients are the head's at the un-adapted initialisation, and every step looks at its own pool.
    """

    needs = frozenset({"query_gradients"})

    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return γ/n on the chosen tasks and 0 elsewhere."""
        gradients = state.field("query_gradients")
        chosen = medoids(torch.cdist(gradients, gradients), state.batch)
        served = torch.cdist(gradients, gradients[chosen]).argmin(1)
        counts = torch.bincount(served, minlength=len(chosen)).float()
        return torch.zeros(state.size).index_put((chosen,), counts / state.size)

    def select(self, weights: Tensor, batch: int, generator: torch.Generator) -> Selection:
        """Take the tasks with a weight, which multiplies their loss."""
        indices = top(weights, batch).indices
        return Selection(indices, weights[indices] / weights[indices].sum())


def medoids(distances: Tensor, count: int) -> Tensor:
    """Return ``count`` points, greedily, that lower Σ_j min_{i∈S} d_ij most.

    The gain is monotone and submodular, so that the greedy set gains at least 1 − 1/e of the best.

    Parameters
    ----------
    distances
        Shape ``(n, n)``.
    count
        At most n.
    """
    nearest = distances.max().expand(len(distances))
    chosen: list[int] = []
    for _ in range(count):
        costs = torch.minimum(nearest[:, None], distances).sum(0)
        costs[chosen] = torch.inf
        chosen.append(int(costs.argmin()))
        nearest = torch.minimum(nearest, distances[:, chosen[-1]])
    return torch.tensor(chosen)
