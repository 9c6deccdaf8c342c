"""Every deterministic solver by name, on any grid of levels, and the order it declares."""

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
    """

    plan: Callable[[Sequence[Level]], list[Call]]
    terms: str
    order: int
    evaluations: int = 1
    block: int = 1


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
    pairs = list(zip(levels, levels[1:], strict=False))
    return plans.plms([pairs[0], *pairs])


_true = partial(exponential.multistep, corrected=True)
_noise = plans.mirrored

SOLVERS: dict[str, Solver] = {
    "DDIM": Solver(_multistep(lambda past, to: ddim(past[0], to)[0], 1), "data", 1),
    "Heun": Solver(plans.heun, "noise", 2, evaluations=2),
    "LMS 4": Solver(_multistep(adams.lms, 4), "noise", 4),
    "PLMS": Solver(_plms, "noise", 4),
    "DEIS 2": Solver(_multistep(adams.deis, 2), "noise", 2),
    "DEIS 3": Solver(_multistep(adams.deis, 3), "noise", 3),
    "DPM-Solver 2M": Solver(_multistep(_noise(exponential.multistep), 2), "noise", 2),
    "DPM-Solver 3M": Solver(_multistep(_noise(exponential.multistep), 3), "noise", 3),
    "DPM-Solver 3M corrected": Solver(_multistep(_noise(_true), 3), "noise", 3),
    "DPM-Solver 3S": Solver(_singlestep(_noise(_single_rule), 3), "noise", 3, block=3),
    "DPM-Solver++ 2M": Solver(_multistep(exponential.multistep, 2), "data", 2),
    "DPM-Solver++ 3M": Solver(_multistep(exponential.multistep, 3), "data", 3),
    "DPM-Solver++ 3M corrected": Solver(_multistep(_true, 3), "data", 3),
    "DPM-Solver++ 2S": Solver(_singlestep(_single_rule, 2), "data", 2, block=2),
    "DPM-Solver++ 3S": Solver(_singlestep(_single_rule, 3), "data", 3, block=3),
    "UniPC 2": Solver(_unipc(2), "data", 3),
    "UniPC 3": Solver(_unipc(3), "data", 4),
}
"""Solvers by name; UniPC's corrector declares one order more than its predictor."""


def run(epsilon: Epsilon, x: Tensor, plans_of: Sequence[tuple[Solver, Sequence[Level]]]) -> list[Tensor]:
    """Return where each solver takes the same samples; the network sees all of them at once.

    Parameters
    ----------
    epsilon
        ``epsilon(x, ratio)`` with ``alpha = 1``, ``x`` of shape (solvers, *samples) and ``ratio``
        of shape (solvers, 1, …).
    x
        Samples with ``alpha = 1`` at every grid's first level.
    plans_of
        Solver and grid of every run.
    """
    states = [State(x * levels[0].alpha) for _, levels in plans_of]
    calls = [solver.plan(levels) for solver, levels in plans_of]
    for i in range(max(map(len, calls))):
        active = [k for k, plan in enumerate(calls) if i < len(plan)]
        levels = [calls[k][i].level for k in active]
        scale = _column([1 / level.alpha for level in levels], x)
        ratio = _column([level.ratio for level in levels], x)
        noise = epsilon(torch.stack([states[k].sample for k in active]) * scale, ratio)
        for row, k in enumerate(active):
            call, sample = calls[k][i], states[k].sample
            data_form = plans_of[k][0].terms == "data"
            prediction = (sample - call.level.sigma * noise[row]) / call.level.alpha if data_form else noise[row]
            states[k] = advance(states[k], prediction, call)
    return [
        state.sample / levels[-1].alpha
        for state, (_, levels) in zip(states, plans_of, strict=True)
    ]


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype).reshape(-1, *[1] * like.ndim)
