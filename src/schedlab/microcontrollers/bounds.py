"""What no schedule of a dispatch can beat, and what no list schedule can exceed."""

import numpy as np

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.model import Dispatch


def lower_bound(dispatch: Dispatch, board: Board) -> float:
    """Return cycles below which no schedule of a dispatch can end, contention included.

    All cores at work get through ``sum(speeds) / (1 + beta (m - 1))`` cycles of work per cycle,
    the most there is for beta below 1, and no workgroup ends before the fastest core could have
    run it alone. Hand-overs are left out. With equal cores, m + 1 workgroups share m cores, so
    that the two shortest of the longest m + 1 meet on one.
    """
    work, speeds = board.work(dispatch), np.array(board.speeds)
    shares = [
        np.sort(speeds)[::-1][:busy].sum() / (1 + board.beta * (busy - 1))
        for busy in range(1, board.cores + 1)
    ]
    bound = max(work.sum() / max(shares), work.max() / speeds.max())
    if work.size > board.cores and np.ptp(speeds) == 0:
        longest = np.sort(work)[::-1]
        bound = max(bound, (longest[board.cores - 1] + longest[board.cores]) / speeds[0])
    return float(bound)


def graham_bound(work: np.ndarray, cores: int) -> float:
    """Return what list scheduling on equal cores never exceeds (Graham 1966), in cycles.

    ``sum(p) / m + (1 - 1/m) max(p)``, without contention and hand-overs.
    """
    return float(work.sum() / cores + (1 - 1 / cores) * work.max())


def amdahl_bound(serial: float, parallel: float, cores: int) -> float:
    """Return the largest speed-up of work with a serial part (Amdahl 1967)."""
    return (serial + parallel) / (serial + parallel / cores)
