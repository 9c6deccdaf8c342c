"""List scheduling: a shared queue from which whoever is idle takes the next chunk."""

import numpy as np

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.model import Dispatch
from schedlab.microcontrollers.schedule import Decision
from schedlab.microcontrollers.schedulers.interface import Decider


class ArielFIFO(Decider):
    """Ariel-ML's scheduler: one workgroup at a time, in row-major order, to whoever is idle.

    The paper's greedy workgroup scheduler (*Ariel-ML: Computing Parallelization with Embedded Rust
    for Neural Networks on Heterogeneous Multi-core Microcontrollers*, section on the multi-core
    scheduler), as its public code has it: a channel of capacity zero, two workers, and a barrier
    after each dispatch. :mod:`schedlab.microcontrollers.ariel` plays its threads one by one.
    """

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Return order, chunks and owners."""
        return Decision()


class LPT(Decider):
    """Longest processing time first (Graham 1969), from a shared queue."""

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Return order, chunks and owners."""
        return Decision(order=longest_first(board.work(dispatch)))


class Guided(Decider):
    """Guided self-scheduling (Polychronopoulos and Kuck 1987): chunks that shrink to one.

    Parameters
    ----------
    divisor
        An idle core takes ``ceil(remaining / (divisor * cores))`` workgroups.
    """

    def __init__(self, *, divisor: int = 2) -> None:
        if divisor < 1:
            raise ValueError(f"divisor must be at least 1, got {divisor}")
        self.divisor = divisor

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Return order, chunks and owners."""
        bounds = [0]
        while (remaining := dispatch.workgroups - bounds[-1]) > 0:
            bounds.append(bounds[-1] - (-remaining // (self.divisor * board.cores)))
        return Decision(bounds=np.array(bounds))


class CriticalPath(Decider):
    """List scheduling by longest remaining path over all dispatches that may run side by side.

    Dispatches of one concurrent group depend on none of each other and join in one barrier, so
    that the longest path from a workgroup to the barrier is its own length.
    """

    concurrent = True

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Return the order of one dispatch, or of a concurrent group taken as one."""
        return Decision(order=longest_first(board.work(dispatch)))


def longest_first(work: np.ndarray) -> np.ndarray:
    """Return workgroups by falling work, equal ones in row-major order."""
    return np.argsort(-work, kind="stable")
