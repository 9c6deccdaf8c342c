"""What the training loop and a task scheduler say to each other, one run at a time.

A scheduler sees a pool of n candidate tasks and says with which probability each is trained on. It
never sees data, and never knows the experiment it is in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

BASELINES = ("running_mean", "paired", "none")


@dataclass(frozen=True)
class State:
    """What the meta-model thinks of a pool of candidate tasks; nothing carries a gradient.

    Attributes
    ----------
    progress
        Share of meta-training done, in [0, 1).
    step
        Meta-updates done, not counting a warm-up.
    batch
        How many tasks will be taken, B.
    losses
        Query loss after adaptation, shape ``(n,)``.
    cosines
        Per parameter tensor, cosine (or inner product) of support and query gradient at the
        un-adapted initialisation, shape ``(n, tensors)``.
    norms
        Per parameter tensor, norm of the query gradient, shape ``(n, tensors)``.
    features
        Mean feature of the support set, shape ``(n, d)``.
    classes
        Global class numbers, shape ``(n, ways)``.
    noisy
        Which tasks are corrupted, shape ``(n,)``; only the oracle looks.
    support_features, support_labels
        Features ``(n, k, d)`` and labels ``(n, k)`` of the support sets.
    support_gradients, query_gradients
        Flat gradients at the un-adapted initialisation, shape ``(n, p)``.
    """

    progress: float = 0.0
    step: int = 0
    batch: int = 1
    losses: Tensor | None = None
    cosines: Tensor | None = None
    norms: Tensor | None = None
    features: Tensor | None = None
    classes: Tensor | None = None
    noisy: Tensor | None = None
    support_features: Tensor | None = None
    support_labels: Tensor | None = None
    support_gradients: Tensor | None = None
    query_gradients: Tensor | None = None

    @property
    def size(self) -> int:
        """Number of candidates n."""
        known = (getattr(self, name) for name in SIZED)
        return len(next(value for value in known if value is not None))

    def field(self, name: str) -> Tensor:
        """Return a field that must be there.

        Raises
        ------
        ValueError
            If the loop did not compute it.
        """
        value = getattr(self, name)
        if value is None:
            raise ValueError(
                f"the pool comes without {name}: the world has none, or the scheduler's needs do "
                "not name it"
            )
        return value


SIZED = (
    *("losses", "cosines", "norms", "features", "classes", "noisy"),
    *("support_features", "support_gradients", "query_gradients"),
)


@dataclass(frozen=True)
class Selection:
    """The tasks that are trained on.

    Attributes
    ----------
    indices
        Positions in the pool in the order they were drawn, shape ``(B,)``.
    coefficients
        What multiplies each task's loss in the meta-update, shape ``(B,)``; they sum to 1, and are
        0 where fewer than B tasks were taken and a position only fills up.
    """

    indices: Tensor
    coefficients: Tensor


@dataclass(frozen=True)
class Feedback:
    """What became of a selection.

    Attributes
    ----------
    state, weights, selection
        The pool, the probabilities that the scheduler gave it, and what was taken.
    reward
        How the temporary meta-model did on the validation tasks; ``None`` without one.
    reference
        The same for the meta-model as it was, on the same tasks; for the paired baseline.
    losses
        Query losses of the selected tasks, shape ``(B,)``.
    confusion
        Mean probability that queries of class i give to class j, shape ``(B, ways, ways)``.
    task_rewards
        Reward after a temporary step on each selected task alone, shape ``(B,)``.
    """

    state: State
    weights: Tensor
    selection: Selection
    reward: float | None = None
    reference: float | None = None
    losses: Tensor | None = None
    confusion: Tensor | None = None
    task_rewards: Tensor | None = None


@dataclass(frozen=True)
class Bilevel:
    """How the loop rewards a scheduler that learns: the upper level of the bi-level problem.

    Attributes
    ----------
    validation_tasks
        How many are drawn at each step; ``None`` takes all of them, always the same.
    temporary_lr
        Step size β of the temporary meta-model; ``None`` takes the inner learning rate.
    reward
        ``score`` (accuracy, R², …) or ``loss``, its negative.
    baseline
        What is subtracted from the reward: its ``running_mean``; ``paired``, the same reward of the
        meta-model before the step, and a moving average of that difference; or ``none``.
    warm_up
        Steps in which the scheduler learns while the meta-model stands still.
    cached, cached_tasks
        Whether the warm-up draws its pools from that many candidates whose factors and
        meta-gradients are computed once.
    similarity
        ``cosine`` of the code or ``inner_product`` of the paper.
    scope
        Whether ``all`` parameters or only the ``head`` count for similarity.
    """

    validation_tasks: int | None = 2
    temporary_lr: float | None = None
    reward: str = "score"
    baseline: str = "running_mean"
    warm_up: int = 0
    cached: bool = False
    cached_tasks: int = 160
    similarity: str = "cosine"
    scope: str = "all"

    def __post_init__(self) -> None:
        """Refuse what no loop could do."""
        _one_of("reward", self.reward, ("score", "loss"))
        _one_of("baseline", self.baseline, BASELINES)
        _one_of("similarity", self.similarity, ("cosine", "inner_product"))
        _one_of("scope", self.scope, ("all", "head"))


class Scheduler:
    """A task sampler; subclasses define :meth:`weights`.

    Parameters
    ----------
    tensors
        Parameter tensors of the meta-model that similarity is measured on.
    seed
        Source of the scheduler's own initial weights.

    Attributes
    ----------
    needs
        Fields of :class:`State` and :class:`Feedback` that the loop must compute for it.
    bilevel
        How it is rewarded; ``None`` if it does not learn from rewards.
    query_loss
        A function of outputs and targets that takes the place of the task's loss in the
        meta-update, or ``None``.
    """

    needs: frozenset[str] = frozenset()
    bilevel: Bilevel | None = None
    query_loss: Callable[[Tensor, Tensor], Tensor] | None = None

    def __init__(self, tensors: int = 1, seed: int = 0) -> None:
        self.tensors = tensors
        self.seed = seed

    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return the probability of every candidate, shape ``(n,)``.

        Parameters
        ----------
        state
            The pool.
        final
            Whether the real meta-model is about to be updated, not a temporary one.
        """
        raise NotImplementedError

    def select(self, weights: Tensor, batch: int, generator: torch.Generator) -> Selection:
        """Take ``batch`` of the candidates, by their probabilities and without replacement."""
        return sample(weights, batch, generator)

    def update(self, feedback: Feedback) -> None:
        """Learn from what became of a selection."""

    def state_dict(self) -> dict[str, Any]:
        """Return what it has learnt, as tensors, numbers and strings."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` returned."""


