"""Compiled models on emulated microcontrollers: exact instruction counts, and two real cores.

A small C harness (``harness/``) runs the kernels of IREE's static library on QEMU without an
operating system. It needs Debian's ``qemu-system-arm``, ``qemu-system-misc``,
``gcc-arm-none-eabi``, ``libnewlib-arm-none-eabi``, ``gcc-riscv64-unknown-elf`` and
``picolibc-riscv64-unknown-elf``; :func:`missing_programs` says what is not there.
"""

from schedlab.microcontrollers.emulation.machines import MACHINES, Machine, missing_programs
from schedlab.microcontrollers.emulation.run import Counts, DualRun, count, run_on_two_cores

__all__ = [
    "MACHINES",
    "Counts",
    "DualRun",
    "Machine",
    "count",
    "missing_programs",
    "run_on_two_cores",
]
