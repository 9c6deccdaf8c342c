"""Workgroups bound to cores before the dispatch starts, and what stealing makes of that."""

import numpy as np

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.model import Dispatch
from schedlab.microcontrollers.schedule import Decision, counting
from schedlab.microcontrollers.schedulers.interface import Decider
from schedlab.microcontrollers.schedulers.queues import longest_first


class StaticBlock(Decider):
    """Each core gets one run of ``ceil(n / m)`` neighbouring workgroups, handed over at once."""

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Return order, chunks and owners."""
        bounds = block_bounds(dispatch.workgroups, board.cores)
        return Decision(bounds=bounds, owner=counting(bounds.size - 1))


class StaticCyclic(Decider):
    """Core ``i mod m`` gets workgroup ``i``; each core's share is handed over at once."""

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Return order, chunks and owners."""
        core = np.arange(dispatch.workgroups) % board.cores
        return owned(core)


class EFT(Decider):
    """Earliest finish time, the rule of HEFT (Topcuoglu et al. 2002): longest workgroup first.

    It differs from a shared queue only where cores differ in speed: a slow core stays idle when a
    fast one, though busy, would end the workgroup sooner. The estimate knows speeds and
    hand-overs, not contention.
    """

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Return order, chunks and owners."""
        work = board.work(dispatch) + board.job_overhead
        speeds = np.array(board.speeds)
        order = longest_first(work)
        free, owner = np.zeros(board.cores), np.empty(work.size, dtype=np.int64)
        for position, job in enumerate(order):
            finish = free + work[job] / speeds
            core = int(np.argmin(finish))
            owner[position], free[core] = core, finish[core]
        return Decision(order=order, owner=owner)


class WorkStealing(Decider):
    """A deque for each core, filled in blocks; who runs out takes half of the richest one's."""

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Return order, chunks and owners."""
        bounds = block_bounds(dispatch.workgroups, board.cores)
        owner = np.repeat(np.arange(bounds.size - 1), np.diff(bounds))
        return Decision(owner=owner, steal=True)


def block_bounds(workgroups: int, cores: int) -> np.ndarray:
    """Return where runs of ``ceil(workgroups / cores)`` begin and end."""
    size = -(-workgroups // cores)
    return np.append(np.arange(0, workgroups, size), workgroups)


def owned(core: np.ndarray) -> Decision:
    """Give workgroup ``i`` to ``core[i]``, with one hand-over for each core."""
    order = np.argsort(core, kind="stable")
    used, counts = np.unique(core, return_counts=True)
    return Decision(order, np.append(0, counts.cumsum()), used)
