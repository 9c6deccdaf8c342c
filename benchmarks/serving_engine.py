"""The compiled engine against the plain one, and against a bare Python loop of the same policy.

All three serve one request table under Sarathi-Serve (FCFS, 512 tokens) in one process, in turns;
the batches of all three are asserted to be equal before any time is taken. The engines also build
their tables and per-request percentiles within the time; the bare loop only keeps token times.
Compiling (once for a checkout) is timed in a process of its own with an empty cache.
"""

import subprocess
import sys
import tempfile
from os import environ

import numpy as np

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
    what = f"{REQUESTS} requests of {name} at 2/s, medians of 3 turns"
    _check_equal(table)
    rows = []
    for scheduler in (Sarathi(), SLAI()):
        calls = [
            lambda make=make, by=scheduler: make.simulate(table, by, ADA_MISTRAL7B)
            for make in (compiled, engine)
        ]
        label = type(scheduler).__name__
        if label == "Sarathi":
            calls.append(lambda: plain_loop(table, ADA_MISTRAL7B))
        ours, *others = in_turns(calls)
        peers = zip(("the plain engine", "a bare Python loop"), others, strict=False)
        rows += [
            _row(f"{label}: compiled engine against {peer}", ours, s, what) for peer, s in peers
        ]
    return [*rows, _compile_row()]


def _check_equal(table: object) -> None:
    ours = compiled.simulate(table, Sarathi(), ADA_MISTRAL7B)
    plain = engine.simulate(table, Sarathi(), ADA_MISTRAL7B)
    assert ours.batches.equals(plain.batches)
    assert ours.requests.equals(plain.requests)
    _, batches = plain_loop(table, ADA_MISTRAL7B)
    assert np.array_equal(np.array(batches), ours.batches[["start_s", "duration_s"]].to_numpy())


def _row(subject: str, ours: float, peer: float, how: str) -> Row:
    return Row(
        subject,
        f"{REQUESTS / ours:,.0f} requests/s",
        f"{REQUESTS / peer:,.0f} requests/s",
        peer / ours,
        "20 times",
        how,
    )


def _compile_row() -> Row:
    script = (
        "import time; start = time.perf_counter(); import schedlab.serving.compiled.loop as loop;"
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
