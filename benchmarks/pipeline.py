"""The pipeline at smoke scale: two processes against one, and what it costs to do nothing.

Each run has a scratch copy of its own, without results, DVC cache or compiled code, so that all do
all the work. For the fixed overhead every notebook is cut down to its parameters and imports: what
is left is DVC, papermill, the start of a kernel, the imports and the report. It is nearly the same
at every scale. Twenty minutes on an idle machine; on a busy one the ratios mean nothing.
"""

import ast
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import nbformat

from benchmarks.table import Row
from schedlab.lab import scratch
from schedlab.lab.paths import find_root

NO_RESULT = "from schedlab.lab.outputs import save_metrics\n\nsave_metrics(output_folder)"


class Spent(NamedTuple):
    """Seconds of a run: of the clock, and of all its processes' CPU time."""

    wall: float
    cpu: float


def measure() -> list[Row]:
    """Return the ratio of two processes to one, and the overhead's share."""
    alone, together = (_run(jobs) for jobs in (1, 2))
    idle = _run(2, hollow=True)
    return [
        Row(
            "make reproduce JOBS=2 against JOBS=1",
            f"{together.wall:.0f} s",
            f"{alone.wall:.0f} s",
            alone.wall / together.wall,
            "1.6 times on two idle cores",
            "smoke scale, one run each in a fresh copy of the checkout",
        ),
        Row(
            "fixed overhead of all stages",
            f"{idle.cpu:.0f} CPU-s",
            f"{together.cpu:.0f} CPU-s of the whole at smoke scale",
            None,
            "15 % of the CPU time that `make reproduce` prints at laptop scale",
            "the pipeline with notebooks cut down to parameters and imports, JOBS=2",
        ),
    ]


def _run(jobs: int, *, hollow: bool = False) -> Spent:
    with tempfile.TemporaryDirectory(prefix="schedlab-pipeline-") as folder:
        copy = scratch.copy_checkout(find_root(), Path(folder) / "checkout")
        scratch.set_scale(copy, "smoke")
        if hollow:
            for notebook in copy.glob("notebooks/*/*.ipynb"):
                _cut_down(notebook)
        command = [sys.executable, "-m", "schedlab.lab.reproduce", "--jobs", str(jobs)]
        environment, begun, before = scratch.environment(copy), time.perf_counter(), os.times()
        subprocess.run(command, cwd=copy, env=environment, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        cpu = after.children_user + after.children_system
        cpu -= before.children_user + before.children_system
        return Spent(time.perf_counter() - begun, cpu)


def _cut_down(path: Path) -> None:
    """Keep a notebook's parameters, imports and the check of its parameters; save no result."""
    notebook = nbformat.read(path, as_version=4)
    given, opening, *_ = (cell for cell in notebook.cells if cell.cell_type == "code")
    body = ast.parse(opening.source).body
    checked = [n for n, line in enumerate(body) if ast.unparse(line).startswith("parameters =")]
    imports = [n for n, line in enumerate(body) if isinstance(line, ast.Import | ast.ImportFrom)]
    kept = ast.Module(body[: max(imports + checked) + 1], [])
    cells = [nbformat.v4.new_code_cell(text) for text in (ast.unparse(kept), NO_RESULT)]
    notebook.cells = [given, *cells]
    nbformat.write(notebook, path)
