"""What is asked of a scheduler of dispatches: ``assign(dispatch, board) -> Schedule``.

>>> from schedlab.microcontrollers.schedulers import LPT
>>> check_scheduler(LPT)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from schedlab.microcontrollers import costs
from schedlab.microcontrollers.boards import Board, SystemCosts, board
from schedlab.microcontrollers.bounds import lower_bound
from schedlab.microcontrollers.model import Dispatch
from schedlab.microcontrollers.schedule import TOLERANCE, Schedule, play
from schedlab.testing.contract import Broken, Make, Rule, check, name_of, require, require_method

__all__ = ["SCHEDULER_RULES", "check_scheduler", "name_of"]

COLUMNS = ("core", "start", "end", "workgroups")


def _toy(name: str, speeds: tuple[float, ...], beta: float, costs: SystemCosts) -> Board:
    return Board(name, "toy", 1e6, speeds, 1.0, beta, 2**20, 2**22, costs=costs)


BOARDS = (
    _toy("one core", (1.0,), 0.0, SystemCosts()),
    _toy("two equal cores", (1.0, 1.0), 0.3, SystemCosts()),
    _toy("three unequal cores", (1.0, 0.5, 0.25), 0.1, SystemCosts(0, 0, 0, 0, 1e-6, 0, 0, 0)),
)


def _dispatches() -> tuple[Dispatch, ...]:
    rng = np.random.default_rng(0)
    return (
        Dispatch("a single workgroup", np.array([5e4])),
        Dispatch("fewer workgroups than cores", np.array([3e4, 1e4])),
        Dispatch("equal workgroups", np.full(12, 2e4)),
        Dispatch("unequal workgroups", rng.integers(1e3, 9e4, 25).astype(float)),
        Dispatch("a long one at the end", np.append(np.full(9, 1e4), 2e5)),
    )


def _cases() -> Iterator[tuple[Dispatch, Board]]:
    """Yield made-up dispatches on made-up boards, then a real network on a real board."""
    for on in BOARDS:
        for dispatch in _dispatches():
            yield dispatch, on
    pico = board("rp2040")
    for dispatch in costs.find(costs.OWN, "digits_cnn_int8", pico.target).dispatches:
        yield dispatch, pico


def _assigned(scheduler: Any, dispatch: Dispatch, on: Board) -> Schedule:
    schedule = scheduler.assign(dispatch, on)
    where = f"{dispatch.name} on {on.name}"
    for column in COLUMNS:
        values = getattr(schedule, column, None)
        shape = None if values is None else np.shape(values)
        require(
            shape == (dispatch.workgroups,),
            f"{where}: assign must return a Schedule whose {column} has one entry for each of "
            f"{dispatch.workgroups} workgroups, got {shape or schedule!r}",
        )
    return schedule


def has_the_interface(make: Make) -> None:
    """Require ``assign``, which returns a table with one row for each workgroup."""
    scheduler = make()
    require_method(scheduler, "assign")
    for dispatch, on in _cases():
        _assigned(scheduler, dispatch, on)


def runs_every_workgroup_once(make: Make) -> None:
    """Require that each workgroup runs once, on a core that the board has, from 0 on."""
    for dispatch, on in _cases():
        schedule = _assigned(make(), dispatch, on)
        where = f"{dispatch.name} on {on.name}"
        ids = np.asarray(schedule.workgroups)
        counts = np.bincount(ids[(ids >= 0) & (ids < dispatch.workgroups)], minlength=ids.size)
        for workgroup in np.flatnonzero(counts != 1):
            raise Broken(f"{where}: workgroup {workgroup} runs {counts[workgroup]} times")
        for core in set(np.asarray(schedule.core).tolist()) - set(range(on.cores)):
            raise Broken(f"{where}: uses core {core}, there are 0 to {on.cores - 1}")
        require(np.min(schedule.start) >= 0, f"{where}: starts before 0, at {schedule.start.min()}")


def lets_no_core_run_two_at_once(make: Make) -> None:
    """Require that a core's workgroup ends before its next begins."""
    for dispatch, on in _cases():
        schedule = _assigned(make(), dispatch, on)
        slack = TOLERANCE * max(schedule.makespan, 1.0)
        for core in range(on.cores):
            rows = np.flatnonzero(np.asarray(schedule.core) == core)
            rows = rows[np.argsort(np.asarray(schedule.start)[rows], kind="stable")]
            for first, second in pairwise(rows):
                require(
                    schedule.start[second] >= schedule.end[first] - slack,
                    f"{dispatch.name} on {on.name}: core {core} runs two workgroups at once, "
                    f"{schedule.workgroups[first]} until {schedule.end[first]:.6g} cycles and "
                    f"{schedule.workgroups[second]} from {schedule.start[second]:.6g}",
                )


