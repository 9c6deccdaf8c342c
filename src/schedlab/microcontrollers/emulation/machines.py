"""The emulated machines: what builds an image for each and what starts it."""

import shutil
from dataclasses import dataclass

PACKAGES = (
    "qemu-system-arm qemu-system-misc gcc-arm-none-eabi libnewlib-arm-none-eabi "
    "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"
)
PICOLIBC = "/usr/lib/picolibc/riscv64-unknown-elf/lib/rv32imac/ilp32"
# An instruction lasts 128 ns, so that SysTick (40 or 50 ns) resolves every one; RISC-V's own
# counter of instructions counts nanoseconds under -icount, so there it lasts one.


@dataclass(frozen=True)
class Machine:
    """A board that QEMU emulates.

    Attributes
    ----------
    name
        As results call it.
    target
        Which target of the compiler its kernels are for.
    cores
        How many it runs the model on.
    source
        The machine's own file of the harness.
    origin
        First address of the memory it starts from.
    compiler, compiler_flags, link_flags
        Build the image.
    emulator
        Program and options, without the image.
    """

    name: str
    target: str
    cores: int
    source: str
    origin: int
    compiler: str
    compiler_flags: str
    link_flags: str
    emulator: str


_ARM = "qemu-system-arm -nographic -monitor none -serial none -chardev stdio,id=out "
_SEMIHOSTING = "-semihosting-config enable=on,chardev=out "
_RISCV = "qemu-system-riscv32 -nographic -monitor none -serial stdio -bios none -M virt "
_HARD = "-mcpu=cortex-m33 -mthumb -mfloat-abi=hard -mfpu=fpv5-sp-d16"
_SOFT = "-mcpu=cortex-m33+nodsp+nofp -mthumb -mfloat-abi=soft"
_RV32 = "-march=rv32imac -mabi=ilp32 -mcmodel=medany"

MACHINES = {
    machine.name: machine
    for machine in (
        Machine(
            "mps2-an385",
            "thumbv6m_m0plus_softfp",
            1,
            "arm.c",
            0x00000000,
            "arm-none-eabi-gcc",
            "-mcpu=cortex-m0plus -mthumb -mfloat-abi=soft -DTICK_NS=40",
            "-lm -lc -lgcc",
            f"{_ARM}{_SEMIHOSTING}-M mps2-an385 -icount shift=7",
        ),
        Machine(
            "mps2-an505",
            "thumbv8m_m33_hardfp",
            1,
            "arm.c",
            0x10000000,
            "arm-none-eabi-gcc",
            f"{_HARD} -DTICK_NS=50",
            "-lm -lc -lgcc",
            f"{_ARM}{_SEMIHOSTING}-M mps2-an505 -icount shift=7",
        ),
        Machine(
            "virt",
            "rv32imac",
            1,
            "riscv.c",
            0x80000000,
            "riscv64-unknown-elf-gcc",
            _RV32,
            f"-L{PICOLIBC} -lm -lc -lgcc",
            f"{_RISCV}-icount shift=0",
        ),
        Machine(
            "mps2-an521",
            "thumbv8m_m33_softfp",
            2,
            "arm.c",
            0x10000000,
            "arm-none-eabi-gcc",
            f"{_SOFT} -DTICK_NS=50",
            "-lm -lc -lgcc",
            f"{_ARM}{_SEMIHOSTING}-M mps2-an521 -accel tcg,thread=multi",
        ),
        Machine(
            "virt-smp2",
            "rv32imac",
            2,
            "riscv.c",
            0x80000000,
            "riscv64-unknown-elf-gcc",
            _RV32,
            f"-L{PICOLIBC} -lm -lc -lgcc",
            f"{_RISCV}-smp 2 -accel tcg,thread=multi",
        ),
    )
}


def missing_programs(machine: Machine) -> list[str]:
    """Return the programs that building and running for a machine would need and lacks."""
    programs = [machine.compiler, machine.emulator.split()[0]]
    return [program for program in programs if shutil.which(program) is None]


def require(machine: Machine) -> None:
    """Raise FileNotFoundError if a program is missing; the message names Debian's packages."""
    missing = missing_programs(machine)
    if missing:
        raise FileNotFoundError(
            f"no {' and no '.join(missing)} on this computer; on Debian: apt install {PACKAGES}"
        )
