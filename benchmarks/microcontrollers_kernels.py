"""What calling IREE's kernels one workgroup at a time costs, and what the compile cache saves."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.table import Row, in_turns
from schedlab.microcontrollers.frontend import compiler
from schedlab.microcontrollers.frontend.compiler import compile_model
from schedlab.microcontrollers.frontend.digits import shipped_model, test_inputs
from schedlab.microcontrollers.frontend.execute import HostModel, run_reference

MODEL = "digits_resnet_int8"


def measure() -> list[Row]:
    """Return the rows."""
    return [_calls(), _balance(), _cache()]


def _calls() -> Row:
    compiled = compile_model(shipped_model(MODEL))
    model, image = HostModel(compiled), test_inputs("int8")[:1]
    ours, peer = in_turns([lambda: model.run(image), lambda: run_reference(compiled, image)], 20)
    return Row(
        f"microcontrollers: {MODEL}, workgroup by workgroup from Python, against IREE's runtime",
        f"{1000 * ours:.2f} ms an inference",
        f"{1000 * peer:.2f} ms, loading the module included",
        peer / ours,
        "none",
        "one thread, median of 20 in turns; the runtime's session is opened anew each time",
    )


def _balance() -> Row:
    """Return what the measured times of the workgroups alone let two cores gain."""
    model = HostModel(compile_model(shipped_model(MODEL)))
    times = model.workgroup_times(test_inputs("int8")[:1], repeats=50)
    whole = sum(map(sum, times))
    halves = sum(max(sum(t[::2]), sum(t[1::2])) for t in times)
    spread = np.mean([max(t) / np.mean(t) for t in times])
    return Row(
        f"microcontrollers: {MODEL} on two cores, from the host's times of its workgroups",
        f"{halves / 1000:.0f} us, every second workgroup on each core",
        f"{whole / 1000:.0f} us on one core",
        whole / halves,
        "1.8 to 2.0, as the instruction counts predict",
        f"least of 50 per workgroup; longest over mean {spread:.2f}; no overhead, no contention",
    )


def _cache() -> Row:
    path = shipped_model(MODEL)
    with tempfile.TemporaryDirectory() as folder:
        flags = (*compiler.targets.COMMON, *compiler.targets.target("host").flags)
        fresh = Path(folder, "fresh")
        machine = compiler.targets.target("host")
        calls = [
            lambda: compile_model(path).program,
            lambda: compiler._compile_into(fresh, path, machine, flags),
        ]
        ours, peer = in_turns(calls, 3)
    return Row(
        f"microcontrollers: {MODEL}, a second compilation against the first",
        f"{1000 * ours:.1f} ms, reading the commands included",
        f"{peer:.2f} s",
        peer / ours,
        "at least 50 times",
        "median of 3 in turns; found by a hash of model, flags and compiler version",
    )
