"""A pool of candidates for all seeds, and each seed's view of it as its scheduler takes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from schedlab.metalearning.batches import Tasks, pick
from schedlab.metalearning.learners.candidates import Candidates
from schedlab.metalearning.learners.factors import head_gradients
from schedlab.metalearning.learners.records import Params
from schedlab.metalearning.schedulers.interface import Feedback, Scheduler, Selection, State

FACTORS = frozenset(  # what only a pass over the whole pool can tell
    [
        "losses",
        "cosines",
        "norms",
        "features",
        "support_features",
        "support_gradients",
        "query_gradients",
    ]
)


@dataclass(frozen=True)
class Pool:
    """Candidates of an iteration.

    Attributes
    ----------
    fields
        Those of :class:`State` that are known, with an axis of seeds in front.
    gradient
        From indices and coefficients, ``(seeds, b)``, to the meta-gradient of such a selection.
    """

    fields: dict[str, Tensor]
    gradient: Callable[[Tensor, Tensor], Params] | None

    def take(self, index: Tensor) -> Pool:
        """Return some of the candidates as a pool; ``index`` has shape ``(seeds, n)``."""
        fields = {name: pick(values, index) for name, values in self.fields.items()}

        def gradient(chosen: Tensor, coefficients: Tensor) -> Params:
            assert self.gradient is not None
            return self.gradient(index.gather(1, chosen), coefficients)

        return Pool(fields, gradient)

    def states(self, *, progress: float, step: int, batch: int) -> list[State]:
        """Return what each seed's scheduler sees."""
        seeds = len(self.fields["noisy"])
        own = [{name: values[i] for name, values in self.fields.items()} for i in range(seeds)]
        return [State(progress=progress, step=step, batch=batch, **each) for each in own]


def pool_of(tasks: Tasks, candidates: Candidates | None, needs: frozenset[str]) -> Pool:
    """Return a pool with the fields that tasks carry and, of the factors, those needed.

    Parameters
    ----------
    tasks
        Of all seeds.
    candidates
        What the learner knows of them; None where no factor is needed.
    needs
        Names of fields.
    """
    fields = {"noisy": tasks.noisy}
    fields |= {"classes": tasks.classes} if tasks.classes is not None else {}
    if candidates is None:
        return Pool(fields, None)
    before = candidates.before
    makers: dict[str, Callable[[], Tensor | None]] = {
        "losses": lambda: candidates.losses,
        "cosines": lambda: candidates.similarity,
        "norms": lambda: candidates.query_norms,
        "features": lambda: before.support.mean(-2),
        "support_features": lambda: before.support,
        "support_labels": lambda: tasks.y_support,
        "support_gradients": lambda: head_gradients(before)[0],
        "query_gradients": lambda: head_gradients(before)[1],
    }
    wanted = needs | {"losses", "support_labels" if "support_features" in needs else "losses"}
    made = {name: make() for name, make in makers.items() if name in wanted}
    return Pool(fields | {n: v for n, v in made.items() if v is not None}, candidates.gradient)


@dataclass(frozen=True)
class Choice:
    """What the schedulers of all seeds decided about a pool.

    Attributes
    ----------
    weights
        Probabilities, shape ``(seeds, n)``.
    index, coefficients
        The tasks taken and what multiplies their losses, shape ``(seeds, b)``.
    """

    weights: Tensor
    index: Tensor
    coefficients: Tensor

    def feedback(self, seed: int, state: State, **found: Tensor | float | None) -> Feedback:
        """Return one seed's feedback."""
        selection = Selection(self.index[seed], self.coefficients[seed])
        return Feedback(state, self.weights[seed], selection, **found)  # type: ignore[arg-type]


def choose(
    schedulers: Sequence[Scheduler],
    states: Sequence[State],
    batch: int,
    streams: Sequence[torch.Generator],
    *,
    final: bool,
) -> Choice:
    """Let every seed's scheduler weigh its candidates and select.

    Raises
    ------
    ValueError
        If a scheduler's weights are no probabilities of its candidates.
    """
    weights, selections = [], []
    for scheduler, state, stream in zip(schedulers, states, streams, strict=True):
        own = scheduler.weights(state, final=final).detach()
        _check(own, state.size, scheduler)
        weights.append(own)
        selections.append(scheduler.select(own, batch, stream))
    return Choice(
        torch.stack(weights),
        torch.stack([s.indices for s in selections]),
        torch.stack([s.coefficients for s in selections]),
    )


def _check(weights: Tensor, size: int, scheduler: Scheduler) -> None:
    sums = weights.shape == (size,) and bool((weights >= 0).all())
    if not sums or not torch.isclose(weights.sum(), torch.ones(()), atol=1e-4):
        raise ValueError(
            f"{type(scheduler).__name__}.weights must give {size} probabilities that sum to 1, "
            f"gave {weights}"
        )
