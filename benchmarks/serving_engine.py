"""The compiled engine against the plain one, and against a bare Python loop of the same policy.

All serve one request table under Sarathi-Serve (FCFS, 512 tokens) in one process, in turns; the
batches of all three are asserted to be equal before any time is taken. The engines also build
their tables within the time, percentiles of each request's TBT among them; the bare loop is timed
with and without doing so by NumPy. Compiling (once for a checkout) is timed in a process of its
own with an empty cache.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from os import environ
from types import ModuleType

import numpy as np
import pandas as pd

from benchmarks.plain_loop import Job, latencies
from benchmarks.plain_loop import serve as plain_loop
from benchmarks.serving_trace import trace
from benchmarks.table import Row, in_turns
from schedlab.serving import compiled, engine
from schedlab.serving.costs import ADA_MISTRAL7B
from schedlab.serving.schedulers import SLAI, Sarathi

REQUESTS = 2000


def measure() -> list[Row]:
    """Return the ratios, and how long compiling takes."""
    table, name = trace(REQUESTS)
    _check_equal(table)

    def serve(make: ModuleType, scheduler: object) -> Callable[[], object]:
        return lambda: make.simulate(table, scheduler, ADA_MISTRAL7B)

    peers = {
        "the plain engine": serve(engine, Sarathi()),
        "a bare Python loop with percentiles": lambda: latencies(_bare(table)),
        "a bare Python loop without": lambda: _bare(table),
    }
    ours, *seconds = in_turns([serve(compiled, Sarathi()), *peers.values()])
    rows = [_row("Sarathi", peer, ours, s, name) for peer, s in zip(peers, seconds, strict=True)]
    ours, plain = in_turns([serve(make, SLAI()) for make in (compiled, engine)])
    return [*rows, _row("SLAI", "the plain engine", ours, plain, name), _compile_row()]


def _bare(table: pd.DataFrame) -> list[Job]:
    return plain_loop(table, ADA_MISTRAL7B)[0]


def _check_equal(table: pd.DataFrame) -> None:
    ours = compiled.simulate(table, Sarathi(), ADA_MISTRAL7B)
    plain = engine.simulate(table, Sarathi(), ADA_MISTRAL7B)
    assert ours.batches.equals(plain.batches)
    assert ours.requests.equals(plain.requests)
    jobs, batches = plain_loop(table, ADA_MISTRAL7B)
    assert np.array_equal(np.array(batches), ours.batches[["start_s", "duration_s"]].to_numpy())
    found = latencies(jobs)
    assert np.allclose(found, ours.requests[list(found)], rtol=1e-12)


def _row(scheduler: str, peer: str, ours: float, theirs: float, trace_name: str) -> Row:
    return Row(
        f"{scheduler}: compiled engine against {peer}",
        f"{REQUESTS / ours:,.0f} requests/s",
        f"{REQUESTS / theirs:,.0f} requests/s",
        theirs / ours,
        "20 times",
        f"{REQUESTS} requests of {trace_name} at 2/s, medians of 3 turns",
    )


def _compile_row() -> Row:
    script = (
        "import time; start = time.perf_counter();"
        "from schedlab.serving import compiled; from schedlab.serving.schedulers import Sarathi;"
        "from schedlab.serving.costs import ADA_MISTRAL7B; import pandas as pd;"
        "table = pd.DataFrame({'request_id': [0], 'arrival_s': [0.0], 'prompt_tokens': [9],"
        " 'output_tokens': [9]});"
        "compiled.simulate(table, Sarathi(), ADA_MISTRAL7B); print(time.perf_counter() - start)"
    )
    with tempfile.TemporaryDirectory() as cache:
        seconds = [
            float(
                subprocess.run(
                    [sys.executable, "-c", script],
                    env=environ | {"NUMBA_CACHE_DIR": cache},
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            )
            for _ in range(2)
        ]
    return Row(
        "compiling",
        f"{seconds[0]:.1f} s the first time in a checkout, {seconds[1]:.1f} s from the cache",
        "",
        None,
        "none",
        "import, compile or load, and serve one request, in a new process",
    )
