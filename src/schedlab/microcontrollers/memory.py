"""Flash and RAM of one network on one board, and whether it fits.

The sizes of the network are the compiler's. Those of the firmware around it are what public code
and reports give; the paper's own tables were not available.
"""

from dataclasses import dataclass

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.model import Model

FIRMWARE_BYTES = 125 * 1024
"""Ariel OS, IREE's runtime and the application: what a DS-CNN image of 182.7 kB leaves beside its
kernels and weights (public report on the nRF54LM20; which DS-CNN is our assumption)."""
MULTICORE_FLASH = 0.08  # of the firmware; two secondary sources, on RP2040
MAIN_STACK_BYTES = 28_384
WORKER_STACK_BYTES = 2_048
INTERRUPT_STACK_BYTES = 8_192  # for each core after the first
SLOTS = 64
SLOT_BYTES = 40  # nine words and a status, our count of the record's fields


@dataclass(frozen=True)
class Footprint:
    """Memory of one network on one board, bytes.

    Attributes
    ----------
    weights, kernels, firmware, multicore
        Flash: constants, kernel code with tables and virtual machine code, everything around
        them, and what running on several cores adds.
    tensors, main_stack, worker_stacks, slots
        RAM: input, output and the arena in between; stacks; job records.
    flash_bytes, sram_bytes
        What the board has.
    """

    weights: int
    kernels: int
    firmware: int
    multicore: int
    tensors: int
    main_stack: int
    worker_stacks: int
    slots: int
    flash_bytes: int
    sram_bytes: int

    @property
    def flash(self) -> int:
        """Flash in all."""
        return self.weights + self.kernels + self.firmware + self.multicore

    @property
    def ram(self) -> int:
        """RAM in all."""
        return self.tensors + self.main_stack + self.worker_stacks + self.slots

    @property
    def fits(self) -> bool:
        """Whether both fit."""
        return self.flash <= self.flash_bytes and self.ram <= self.sram_bytes


def footprint(model: Model, board: Board, *, multicore: bool | None = None) -> Footprint:
    """Return the memory that a network needs on a board.

    Parameters
    ----------
    model, board
        What is to run where.
    multicore
        Whether the scheduler's threads are there; by default where the board has several cores.
    """
    several = board.cores > 1 if multicore is None else multicore
    workers = WORKER_STACK_BYTES * board.cores + INTERRUPT_STACK_BYTES * (board.cores - 1)
    return Footprint(
        weights=model.constants_bytes,
        kernels=model.text_bytes + model.data_bytes + model.vm_bytes,
        firmware=FIRMWARE_BYTES,
        multicore=round(MULTICORE_FLASH * FIRMWARE_BYTES) if several else 0,
        tensors=model.transient_bytes + model.input_bytes + model.output_bytes,
        main_stack=MAIN_STACK_BYTES,
        worker_stacks=workers if several else 0,
        slots=SLOTS * SLOT_BYTES if several else 0,
        flash_bytes=board.flash_bytes,
        sram_bytes=board.sram_bytes,
    )
