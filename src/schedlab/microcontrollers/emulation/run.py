"""Start an image in QEMU and read what it reports."""

import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from schedlab.microcontrollers.emulation.image import build
from schedlab.microcontrollers.emulation.machines import MACHINES
from schedlab.microcontrollers.frontend.compiler import Compiled
from schedlab.microcontrollers.frontend.importer import ModelError

TIMEOUT_S = 300


@dataclass(frozen=True)
class Counts:
    """What one inference on one core executed.

    Attributes
    ----------
    instructions
        Per dispatch, one number per workgroup in row-major order; the call itself not counted.
    transfers
        Instructions of the fills and copies before each dispatch.
    stack_bytes
        The deepest stack of any workgroup.
    output_is_right
        Whether the output equals the expected one.
    """

    instructions: list[list[int]]
    transfers: list[int]
    stack_bytes: int
    output_is_right: bool


@dataclass(frozen=True)
class DualRun:
    """What two cores did with the greedy queue: inferences, wrong ones, workgroups per core."""

    inferences: int
    wrong: int
    jobs: tuple[int, int]


def count(
    compiled: Compiled, machine: str, image_input: np.ndarray, expected: np.ndarray
) -> Counts:
    """Count the instructions of every workgroup on one emulated core.

    Parameters
    ----------
    compiled
        The model, compiled for the machine's target.
    machine
        Name of a machine with one core.
    image_input, expected
        The input, and the output it must give.

    Raises
    ------
    FileNotFoundError
        If compiler or emulator are not installed.
    ModelError
        If the image cannot be built or reports a failure.
    """
    lines = _run(compiled, machine, image_input[None], expected[None])
    instructions: list[list[int]] = []
    transfers, pending, stack, last = [], 0, 0, -1
    for kind, *numbers in lines:
        if kind == "T":
            pending += numbers[1]
        elif kind == "W":
            if numbers[0] != last:
                instructions.append([])
                transfers.append(pending)
                pending, last = 0, numbers[0]
            instructions[-1].append(numbers[2])
            stack = max(stack, numbers[3])
    return Counts(instructions, transfers, stack, lines[-1][2] == 0)


def run_on_two_cores(
    compiled: Compiled, machine: str, inputs: np.ndarray, expected: np.ndarray
) -> DualRun:
    """Run many inferences on two emulated cores that share a greedy queue.

    Parameters
    ----------
    compiled
        The model, compiled for the machine's target.
    machine
        Name of a machine with two cores.
    inputs, expected
        One row per inference.

    Raises
    ------
    FileNotFoundError, ModelError
        As :func:`count`.
    """
    _, inferences, wrong, *jobs = _run(compiled, machine, inputs, expected)[-1]
    return DualRun(inferences, wrong, tuple(jobs))


def _run(
    compiled: Compiled, name: str, inputs: np.ndarray, expected: np.ndarray
) -> list[tuple[str, ...]]:
    """Build, start, and return the report: a letter and numbers per line, ``R`` at the end."""
    machine = MACHINES[name]
    with tempfile.TemporaryDirectory() as folder:
        image = build(compiled, machine, inputs, expected, Path(folder))
        command = [*shlex.split(machine.emulator), "-kernel", str(image)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            reason = f"no end within {TIMEOUT_S} s"
            raise ModelError(compiled.model, f"emulation on {name}", reason) from None
    lines = [_parsed(line) for line in done.stdout.splitlines() if line[:2] in ("W ", "T ", "R ")]
    if not lines or lines[-1][0] != "R":
        reason = (done.stdout + done.stderr).strip().splitlines() or ["no report"]
        raise ModelError(compiled.model, f"emulation on {name}", reason[-1])
    return lines


def _parsed(line: str) -> tuple:
    kind, *numbers = line.split()
    return (kind, *map(int, numbers))
