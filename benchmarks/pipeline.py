"""The pipeline on two processes against one, at smoke scale.

Each run has a scratch copy of its own, without results, DVC cache or compiled code, so that both
do all the work. Two minutes or more on an idle machine; on a busy one the ratio means nothing.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row
from schedlab.lab import scratch
from schedlab.lab.paths import find_root


def measure() -> list[Row]:
    """Return the ratio of the two runs' times."""
    alone, together = (_seconds(jobs) for jobs in (1, 2))
    return [
        Row(
            "make reproduce JOBS=2 against JOBS=1",
            f"{together:.0f} s",
            f"{alone:.0f} s",
            alone / together,
            "1.6 times on two idle cores",
            "smoke scale, one run each in a fresh copy of the checkout",
        )
    ]


def _seconds(jobs: int) -> float:
    with tempfile.TemporaryDirectory(prefix="schedlab-pipeline-") as folder:
        copy = scratch.copy_checkout(find_root(), Path(folder) / "checkout")
        scratch.set_scale(copy, "smoke")
        command = [sys.executable, "-m", "schedlab.lab.reproduce", "--jobs", str(jobs)]
        start = time.perf_counter()
        subprocess.run(
            command, cwd=copy, env=scratch.environment(copy), check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - start
