"""What a model is compiled for: machine, floating point, and how its dispatches are cut up."""

from dataclasses import dataclass

COMPILER = "iree-base-compiler==3.8.0"


@dataclass(frozen=True)
class Target:
    """A machine to compile for.

    Attributes
    ----------
    name
        As cost files and boards call it.
    triple, cpu, features
        In LLVM's terms; None lets the compiler take the host's.
    """

    name: str
    triple: str | None
    cpu: str
    features: str = ""

    @property
    def flags(self) -> list[str]:
        """Options of ``iree-compile`` that say which machine."""
        flags = [f"--iree-llvmcpu-target-cpu={self.cpu}"]
        if self.triple:
            flags.append(f"--iree-llvmcpu-target-triple={self.triple}")
        if self.features:
            flags.append(f"--iree-llvmcpu-target-cpu-features={self.features}")
        if self.name.endswith("softfp") and self.triple:
            flags.append("--iree-llvmcpu-target-float-abi=soft")
        return flags


TARGETS = {
    target.name: target
    for target in (
        Target("host", None, "generic"),
        Target("thumbv6m_m0plus_softfp", "thumbv6m-none-eabi", "cortex-m0plus"),
        Target(
            "thumbv8m_m33_hardfp", "thumbv8m.main-none-eabihf", "cortex-m33", "+fp-armv8d16sp,+dsp"
        ),
        Target("thumbv8m_m33_softfp", "thumbv8m.main-none-eabi", "cortex-m33", "+soft-float,-dsp"),
        Target("rv32imac", "riscv32-none-elf", "generic-rv32", "+m,+a,+c"),
    )
}

COMMON = (
    "--iree-hal-target-device=local",
    "--iree-hal-local-target-device-backends=llvm-cpu",
    "--align-all-functions=4",
    "--align-all-blocks=4",
    "--iree-llvmcpu-stack-allocation-limit=4096",
    "--iree-stream-partitioning-favor=min-peak-memory",
    "--iree-vm-bytecode-module-strip-source-map=true",
    "--iree-vm-emit-polyglot-zip=false",
)  # those of Ariel-ML's build script


def grid_flags(grid: str) -> list[str]:
    """Return the options that change how many workgroups a dispatch has.

    Parameters
    ----------
    grid
        ``"default"`` (made for eight threads), ``"threads=N"``, ``"distribution=N"`` (points of a
        tile's side), or ``"none"`` for one workgroup a dispatch.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    kind, _, number = grid.partition("=")
    flags = {
        "default": [],
        "none": ["--iree-llvmcpu-disable-distribution"],
        "threads": [f"--iree-llvmcpu-number-of-threads={number}"],
        "distribution": [f"--iree-llvmcpu-distribution-size={number}"],
    }
    counted = kind in ("threads", "distribution")
    if kind not in flags or counted != number.isdigit() or (counted and int(number) < 1):
        raise ValueError(
            f"unknown grid {grid!r}: use default, none, threads=N or distribution=N with N >= 1"
        )
    return flags[kind]


def target(name: str) -> Target:
    """Return the target of this name.

    Raises
    ------
    ValueError
        If there is none; the message lists those there are.
    """
    try:
        return TARGETS[name]
    except KeyError:
        raise ValueError(f"unknown target {name!r}; there are {', '.join(TARGETS)}") from None
