"""Compiled models on emulated microcontrollers: exact instruction counts, and two real cores.

A small C harness (``harness/``) runs the kernels of IREE's static library on QEMU without an
operating system. It needs Debian's ``qemu-system-arm``, ``qemu-system-misc``,
``gcc-arm-none-eabi``, ``libnewlib-arm-none-eabi``, ``gcc-riscv64-unknown-elf`` and
``picolibc-riscv64-unknown-elf``; :func:`missing_programs` says what is not there.

QEMU counts instructions, never cycles, contention or cache misses, and it counts them exactly on
one core only: beside a second one, a spinning core is charged to whoever works. So counts come
from boards with one core, and boards with two only have to give the right output. On Cortex-M0+
products of 64 bits, and all of floating point, are routines of the C compiler's library: another
library has other counts there.
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
