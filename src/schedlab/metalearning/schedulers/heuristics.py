"""Fixed rules for which tasks come next, and the oracle that knows which are corrupted.

All take the same number of the same candidates as any other scheduler.
"""

from __future__ import annotations

import torch
from torch import Tensor

from schedlab.metalearning.schedulers.interface import (
    Scheduler,
    State,
    equal_weights,
    top_weights,
)


class Uniform(Scheduler):
    """Every candidate with equal probability: conventional meta-training."""

    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return 1/n everywhere."""
        return torch.full((state.size,), 1 / state.size)


class SelfPaced(Scheduler):
    """Easy tasks first: v_i = 1[L_i < λ], λ growing.

    Kumar, Packer and Koller, *Self-paced learning for latent variable models* (NeurIPS 2010), with
    post-adaptation query losses. On a pool of fixed size the B lowest losses stand for the
    threshold (our adaptation; how the authors of ATS applied it was not to be found).

    Parameters
    ----------
    tensors, seed
        As for every scheduler.
    threshold
        λ at the start, in units of the loss; ``None`` takes the B lowest losses.
    growth
        Factor on λ after every meta-update.
    """

    needs = frozenset({"losses"})

    def __init__(
        self,
        tensors: int = 1,
        seed: int = 0,
        threshold: float | None = None,
        growth: float = 1.01,
    ) -> None:
        super().__init__(tensors, seed)
        if growth < 1:
            raise ValueError(f"growth: self-paced learning adds tasks, expected >= 1, got {growth}")
        self.threshold, self.growth = threshold, growth

    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return equal weights on the tasks below λ; on the easiest if there is none."""
        losses = state.field("losses")
        if self.threshold is None:
            return top_weights(-losses, state.batch)
        limit = self.threshold * self.growth**state.step
        return equal_weights(losses <= max(limit, float(losses.min())))


class Hardest(Scheduler):
    """The B highest losses, a control: what noise is worst for."""

    needs = frozenset({"losses"})

    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return equal weights on the hardest tasks."""
        return top_weights(state.field("losses"), state.batch)


class MostSimilar(Scheduler):
    """The B highest mean similarities of support and query gradient, a control."""

    needs = frozenset({"cosines"})

    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return equal weights on the tasks whose sets agree most."""
        return top_weights(state.field("cosines").mean(1), state.batch)


class Oracle(Scheduler):
    """Only tasks that are not corrupted, uniformly: what no scheduler can know.

    Where the pool holds fewer clean tasks than a batch, it takes those; where none, anything.
    """

    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return equal weights on the clean tasks."""
        return equal_weights(~state.field("noisy"))
