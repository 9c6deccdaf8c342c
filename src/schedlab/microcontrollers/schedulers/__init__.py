"""Schedulers of one dispatch: pure decisions, behind ``assign(dispatch, board) -> Schedule``."""

from schedlab.microcontrollers.schedulers.interface import Scheduler
from schedlab.microcontrollers.schedulers.optimal import Optimal
from schedlab.microcontrollers.schedulers.queues import LPT, ArielFIFO, CriticalPath, Guided
from schedlab.microcontrollers.schedulers.single import InlineLoop, OneWorker
from schedlab.microcontrollers.schedulers.static import EFT, StaticBlock, StaticCyclic, WorkStealing

__all__ = [
    "EFT",
    "LPT",
    "SCHEDULERS",
    "ArielFIFO",
    "CriticalPath",
    "Guided",
    "InlineLoop",
    "OneWorker",
    "Optimal",
    "Scheduler",
    "StaticBlock",
    "StaticCyclic",
    "WorkStealing",
]

SCHEDULERS: dict[str, type] = {
    "ariel_fifo": ArielFIFO,
    "critical_path": CriticalPath,
    "eft": EFT,
    "guided": Guided,
    "inline_loop": InlineLoop,
    "lpt": LPT,
    "one_worker": OneWorker,
    "optimal": Optimal,
    "static_block": StaticBlock,
    "static_cyclic": StaticCyclic,
    "work_stealing": WorkStealing,
}
"""Scheduler classes by the name that ``params.yaml`` uses."""
