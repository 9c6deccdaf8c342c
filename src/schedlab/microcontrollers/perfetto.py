"""Export of a run for Perfetto (ui.perfetto.dev) and chrome://tracing, to zoom into.

Chrome's trace event format: a process for each run, a track for each core, complete events
(``"ph": "X"``) with times in microseconds.
"""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from schedlab.lab.files import write_atomically

Event = dict[str, Any]


def export_trace(runs: Mapping[str, pd.DataFrame], clock_hz: float, path: Path) -> None:
    """Write runs as a trace that Perfetto opens.

    Parameters
    ----------
    runs
        Tables by label with ``core, name, start, end`` in cycles, and any other columns, which
        become the events' arguments.
    clock_hz
        Clock that the cycles are of.
    path
        File to write, ``.json.gz``.
    """
    text = json.dumps(trace(runs, clock_hz), sort_keys=True, separators=(",", ":"))
    packed = gzip.compress(text.encode(), mtime=0)
    write_atomically(path, lambda temporary: temporary.write_bytes(packed))


def trace(runs: Mapping[str, pd.DataFrame], clock_hz: float) -> dict[str, Any]:
    """Return runs in Chrome's trace event format."""
    events: list[Event] = []
    for process, (label, table) in enumerate(runs.items()):
        events.append(_named("process", process, 0, label))
        cores = sorted(table["core"].unique().tolist())
        events.extend(_named("thread", process, core, f"core {core}") for core in cores)
        events.extend(_slice(row, process, 1e6 / clock_hz) for row in table.to_dict("records"))
    return {"traceEvents": events, "displayTimeUnit": "ns"}


def _named(kind: str, process: int, thread: int, name: str) -> Event:
    return {
        "ph": "M",
        "name": f"{kind}_name",
        "pid": process,
        "tid": thread,
        "args": {"name": name},
    }


def _slice(row: Mapping[str, Any], process: int, scale: float) -> Event:
    begin, end = (round(row[side] * scale, 3) for side in ("start", "end"))
    placed = ("core", "name", "start", "end")
    return {
        "ph": "X",
        "name": row["name"],
        "pid": process,
        "tid": row["core"],
        "ts": begin,
        "dur": end - begin,
        "args": {key: value for key, value in row.items() if key not in placed},
    }
