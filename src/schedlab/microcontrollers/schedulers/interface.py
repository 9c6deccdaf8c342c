"""What every scheduler offers."""

from typing import Protocol

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.model import Dispatch
from schedlab.microcontrollers.schedule import Decision, Schedule, play


class Scheduler(Protocol):
    """Decides which core runs which workgroup, for one dispatch at a time."""

    def assign(self, dispatch: Dispatch, board: Board) -> Schedule:
        """Return the schedule of one dispatch."""
        ...


class Decider:
    """A scheduler that decides before the dispatch starts and leaves the clock to the engine.

    With ``decide`` apart from ``assign``, a whole inference goes through the engine in one call.

    Attributes
    ----------
    concurrent
        Whether dispatches that may run side by side are to come as one.
    """

    concurrent = False

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Return order, chunks and owners."""
        raise NotImplementedError

    def assign(self, dispatch: Dispatch, board: Board) -> Schedule:
        """Return the schedule that follows from the decision on this board."""
        return play(dispatch, board, self.decide(dispatch, board))
