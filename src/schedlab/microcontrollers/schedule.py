"""What a scheduler decides about one dispatch, and the schedule that comes of it on a board."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from schedlab.microcontrollers import fluid
from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.model import Dispatch

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-6  # relative, of times


class Decision(NamedTuple):
    """How a dispatch is handed to the cores.

    Attributes
    ----------
    order
        Workgroups in the order of the queue; row-major where None.
    bounds
        Chunk ``k`` holds the positions ``bounds[k]`` to ``bounds[k + 1]`` of the order; each
        workgroup is one where None.
    owner
        Core of each chunk, or -1 for whoever is idle first, as for all where None.
    steal
        Whether a core that has run out takes from the others.
    inline
        Whether hand-overs cost nothing, as in a plain loop.
    """

    order: np.ndarray | None = None
    bounds: np.ndarray | None = None
    owner: np.ndarray | None = None
    steal: bool = False
    inline: bool = False


@dataclass(frozen=True, eq=False)
class Schedule:
    """A table of core, start, end and workgroup, one row for each workgroup.

    Attributes
    ----------
    core, workgroups
        Core and workgroup of each row.
    start, end
        Cycles from the beginning of the dispatch. What a hand-over costs lies before the start.
    """

    core: np.ndarray
    start: np.ndarray
    end: np.ndarray
    workgroups: np.ndarray

    @property
    def makespan(self) -> float:
        """Cycles until the last workgroup has ended."""
        return float(self.end.max())

    def table(self) -> pd.DataFrame:
        """Return the rows, earliest first."""
        import pandas as pd

        columns = {"core": self.core, "start": self.start, "end": self.end}
        table = pd.DataFrame({**columns, "workgroup": self.workgroups})
        return table.sort_values(["start", "core"], ignore_index=True)


@cache
def counting(n: int) -> np.ndarray:
    """Return 0 to ``n - 1``, the same read-only array each time."""
    numbers = np.arange(n)
    numbers.flags.writeable = False
    return numbers


@cache
def shared(n: int) -> np.ndarray:
    """Return ``n`` chunks without an owner, the same read-only array each time."""
    owners = np.full(n, fluid.SHARED)
    owners.flags.writeable = False
    return owners


def complete(decision: Decision, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return order, bounds and owners of a decision about ``n`` workgroups."""
    order, bounds, owner = decision[:3]
    bounds = counting(n + 1) if bounds is None else bounds
    return (
        counting(n) if order is None else order,
        bounds,
        shared(len(bounds) - 1) if owner is None else owner,
    )


def play(dispatch: Dispatch, board: Board, decision: Decision) -> Schedule:
    """Run a dispatch on a board with the fast engine: what follows from a decision.

    Raises
    ------
    ValueError
        If the order leaves a workgroup out or repeats one, the chunks do not cover it, or an
        owner is no core.
    """
    n = dispatch.workgroups
    order, bounds, owner = (np.array(a, dtype=np.int64) for a in complete(decision, n))
    _check_decision(dispatch, board, order, bounds, owner)
    core, start, end = fluid.play(
        board.work(dispatch),
        order,
        bounds,
        owner,
        np.array(board.speeds),
        float(board.beta),
        overhead(board, decision),
        raid(board, decision),
    )
    return Schedule(core, start, end, np.arange(n))


def overhead(board: Board, decision: Decision) -> float:
    """Return the cycles of one hand-over."""
    return 0.0 if decision.inline else float(board.job_overhead)


def raid(board: Board, decision: Decision) -> float:
    """Return the cycles of one raid, negative where there are none."""
    return float(board.costs.steal) if decision.steal else -1.0


def _check_decision(
    dispatch: Dispatch, board: Board, order: np.ndarray, bounds: np.ndarray, owner: np.ndarray
) -> None:
    n = dispatch.workgroups
    if not np.array_equal(np.sort(order), np.arange(n)):
        raise ValueError(f"{dispatch.name}: the order must name each of {n} workgroups once")
    if bounds[0] != 0 or bounds[-1] != n or (np.diff(bounds) < 1).any():
        raise ValueError(f"{dispatch.name}: chunks must rise from 0 to {n}, got {bounds.tolist()}")
    if owner.size != bounds.size - 1:
        raise ValueError(f"{dispatch.name}: {bounds.size - 1} chunks need as many owners")
    if not (owner.min() >= fluid.SHARED and owner.max() < board.cores):
        raise ValueError(f"{dispatch.name}: {board.name} has cores 0 to {board.cores - 1}")


def check(schedule: Schedule, dispatch: Dispatch, board: Board) -> None:
    """Refuse a schedule that no board could follow.

    Raises
    ------
    ValueError
        If a workgroup is missing or runs twice, a core runs two at once, or one ends sooner than
        its core could even without contention.
    """
    if not np.array_equal(np.sort(schedule.workgroups), np.arange(dispatch.workgroups)):
        raise ValueError(f"{dispatch.name}: the schedule must run each workgroup exactly once")
    if schedule.start.min() < 0 or not set(schedule.core) <= set(range(board.cores)):
        raise ValueError(f"{dispatch.name}: a start before 0, or a core that {board.name} lacks")
    slack = TOLERANCE * max(schedule.makespan, 1.0)
    least = board.work(dispatch)[schedule.workgroups] / np.array(board.speeds)[schedule.core]
    if (schedule.end - schedule.start < least - slack).any():
        raise ValueError(f"{dispatch.name}: a workgroup ends sooner than its core can run it")
    by_core = np.lexsort((schedule.start, schedule.core))
    core, start, end = (a[by_core] for a in (schedule.core, schedule.start, schedule.end))
    if ((core[1:] == core[:-1]) & (start[1:] < end[:-1] - slack)).any():
        raise ValueError(f"{dispatch.name}: a core runs two workgroups at once")
