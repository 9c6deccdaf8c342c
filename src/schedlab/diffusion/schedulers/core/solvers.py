"""Every deterministic solver by name, on any grid of levels, and the order it declares."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from schedlab.diffusion.schedulers.core import adams, exponential, plans, unipc
from schedlab.diffusion.schedulers.core.first_order import ddim
from schedlab.diffusion.schedulers.core.levels import Level
from schedlab.diffusion.schedulers.core.moves import Call, Move, State, advance

Epsilon = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Solver:
    """A method apart from any schedule.

    Attributes
    ----------
    plan
        From a grid of levels to the calls of a run.
    terms
        ``"data"`` or ``"noise"``, what its moves weigh.
    order
        Order of convergence that its authors declare.
    evaluations
        Calls of the network an interval.
    block
        Intervals that belong together; the grid should hold a multiple of them.
    history
        Predictions that a multistep solver weighs once it is under way.
    """

    plan: Callable[[Sequence[Level]], list[Call]]
    terms: str
    order: int
    evaluations: int = 1
    block: int = 1
    history: int = 1


def _rising(levels: Sequence[Level], order: int) -> list[int]:
    return [min(i + 1, order) for i in range(len(levels) - 1)]


def _multistep(rule: plans.Rule, order: int) -> Callable[[Sequence[Level]], list[Call]]:
    return lambda levels: plans.multistep(levels, _rising(levels, order), rule)


def _single_rule(levels: Sequence[Level], target: Level) -> Move:
    if len(levels) == 1:
        return exponential.multistep(levels, target)
    return exponential.singlestep(levels, target, solver_type="heun")


def _singlestep(rule: plans.Rule, order: int) -> Callable[[Sequence[Level]], list[Call]]:
    return lambda levels: plans.singlestep(
        levels, [i % order + 1 for i in range(len(levels) - 1)], rule
    )


def _unipc(order: int) -> Callable[[Sequence[Level]], list[Call]]:
    return lambda levels: plans.corrected(
        levels, _rising(levels, order), unipc.predictor, unipc.corrector, skip=()
    )


def _plms(levels: Sequence[Level]) -> list[Call]:
    pairs = list(itertools.pairwise(levels))
    return plans.plms([pairs[0], *pairs])


_true = partial(exponential.multistep, corrected=True)
_noise = plans.mirrored

SOLVERS: dict[str, Solver] = {
    "DDIM": Solver(_multistep(lambda past, to: ddim(past[0], to)[0], 1), "data", 1),
    "Heun": Solver(plans.heun, "noise", 2, evaluations=2),
    "LMS 4": Solver(_multistep(adams.lms, 4), "noise", 4, history=4),
    "PLMS": Solver(_plms, "noise", 2),
    "DEIS 2": Solver(_multistep(adams.deis, 2), "noise", 2, history=2),
    "DEIS 3": Solver(_multistep(adams.deis, 3), "noise", 3, history=3),
    "DPM-Solver 2M": Solver(_multistep(_noise(exponential.multistep), 2), "noise", 2, history=2),
    "DPM-Solver 3M": Solver(_multistep(_noise(exponential.multistep), 3), "noise", 3, history=3),
    "DPM-Solver 3M corrected": Solver(_multistep(_noise(_true), 3), "noise", 3, history=3),
    "DPM-Solver 3S": Solver(_singlestep(_noise(_single_rule), 3), "noise", 3, block=3),
    "DPM-Solver++ 2M": Solver(_multistep(exponential.multistep, 2), "data", 2, history=2),
    "DPM-Solver++ 3M": Solver(_multistep(exponential.multistep, 3), "data", 3, history=3),
    "DPM-Solver++ 3M corrected": Solver(_multistep(_true, 3), "data", 3, history=3),
    "DPM-Solver++ 2S": Solver(_singlestep(_single_rule, 2), "data", 2, block=2),
    "DPM-Solver++ 3S": Solver(_singlestep(_single_rule, 3), "data", 3, block=3),
    "UniPC 2": Solver(_unipc(2), "data", 3, history=2),
    "UniPC 3": Solver(_unipc(3), "data", 4, history=3),
}
"""Solvers by name; UniPC's corrector declares one order more than its predictor."""


def run(
    epsilon: Epsilon,
    x: Tensor,
    runs: Sequence[tuple[Solver, Sequence[Level]]],
    exact: Callable[[float], Tensor] | None = None,
) -> list[Tensor]:
    """Return where each solver takes the same samples; the network sees all of them at once.

    Parameters
    ----------
    epsilon
        ``epsilon(x, ratio)`` with ``alpha = 1``, ``x`` of shape (solvers, *samples) and ``ratio``
        of shape (solvers, 1, …).
    x
        Samples with ``alpha = 1`` at every grid's first level.
    runs
        Solver and grid of every run.
    exact
        The true solution by noise ratio. With it the first calls of a multistep solver, made
        while its history is short, end in the true solution.
    """
    plans_of = [solver.plan(levels) for solver, levels in runs]
    states = [State(x * levels[0].alpha) for _, levels in runs]
    for i in range(max(map(len, plans_of))):
        active = [k for k, plan in enumerate(plans_of) if i < len(plan)]
        calls = [plans_of[k][i] for k in active]
        scale = _column([1 / call.level.alpha for call in calls], x)
        ratio = _column([call.level.ratio for call in calls], x)
        noise = epsilon(torch.stack([states[k].sample for k in active]) * scale, ratio)
        for row, k in enumerate(active):
            states[k] = _moved(states[k], noise[row], calls[row], runs[k][0].terms)
            if exact and i + 1 < runs[k][0].history:
                states[k] = states[k]._replace(sample=_true(exact, calls[row].target))
    return [
        state.sample / levels[-1].alpha for state, (_, levels) in zip(states, runs, strict=True)
    ]


def _moved(state: State, noise: Tensor, call: Call, terms: str) -> State:
    if terms == "noise":
        return advance(state, noise, call)
    return advance(state, (state.sample - call.level.sigma * noise) / call.level.alpha, call)


def _true(exact: Callable[[float], Tensor], level: Level) -> Tensor:
    return exact(level.ratio) * level.alpha


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype).reshape(-1, *[1] * like.ndim)
