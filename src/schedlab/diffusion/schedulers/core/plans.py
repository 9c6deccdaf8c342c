"""From a grid of noise levels to the calls of a solver, in order."""

import itertools
from collections.abc import Callable, Sequence

from schedlab.diffusion.schedulers.core.adams import BASHFORTH, transfer
from schedlab.diffusion.schedulers.core.levels import Level
from schedlab.diffusion.schedulers.core.moves import Call, Move

Rule = Callable[[Sequence[Level], Level], Move]
Pair = tuple[Level, Level]


def mirrored(rule: Rule) -> Rule:
    """Return the rule on noise predictions that belongs to one on data predictions."""
    return lambda levels, target: rule([level.mirrored for level in levels], target.mirrored)


def multistep(levels: Sequence[Level], orders: Sequence[int], rule: Rule) -> list[Call]:
    """Return one call per interval, which uses the ``order`` newest predictions."""
    return [
        Call(
            levels[i],
            levels[i + 1],
            rule(levels[i::-1][:order], levels[i + 1]),
            remember=max(orders) - 1,
        )
        for i, order in enumerate(orders)
    ]


def singlestep(levels: Sequence[Level], orders: Sequence[int], rule: Rule) -> list[Call]:
    """Return blocks of calls: order 1 opens a block, higher orders restart from its beginning."""
    return [
        call._replace(from_anchor=order > 1, hold=order == 1)
        for call, order in zip(multistep(levels, orders, rule), orders, strict=True)
    ]


def corrected(
    levels: Sequence[Level],
    orders: Sequence[int],
    predict: Rule,
    correct: Rule,
    skip: Sequence[int],
) -> list[Call]:
    """Return calls of a predictor that first correct the previous step, except after ``skip``."""
    calls = [
        call._replace(hold=True, remember=max(orders))
        for call in multistep(levels, orders, predict)
    ]
    for i in set(range(1, len(calls))) - {s + 1 for s in skip}:
        past = levels[i - 1 :: -1] if i > 1 else levels[:1]
        calls[i] = calls[i]._replace(correct=correct(past[: orders[i - 1]], levels[i]))
    return calls


def heun(levels: Sequence[Level]) -> list[Call]:
    """Return two calls per interval, Euler's step and the trapezium; one where noise ends.

    Karras et al., *Elucidating the Design Space*, Algorithm 1.
    """
    calls = []
    for here, target in itertools.pairwise(levels):
        calls.append(Call(here, target, transfer(here, target, (1.0,)), hold=True, remember=1))
        if target.sigma:
            average = transfer(here, target, (0.5, 0.5))
            calls.append(Call(target, target, average, from_anchor=True))
    return calls


def plms(pairs: Sequence[Pair]) -> list[Call]:
    """Return PNDM's multistep calls; the second repeats the first step with an averaged slope.

    Liu et al., *Pseudo Numerical Methods for Diffusion Models on Manifolds*, Algorithm 2, started
    as diffusers starts it.

    Parameters
    ----------
    pairs
        From where to where each call moves; the second pair is the first interval again.
    """
    first, *others = pairs
    calls = [Call(*first, transfer(*first, (1.0,)), hold=True, remember=1)]
    for i, (here, target) in enumerate(others):
        if i == 0:
            average = transfer(here, target, (0.5, 0.5))
            calls.append(Call(target, target, average, from_anchor=True, forget=1, remember=1))
        else:
            calls.append(bashforth(here, target, min(i + 1, 4)))
    return calls


def bashforth(here: Level, target: Level, order: int) -> Call:
    """Return a call that moves by an Adams-Bashforth mix of the newest noise predictions."""
    return Call(here, target, transfer(here, target, BASHFORTH[order - 1]), remember=3)


def runge_kutta(pairs: Sequence[Pair], first_history: int) -> list[Call]:
    """Return PNDM's four calls over one interval, of which only the first one's slope is kept.

    Liu et al., *Pseudo Numerical Methods for Diffusion Models on Manifolds*, equation 13.

    Parameters
    ----------
    pairs
        From where to where each of the four calls moves.
    first_history
        Predictions of earlier intervals that later calls will want.
    """
    mixes = ((1.0,), (1.0,), (1.0,), (1 / 6, 1 / 3, 1 / 3, 1 / 6))
    evaluated_at = [pairs[0][0], *(target for _, target in pairs)]
    return [
        Call(
            evaluated_at[stage],
            pair[1],
            transfer(*pair, mix),
            from_anchor=stage > 0,
            hold=stage == 0,
            forget=3 if stage == 3 else 0,
            remember=first_history + (1 if stage == 3 else stage + 1),
        )
        for stage, (pair, mix) in enumerate(zip(pairs, mixes, strict=True))
    ]
