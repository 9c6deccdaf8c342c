"""Class-pair based task sampling (GCP): classes that are confused come together again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from schedlab.metalearning.schedulers.interface import Feedback, Scheduler, State, top_weights

RULES = ("top", "sample")


class ClassPairs(Scheduler):
    """Potentials C of pairs of classes, raised where a trained task confused the two.

    Liu et al., *Adaptive task sampling for meta-learning* (ECCV 2020). After a task with classes i
    and j, C_ij ← C_ij^τ exp(α p), where p is the mean probability that queries of i give to j, plus
    that of j to i. Kept as logarithms, which cannot overflow. Classification only.

    The paper composes tasks class by class. From a pool that is given, ``top`` takes the candidates
    of highest Σ_c Π_{j≠c} C_cj over their classes, as the code of a later comparison does;
    ``sample`` draws them in proportion to the product over all their pairs, which the paper's
    greedy sampler approximates.

    Parameters
    ----------
    tensors, seed
        As for every scheduler.
    tau
        τ in (0, 1): how fast potentials are forgotten.
    alpha
        α > 0: how much confusion counts.
    rule
        ``top`` or ``sample``.

    Raises
    ------
    ValueError
        If the rule is unknown or a constant out of range.
    """

    needs = frozenset({"confusion"})

    def __init__(
        self,
        tensors: int = 1,
        seed: int = 0,
        tau: float = 0.7,
        alpha: float = 2.0,
        rule: str = "top",
    ) -> None:
        super().__init__(tensors, seed)
        if rule not in RULES:
            raise ValueError(f"rule: expected one of {', '.join(RULES)}, got {rule!r}")
        if not (0 < tau < 1 and alpha > 0):
            raise ValueError(f"expected 0 < tau < 1 and alpha > 0, got {tau} and {alpha}")
        self.tau, self.alpha, self.rule = tau, alpha, rule
        self.log_potential = torch.zeros(1, 1)

    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return probabilities from the potentials of every task's pairs of classes."""
        classes = state.field("classes")
        self._grow(int(classes.max()) + 1)
        pairs = self.log_potential[classes[:, :, None], classes[:, None, :]].sum(2)
        if self.rule == "top":
            return top_weights(pairs.logsumexp(1), state.batch)
        return (pairs.sum(1) / 2).softmax(0)

    def update(self, feedback: Feedback) -> None:
        """Raise the potentials of what the selected tasks confused, one task after the other."""
        if feedback.confusion is None:
            raise ValueError("class pairs need the confusion of the selected tasks")
        classes = feedback.state.field("classes")[feedback.selection.indices]
        self._grow(int(classes.max()) + 1)
        confused = self.alpha * (feedback.confusion + feedback.confusion.mT)
        used = feedback.selection.coefficients > 0
        for own, new in zip(classes[used], confused[used], strict=True):
            at = own[:, None], own[None, :]
            self.log_potential[at] = self.tau * self.log_potential[at] + new
            self.log_potential.fill_diagonal_(0)  # a class has no pair with itself

    def _grow(self, classes: int) -> None:
        missing = classes - len(self.log_potential)
        if missing > 0:
            self.log_potential = torch.nn.functional.pad(
                self.log_potential, (0, missing, 0, missing)
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the logarithms of the potentials."""
        return {"log_potential": self.log_potential.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` returned."""
        self.log_potential = state["log_potential"].clone()
