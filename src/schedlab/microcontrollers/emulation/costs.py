"""Measure the instruction counts of the default models: what ``costs`` ships.

``python -m schedlab.microcontrollers.emulation.costs FILE`` writes them all (some minutes).
"""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from schedlab.lab.files import write_text
from schedlab.microcontrollers.emulation.machines import MACHINES
from schedlab.microcontrollers.emulation.run import count, run_on_two_cores
from schedlab.microcontrollers.frontend.compiler import compile_model, compiler_version
from schedlab.microcontrollers.frontend.digits import SHIPPED, shipped_model, test_inputs
from schedlab.microcontrollers.frontend.execute import HostModel
from schedlab.microcontrollers.frontend.graph import dispatch_graph
from schedlab.microcontrollers.frontend.targets import COMMON

COUNTERS = {m.target: m.name for m in MACHINES.values() if m.cores == 1}
INFERENCES = 100
GRIDS = ("default", "threads=2", "threads=4", "distribution=16", "none")


def measured_graph(
    path: Path, target: str, grid: str, value: np.ndarray, expected: np.ndarray
) -> dict[str, Any]:
    """Return the dispatch graph of a model with the instructions of every workgroup.

    Parameters
    ----------
    path
        The model file.
    target, grid
        What to compile for.
    value, expected
        An input, and the output it must give.

    Raises
    ------
    ValueError
        If the emulated output differs from the expected one.
    """
    compiled = compile_model(path, target, grid)
    counts = count(compiled, COUNTERS[target], value, expected)
    if not counts.output_is_right:
        raise ValueError(f"{path.name} on {COUNTERS[target]}: the output differs from the host's")
    graph = dispatch_graph(compiled)
    graph["stack_bytes"] = counts.stack_bytes
    graph["total_instructions"] = sum(map(sum, counts.instructions))
    rows = zip(graph["dispatches"], counts.instructions, counts.transfers, strict=True)
    for dispatch, instructions, transfer in rows:
        dispatch["instructions"] = instructions
        if transfer:
            dispatch["fill_instructions"] = transfer
    return graph


def host_output(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the first test digit as the model's input, and the host's output for it."""
    model = HostModel(compile_model(path))
    tensor = model.program.inputs[0]
    value = test_inputs(tensor.dtype)[0].reshape(tensor.shape)
    return value, model.run(value)[0]


def two_core_runs(name: str) -> list[dict[str, Any]]:
    """Return, per machine with two cores, how many of a hundred digits gave a wrong output."""
    model = HostModel(compile_model(shipped_model(name)))
    inputs = test_inputs(model.program.inputs[0].dtype)[:INFERENCES]
    expected = np.stack([model.run(value[None])[0] for value in inputs])
    found = []
    for machine in MACHINES.values():
        if machine.cores == 2:
            compiled = compile_model(shipped_model(name), machine.target)
            run = run_on_two_cores(compiled, machine.name, inputs, expected)
            both = min(run.jobs) > 0
            entry = {"model": name, "machine": machine.name, "inferences": run.inferences}
            found.append({**entry, "wrong": run.wrong, "both_cores_worked": both})
    return found


def measure_all() -> dict[str, Any]:
    """Return the counts of all default models, targets and grids in the form ``costs`` reads."""
    jobs = [(n, t, g) for n in SHIPPED for t in COUNTERS for g in GRIDS]
    models: dict[str, Any] = {}
    for name, target, grid in tqdm(jobs, desc="models"):
        path = shipped_model(name)
        graph = measured_graph(path, target, grid, *host_output(path))
        del graph["compiler"]
        graph["flags"] = [flag for flag in graph["flags"] if flag not in COMMON]
        key = target if grid == "default" else f"{target}@{grid}"
        models.setdefault(name, {})[key] = graph
    return {
        "_doc": "Instructions of every workgroup of the default models, counted by emulation.",
        "schema": 1,
        "compiler": compiler_version(),
        "provenance": {
            "method": "python -m schedlab.microcontrollers.emulation.costs; one core, the first "
            "test digit, exact counts without the call itself, stack with library routines",
            "qemu": _first_line("qemu-system-arm", "--version"),
            "gcc": [_first_line(m, "--version") for m in _compilers()],
            "runtime": f"iree-base-runtime=={version('iree-base-runtime')}",
            "flags": list(COMMON),
        },
        "two_cores": [
            run for name in tqdm(SHIPPED, desc="two cores") for run in two_core_runs(name)
        ],
        "models": models,
    }


def _compilers() -> list[str]:
    return sorted({machine.compiler for machine in MACHINES.values()})


def _first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]


if __name__ == "__main__":
    write_text(Path(sys.argv[1]), json.dumps(measure_all(), separators=(",", ":")) + "\n")
