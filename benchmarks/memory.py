"""The most memory that a process has held."""

import resource
import sys
from pathlib import Path


def peak_memory() -> int:
    """Return the bytes of resident memory this program held at most.

    Linux counts for ``getrusage`` what the process held before it became this program, that is
    what its parent held, so the program's own mark is read there.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        marks = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(marks["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