def sample(
    weights: Tensor, batch: int, generator: torch.Generator, replace: bool = False
) -> Selection:
    """Draw candidates by their probabilities.

    Draws without replacement are sequential and renormalised, as in NumPy's ``choice``: the largest
    of log w + Gumbel noise have just this law (Plackett-Luce), in order. Where fewer than ``batch``
    candidates have a positive weight, all of those are taken.

    Parameters
    ----------
    weights
        Not negative, shape ``(n,)``; they need not sum to one.
    batch
        How many to take: at least 1 and, without replacement, at most n.
    generator
        Source of randomness.
    replace
        Whether a candidate may be taken more than once.

    Raises
    ------
    ValueError
        If the weights are no distribution or the number is impossible.
    """
    _check_pool(weights, batch, replace)
    if replace:
        drawn = torch.multinomial(weights, batch, replacement=True, generator=generator)
        return Selection(drawn, torch.full((batch,), 1 / batch))
    noise = torch.empty_like(weights).exponential_(generator=generator)
    return top(weights.log() - noise.log(), batch)


def top(scores: Tensor, batch: int) -> Selection:
    """Take the highest scores, of equal ones the first; a score of −∞ is not taken."""
    order = scores.sort(descending=True, stable=True)
    taken = (order.values[:batch] > -torch.inf).float()
    return Selection(order.indices[:batch], taken / taken.sum())


def equal_weights(mask: Tensor) -> Tensor:
    """Return equal probabilities where the mask says so, or everywhere if it is empty."""
    chosen = mask.float() if bool(mask.any()) else torch.ones(len(mask))
    return chosen / chosen.sum()


def top_weights(scores: Tensor, batch: int) -> Tensor:
    """Return equal probabilities on the ``batch`` highest scores, of equal ones the first."""
    mask = torch.zeros(len(scores), dtype=torch.bool)
    mask[scores.sort(descending=True, stable=True).indices[:batch]] = True
    return equal_weights(mask)


def _check_pool(weights: Tensor, batch: int, replace: bool) -> None:
    if not 1 <= batch <= (batch if replace else len(weights)):
        raise ValueError(f"cannot take {batch} of {len(weights)} candidates without replacement")
    total = weights.sum()
    if not (bool((weights >= 0).all()) and total > 0 and bool(total.isfinite())):
        raise ValueError(
            f"weights must be finite, not negative and somewhere positive, got {weights.tolist()}"
        )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")