def beats_no_bound(make: Make) -> None:
    """Require that nothing ends sooner than its core, or all of it than any schedule, could."""
    for dispatch, on in _cases():
        schedule = _assigned(make(), dispatch, on)
        where = f"{dispatch.name} on {on.name}"
        took = np.asarray(schedule.end) - np.asarray(schedule.start)
        least = on.work(dispatch)[schedule.workgroups] / np.array(on.speeds)[schedule.core]
        row = int((took - least).argmin())
        require(
            took[row] >= least[row] * (1 - TOLERANCE) - TOLERANCE * schedule.makespan,
            f"{where}: workgroup {schedule.workgroups[row]} takes {took[row]:.6g} cycles on core "
            f"{schedule.core[row]}, which needs {least[row]:.6g}",
        )
        bound = lower_bound(dispatch, on)
        require(
            schedule.makespan >= bound * (1 - TOLERANCE),
            f"{where}: ends after {schedule.makespan:.6g} cycles, no schedule can before "
            f"{bound:.6g}; do its cores slow each other down as the board says?",
        )


def decides_alike_whenever_asked(make: Make) -> None:
    """Require what a fresh one says, whatever it was asked before; inputs stay as they are."""
    used = make()
    cases = list(_cases())
    for dispatch, on in [*cases, *reversed(cases)]:
        work = dispatch.instructions.copy()
        schedule, fresh = _assigned(used, dispatch, on), _assigned(make(), dispatch, on)
        where = f"{dispatch.name} on {on.name}"
        require(np.array_equal(work, dispatch.instructions), f"{where}: it changed the dispatch")
        for column in COLUMNS:
            require(
                np.array_equal(getattr(schedule, column), getattr(fresh, column)),
                f"{where}: {column} differs from a fresh scheduler's; it must not remember "
                "other dispatches, nor draw without a seed of its own",
            )


def assigns_what_it_decides(make: Make) -> None:
    """Require that ``assign`` plays what ``decide`` says, by which whole networks go."""
    scheduler = make()
    if not hasattr(scheduler, "decide"):
        return
    for dispatch, on in _cases():
        played = play(dispatch, on, scheduler.decide(dispatch, on))
        require(
            np.array_equal(played.end, _assigned(scheduler, dispatch, on).end),
            f"{dispatch.name} on {on.name}: assign and decide disagree",
        )


SCHEDULER_RULES: tuple[Rule, ...] = (
    has_the_interface,
    runs_every_workgroup_once,
    lets_no_core_run_two_at_once,
    beats_no_bound,
    decides_alike_whenever_asked,
    assigns_what_it_decides,
)


def check_scheduler(make: Make) -> None:
    """Hold a scheduler of dispatches to its contract.

    Parameters
    ----------
    make
        Returns a fresh scheduler: the class, or a ``functools.partial`` with options.

    Raises
    ------
    AssertionError
        Naming each broken rule, the dispatch, the board and the workgroup.
    """
    check(make, SCHEDULER_RULES)
