"""The least expected task comes next: in the style of probabilistic active meta-learning (PAML)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from schedlab.metalearning.schedulers.interface import Feedback, Scheduler, State, top_weights


class SelfInformation(Scheduler):
    """Tasks with the most self-information under the mixture of tasks trained on so far.

    Kaddour, Sæmundsson and Deisenroth, *Probabilistic active meta-learning* (NeurIPS 2020): the
    utility of a candidate h is u(h) = −log Σ_i q_i(h) + log N over the posteriors of N training
    tasks. Theirs are variational task embeddings; this stand-in takes the mean feature of a support
    set for h and a Gaussian around that of each trained task for q_i, hence "PAML-style".

    Parameters
    ----------
    tensors, seed
        As for every scheduler.
    memory
        How many of the last trained tasks are remembered, N.
    bandwidth
        Standard deviation of the Gaussians, relative to the root mean squared distance between
        remembered tasks.

    Raises
    ------
    ValueError
        If an option is not positive.
    """

    needs = frozenset({"features"})

    def __init__(
        self, tensors: int = 1, seed: int = 0, memory: int = 200, bandwidth: float = 0.5
    ) -> None:
        super().__init__(tensors, seed)
        if not (memory > 0 and bandwidth > 0):
            raise ValueError(f"expected memory and bandwidth above 0, got {memory} and {bandwidth}")
        self.memory, self.bandwidth = memory, bandwidth
        self.trained: Tensor | None = None

    def utility(self, features: Tensor) -> Tensor:
        """Return u of candidates, shape ``(n,)``, up to a constant that all share.

        Parameters
        ----------
        features
            Shape ``(n, d)``.
        """
        if self.trained is None:
            return torch.zeros(len(features))
        known = self.trained
        scale = (known - known.mean(0)).square().sum(1).mean() * 2 * self.bandwidth**2
        squared = torch.cdist(features, known).square() / scale.clamp_min(1e-12)
        return math.log(len(known)) - (-squared / 2).logsumexp(1)

    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return equal weights on the most informative tasks."""
        return top_weights(self.utility(state.field("features")), state.batch)

    def update(self, feedback: Feedback) -> None:
        """Remember the tasks that were trained on."""
        chosen = feedback.selection.indices[feedback.selection.coefficients > 0]
        new = feedback.state.field("features")[chosen]
        known = new if self.trained is None else torch.cat([self.trained, new])
        self.trained = known[-self.memory :].clone()

    def state_dict(self) -> dict[str, Any]:
        """Return the remembered tasks."""
        return {} if self.trained is None else {"trained": self.trained.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` returned."""
        self.trained = state["trained"].clone() if "trained" in state else None
