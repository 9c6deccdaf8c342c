"""One core: what a speed-up is measured against."""

import numpy as np

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.model import Dispatch
from schedlab.microcontrollers.schedule import Decision
from schedlab.microcontrollers.schedulers.interface import Decider


class InlineLoop(Decider):
    """IREE's own loop over the grid, without queue and threads: Ariel-ML with multi-core off."""

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Keep every workgroup on the first core, and hand nothing over."""
        return Decision(bounds=np.array([0, dispatch.workgroups]), owner=np.array([0]), inline=True)


class OneWorker(Decider):
    """The queue with one worker, which shows what the queue itself costs."""

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Keep every workgroup on the first core."""
        return Decision(owner=np.zeros(dispatch.workgroups, dtype=np.int64))
