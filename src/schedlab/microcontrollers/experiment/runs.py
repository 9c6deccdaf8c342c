"""What all microcontroller experiments share: which network runs where, and run-to-run jitter."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from schedlab.lab.resolve import resolve_all
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep
from schedlab.microcontrollers import costs
from schedlab.microcontrollers.boards import Board, board
from schedlab.microcontrollers.model import Model, with_instructions
from schedlab.microcontrollers.parameters import Scene
from schedlab.microcontrollers.schedulers import SCHEDULERS

CUT = 3.0  # standard deviations beyond which jitter is cut


def pairs(counts: str, boards: Sequence[str]) -> list[tuple[Model, Board]]:
    """Return each network with its default grid on each board that executes it."""
    return [
        (model, board(name))
        for name in boards
        for model in costs.default_grids(counts)
        if model.target == board(name).target
    ]


def jittered(model: Model, spread: float, seed: int) -> Model:
    """Return a model whose workgroups took a little more or less than measured.

    Each count is multiplied by ``1 + spread z`` with standard normal ``z``, cut at three: what
    caches, flash and interrupts add from run to run. Its size on a board is an assumption.
    """
    random = generator(seed, "jitter", model.name, model.target, model.grid)
    draws = [random.standard_normal(d.workgroups) for d in model.dispatches]
    return with_instructions(model, [1 + spread * z.clip(-CUT, CUT) for z in draws])


def changed(
    on: Board,
    *,
    beta: float | None = None,
    job_cycles: float | None = None,
    dispatch_cycles: float | None = None,
    cpi: float | None = None,
) -> Board:
    """Return a board with some of its costs replaced."""
    dispatch = on.costs.dispatch if dispatch_cycles is None else dispatch_cycles
    return replace(
        on,
        beta=on.beta if beta is None else beta,
        job_cycles=on.job_cycles if job_cycles is None else job_cycles,
        cpi=on.cpi if cpi is None else cpi,
        costs=replace(on.costs, dispatch=dispatch),
    )


def unhindered(on: Board) -> Board:
    """Return a board without contention, hand-overs, or serial work: tiles alone."""
    return changed(on, beta=0.0, job_cycles=0.0, dispatch_cycles=0.0)


def made(entries: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield label and scheduler of each entry."""
    for choice in resolve_all(entries, SCHEDULERS):
        yield choice.label, choice.make()


def by_seed(
    measure: Callable[..., pd.DataFrame], parameters: Scene, label: str, **fixed: Any
) -> pd.DataFrame:
    """Call ``measure(scene=…, seed=…)`` for each seed and stack the tables.

    A run takes less than a millisecond, so that one process does all of them.
    """
    call = partial(measure, scene=parameters.model_dump(), **fixed)
    return sweep(call, [{}], parameters.seeds, label=label, jobs=1)


def own_labels(entries: Sequence[Any]) -> list[str]:
    """Return the labels of schedulers that come from a user's own module."""
    return [c.label for c in resolve_all(entries, SCHEDULERS) if c.registered is None]


def names(model: Model, on: Board) -> dict[str, str]:
    """Return the columns that say what ran where."""
    return {"model": costs.title(model.name), "target": model.target, "board": on.name}
