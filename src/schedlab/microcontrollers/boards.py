"""Boards as data: what a core costs, how cores hinder each other, and how much memory there is."""

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from schedlab.microcontrollers.model import Dispatch, Layout


@dataclass(frozen=True)
class SystemCosts:
    """What the operating system and the runtime cost, in cycles of a core of speed 1.

    Attributes
    ----------
    switch
        Context switch from one thread to another.
    send, receive
        Critical section of the channel on either side.
    interrupt
        From one core's wish to wake another until that one reacts.
    spin
        One turn of the barrier's loop while nobody else is ready.
    dispatch
        Serial work for each dispatch: virtual machine, command replay, counter.
    inference
        Serial work for each inference.
    steal
        One raid on another core's deque.
    """

    switch: float = 260.0
    send: float = 80.0
    receive: float = 80.0
    interrupt: float = 60.0
    spin: float = 40.0
    dispatch: float = 2000.0
    inference: float = 0.0
    steal: float = 400.0

    @property
    def job(self) -> float:
        """Handing one workgroup over, on average: one send, one receive, one context switch.

        In the steady state every second workgroup finds a sender waiting and costs no switch; the
        others cost two.
        """
        return self.send + self.receive + self.switch


@dataclass(frozen=True)
class Board:
    """A microcontroller.

    Attributes
    ----------
    name, title
        Short name and full one.
    target
        Instruction set whose counts apply.
    clock_hz
        Clock of a core of speed 1.
    speeds
        Relative speed of each core.
    cpi
        Cycles per instruction with one core at work.
    beta
        Slow-down of each core for each other core that runs a workgroup.
    sram_bytes, flash_bytes
        Memory.
    xip_cache_bytes
        Cache before the flash that code and weights are read from, 0 where there is none.
    xip_kappa
        Extra cycles per instruction, as a share, once the weights of a workgroup outgrow that
        cache; 0 switches this off.
    costs
        Operating system.
    job_cycles
        Constant cost of one hand-over in the fast engine, and no other cost of threads; None to
        derive both that and the end of a barrier from ``costs``.
    proxy, multicore_disabled
        What to warn about, empty where nothing.
    """

    name: str
    target: str
    clock_hz: float
    speeds: tuple[float, ...]
    cpi: float
    beta: float
    sram_bytes: int
    flash_bytes: int
    title: str = ""
    xip_cache_bytes: int = 0
    xip_kappa: float = 0.0
    costs: SystemCosts = field(default_factory=SystemCosts)
    job_cycles: float | None = None
    proxy: str = ""
    multicore_disabled: str = ""

    def __post_init__(self) -> None:
        if not self.speeds or min(self.speeds) <= 0:
            raise ValueError(f"board {self.name}: needs positive core speeds, got {self.speeds}")
        if self.clock_hz <= 0 or self.cpi <= 0 or self.beta < 0 or self.xip_kappa < 0:
            raise ValueError(
                f"board {self.name}: clock and cpi must be positive, beta and xip_kappa not "
                f"negative; got {self.clock_hz}, {self.cpi}, {self.beta}, {self.xip_kappa}"
            )

    @property
    def cores(self) -> int:
        """Number of cores."""
        return len(self.speeds)

    @property
    def job_overhead(self) -> float:
        """Cycles to hand over one job."""
        return self.costs.job if self.job_cycles is None else self.job_cycles

    @property
    def barrier_overhead(self) -> float:
        """Cycles until main runs again on the first core that runs out of workgroups."""
        return self.costs.receive + self.costs.switch if self.job_cycles is None else 0.0

    def work(self, dispatch: Dispatch | Layout) -> np.ndarray:
        """Return the cycles of each workgroup, alone on a core of speed 1."""
        if not self.xip_kappa or not self.xip_cache_bytes:
            return dispatch.instructions * self.cpi
        outgrown = np.greater(dispatch.weight_bytes, self.xip_cache_bytes)
        return dispatch.instructions * self.cpi * (1 + self.xip_kappa * outgrown)

    def with_cores(self, cores: int) -> "Board":
        """Return this board with so many cores of speed 1."""
        return replace(self, speeds=(1.0,) * cores)


@cache
def boards() -> dict[str, Board]:
    """Return the boards that are shipped, by name."""
    import yaml

    text = Path(__file__).with_name("boards.yaml").read_text(encoding="utf-8")
    return {name: _board(name, entry) for name, entry in yaml.safe_load(text).items()}


def board(name: str) -> Board:
    """Return a shipped board.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists those there are.
    """
    if name not in boards():
        raise ValueError(f"unknown board {name!r}; allowed are {', '.join(boards())}")
    return boards()[name]


def _board(name: str, entry: dict[str, Any]) -> Board:
    return Board(
        name=name,
        title=entry["title"],
        target=entry["target"],
        clock_hz=float(entry["clock_hz"]),
        speeds=tuple(entry["cores"]),
        cpi=entry["cpi"],
        beta=entry["beta"],
        sram_bytes=_bytes(entry["sram"]),
        flash_bytes=_bytes(entry["flash"]),
        xip_cache_bytes=_bytes(entry.get("xip_cache", "0 KiB")),
        costs=SystemCosts(**entry.get("costs", {})),
        proxy=entry.get("proxy", ""),
        multicore_disabled=entry.get("multicore_disabled", ""),
    )


def _bytes(text: str) -> int:
    return int(text.removesuffix(" KiB")) * 1024
