"""Export of a run for Perfetto (ui.perfetto.dev) and chrome://tracing, to zoom into.

Each replica is a process with a track of batches and counters below it; requests are a process of
their own, on as few tracks as they fit on without overlap. See :mod:`schedlab.lab.trace_events`.
"""

from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from schedlab.lab import trace_events
from schedlab.lab.trace_events import Event, label, microseconds, span
from schedlab.serving.records import Run

REQUESTS = 0
COUNTERS = ("used_blocks", "waiting", "running", "backlog_tokens")


def export_trace(run: Run, path: Path) -> None:
    """Write a run as a trace that Perfetto opens.

    Parameters
    ----------
    run
        Any run; of requests that did not finish, only what ended is drawn.
    path
        File to write, ``.json`` or ``.json.gz``.
    """
    trace_events.write(path, trace(run))


def trace(run: Run) -> dict[str, Any]:
    """Return a run in Chrome's trace event format.

    A batch is a slice named after its tokens; a request is three slices in a row: ``queue``
    until it is first scheduled, ``prefill`` until its first prefill ends, then ``decode``.
    """
    replicas = run.batches.get("replica", pd.Series(0, run.batches.index))
    events = [label("process", REQUESTS, 0, "requests")]
    for replica, batches in run.batches.groupby(replicas.to_numpy()):
        process = int(replica) + 1
        events.append(label("process", process, 0, f"replica {replica}, {run.scheduler}"))
        events.append(label("thread", process, 0, "batches"))
        events.extend(_batch_events(batches, process))
    events.extend(_request_events(run.requests))
    return trace_events.whole(events, "ms")


def _batch_events(batches: pd.DataFrame, process: int) -> list[Event]:
    events = []
    for number, batch in zip(batches.index, batches.to_dict("records"), strict=True):
        start, end = batch["start_s"], batch["start_s"] + batch["duration_s"]
        name = f"{batch['prefill_tokens']} + {batch['decode_tokens']} tokens"
        args = {key: value for key, value in batch.items() if key not in ("start_s", "duration_s")}
        events.append(span(name, process, 0, 1e6 * start, 1e6 * end, {"batch": number, **args}))
        events.extend(
            {
                "ph": "C",
                "name": counter,
                "pid": process,
                "ts": microseconds(1e6 * start),
                "args": {counter: batch[counter]},
            }
            for counter in COUNTERS
        )
    return events


def _request_events(requests: pd.DataFrame) -> list[Event]:
    events = []
    tracks = _tracks(requests)
    for track in range(tracks.max(initial=-1) + 1):
        events.append(label("thread", REQUESTS, track, f"requests {track}"))
    for track, request in zip(tracks.tolist(), requests.to_dict("records"), strict=True):
        arrival = request["arrival_s"]
        times = [arrival, request["first_scheduled_s"], arrival + request["ttft_s"]]
        times.append(request["finish_s"])
        names = ("request_id", "class", "prompt_tokens", "output_tokens", "preemptions")
        args = {name: request[name] for name in names}
        for phase, start, end in zip(
            ("queue", "prefill", "decode"), times, times[1:], strict=False
        ):
            if end > start:  # also false where it is not known
                name = f"{request['request_id']} {phase}"
                events.append(span(name, REQUESTS, track, 1e6 * start, 1e6 * end, args))
    return events


def _tracks(requests: pd.DataFrame) -> np.ndarray:
    """Return a track for each request: the first that is free when it arrives."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    tracks = []
    for arrival, finish in zip(
        requests["arrival_s"], requests["finish_s"].fillna(np.inf), strict=True
    ):
        while busy and busy[0][0] <= arrival:
            heappush(free, heappop(busy)[1])
        track = heappop(free) if free else len(busy)
        heappush(busy, (finish, track))
        tracks.append(track)
    return np.array(tracks, dtype=int)
