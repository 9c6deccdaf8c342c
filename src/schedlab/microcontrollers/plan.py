"""What would go wrong on a device: limits of the public code and of the board, found in advance.

The public code has fixed tables without bounds, and gives all jobs one scratch buffer. None of
that is reproduced here; a plan that would run into it gets a warning.
"""

from dataclasses import dataclass
from typing import NamedTuple

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.memory import SLOTS, WORKER_STACK_BYTES, footprint
from schedlab.microcontrollers.model import Model

LATENCY_SLOTS = 64
KERNEL_STACK_LIMIT = 4096  # that the compiler is told it may use


class Problem(NamedTuple):
    """One thing that would go wrong.

    Attributes
    ----------
    kind
        ``job slots``, ``latency slots``, ``local memory``, ``worker stack``, ``flash``, ``RAM``,
        ``proxy`` or ``multi-core``.
    message
        What, where, and what to do.
    """

    kind: str
    message: str


@dataclass(frozen=True)
class Plan:
    """A network on a board, for a number of inferences without a restart."""

    model: Model
    board: Board
    inferences: int = 1

    @property
    def problems(self) -> list[Problem]:
        """Everything that would go wrong, most serious first."""
        several = [self._job_slots, self._local_memory, self._worker_stack, self._multicore]
        checks = [*(several if self.board.cores > 1 else []), self._latency_slots, self._memory]
        return [warning for check in [*checks, self._proxy] for warning in check()]

    def _job_slots(self) -> list[Problem]:
        over = {d.name: d.workgroups for d in self.model.dispatches if d.workgroups > SLOTS}
        if not over:
            return []
        most = max(over, key=lambda name: over[name])
        return [
            Problem(
                "job slots",
                f"{len(over)} dispatches have more than the {SLOTS} workgroups that the public "
                f"code has job slots for, and would write past them ({most}: {over[most]}); "
                "compile with fewer threads or a larger distribution size",
            )
        ]

    def _latency_slots(self) -> list[Problem]:
        count = len(self.model.dispatches)
        if count * self.inferences <= LATENCY_SLOTS:
            return []
        return [
            Problem(
                "latency slots",
                f"{count} dispatches an inference fill the public code's {LATENCY_SLOTS} latency "
                f"slots in inference {LATENCY_SLOTS // count + 1} of {self.inferences}, and go on "
                "past them; reset the index after each inference",
            )
        ]

    def _local_memory(self) -> list[Problem]:
        asking = [d for d in self.model.dispatches if d.local_memory_bytes and d.workgroups > 1]
        if not asking:
            return []
        return [
            Problem(
                "local memory",
                f"{len(asking)} dispatches ask for scratch memory, and the public code gives all "
                f"workgroups the same ({asking[0].name}: {asking[0].local_memory_bytes} bytes); "
                "give each worker its own",
            )
        ]

    def _worker_stack(self) -> list[Problem]:
        frame = self.model.stack_bytes
        if frame is None or frame <= WORKER_STACK_BYTES:
            return []
        return [
            Problem(
                "worker stack",
                f"a kernel's stack frame of {frame} bytes outgrows a worker's "
                f"{WORKER_STACK_BYTES}; the compiler may use {KERNEL_STACK_LIMIT}",
            )
        ]

    def _memory(self) -> list[Problem]:
        need = footprint(self.model, self.board)
        lines = [
            ("flash", need.flash, need.flash_bytes),
            ("RAM", need.ram, need.sram_bytes),
        ]
        return [
            Problem(kind, f"needs {used / 1024:.0f} KiB of {kind}, has {there / 1024:.0f} KiB")
            for kind, used, there in lines
            if used > there
        ]

    def _multicore(self) -> list[Problem]:
        reason = self.board.multicore_disabled
        return [Problem("multi-core", reason)] if reason else []

    def _proxy(self) -> list[Problem]:
        return [Problem("proxy", self.board.proxy)] if self.board.proxy else []
