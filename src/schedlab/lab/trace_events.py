"""Chrome's trace event format, which Perfetto (ui.perfetto.dev) and chrome://tracing open."""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from schedlab.lab.files import write_atomically, write_json

Event = dict[str, Any]


def label(kind: Literal["process", "thread"], process: int, thread: int, name: str) -> Event:
    """Return the event that gives a process or one of its tracks a name."""
    return {
        "ph": "M",
        "name": f"{kind}_name",
        "pid": process,
        "tid": thread,
        "args": {"name": name},
    }


def span(
    name: str, process: int, thread: int, begin_us: float, end_us: float, args: Mapping[str, Any]
) -> Event:
    """Return a complete event: a slice of a track, from and to in microseconds."""
    begin, end = microseconds(begin_us), microseconds(end_us)
    return {
        "ph": "X",
        "name": name,
        "pid": process,
        "tid": thread,
        "ts": begin,
        "dur": max(0.0, end - begin),
        "args": dict(args),
    }


def microseconds(value: float) -> float:
    """Return a time as the file holds it, to the nanosecond."""
    return round(float(value), 3)


def whole(events: Sequence[Event], unit: Literal["ms", "ns"]) -> dict[str, Any]:
    """Return what a file holds; ``unit`` is what a viewer shows times in."""
    return {"traceEvents": list(events), "displayTimeUnit": unit}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a trace as ``.json``, or as ``.json.gz``, which the viewers open too."""
    if path.suffix != ".gz":
        write_json(path, content)
        return
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    packed = gzip.compress(text.encode(), mtime=0)
    write_atomically(path, lambda temporary: temporary.write_bytes(packed))
