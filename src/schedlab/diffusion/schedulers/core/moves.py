"""State in, state out: what every solver does once its coefficients are known.

All solvers of this package are linear in the current sample and in a few network predictions.
A rule (see :mod:`first_order`, :mod:`adams`, :mod:`exponential`, :mod:`unipc`) is only the choice
of coefficients, made once in float64; :func:`advance` applies them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from schedlab.diffusion.schedulers.core.levels import Level


class Move(NamedTuple):
    """``keep * base + sum(weights[j] * predictions[j])``, the newest prediction first."""

    keep: float
    weights: tuple[float, ...]


class Call(NamedTuple):
    """One evaluation of the network, and how the sample moves after it.

    Attributes
    ----------
    level
        Where the network is evaluated.
    target
        Where the sample is afterwards.
    move
        From the base to the new sample.
    correct
        From the anchor to a better base, now that this prediction is known (UniPC).
    from_anchor
        Whether the base is the anchor rather than the current sample.
    hold
        Whether the base becomes the anchor of later calls.
    forget
        How many of the newest predictions serve no later call (inner stages).
    remember
        How many of the others to keep.
    noise
        Standard deviation of fresh noise.
    """

    level: Level
    target: Level
    move: Move
    correct: Move | None = None
    from_anchor: bool = False
    hold: bool = False
    forget: int = 0
    remember: int = 0
    noise: float = 0.0


class State(NamedTuple):
    """All that a solver carries from call to call: no more, and nothing hidden."""

    sample: Tensor
    history: tuple[Tensor, ...] = ()
    anchor: Tensor | None = None


def combine(move: Move, base: Tensor, predictions: Sequence[Tensor]) -> Tensor:
    """Return a move's linear combination; no input is altered."""
    (first, *others) = zip(move.weights, predictions, strict=False)
    if move.keep == 1.0:
        total = torch.add(base, first[1], alpha=first[0])
    else:
        total = torch.mul(base, move.keep).add_(first[1], alpha=first[0])
    for weight, prediction in others:
        total.add_(prediction, alpha=weight)
    return total


def advance(state: State, prediction: Tensor, call: Call, noise: Tensor | None = None) -> State:
    """Return the state after one call.

    Parameters
    ----------
    state
        State before it.
    prediction
        What the network predicts at ``state.sample``, in the terms the move expects.
    call
        Coefficients.
    noise
        Standard normal, for a call with ``noise``.
    """
    history = (prediction, *state.history)
    base = state.anchor if call.from_anchor else state.sample
    if call.correct:
        base = combine(call.correct, state.anchor, history)
    sample = combine(call.move, base, history)
    if call.noise:
        sample.add_(noise, alpha=call.noise)
    kept = history[call.forget : call.forget + call.remember]
    return State(sample, kept, base if call.hold else state.anchor)
