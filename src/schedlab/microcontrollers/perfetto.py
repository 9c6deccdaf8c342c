"""Export of a run for Perfetto (ui.perfetto.dev) and chrome://tracing, to zoom into.

A process for each run, a track for each core; see :mod:`schedlab.lab.trace_events`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from schedlab.lab import trace_events
from schedlab.lab.trace_events import Event, label, span

PLACED = ("core", "name", "start", "end")


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
        File to write, ``.json`` or ``.json.gz``.
    """
    trace_events.write(path, trace(runs, clock_hz))


def trace(runs: Mapping[str, pd.DataFrame], clock_hz: float) -> dict[str, Any]:
    """Return runs in Chrome's trace event format."""
    events: list[Event] = []
    for process, (name, table) in enumerate(runs.items()):
        events.append(label("process", process, 0, name))
        cores = sorted(table["core"].unique().tolist())
        events.extend(label("thread", process, core, f"core {core}") for core in cores)
        events.extend(_slice(row, process, 1e6 / clock_hz) for row in table.to_dict("records"))
    return trace_events.whole(events, "ns")


def _slice(row: Mapping[str, Any], process: int, scale: float) -> Event:
    args = {key: value for key, value in row.items() if key not in PLACED}
    return span(row["name"], process, row["core"], row["start"] * scale, row["end"] * scale, args)
