"""The exported trace holds what the run holds, in the format that Perfetto reads."""

import gzip
import json
from itertools import pairwise

import numpy as np
import pytest

from schedlab.serving.costs import ADA_MISTRAL7B
from schedlab.serving.engine import simulate, simulate_fleet
from schedlab.serving.perfetto import COUNTERS, REQUESTS, export_trace, trace
from schedlab.serving.routers import RoundRobin
from schedlab.serving.schedulers import SLAI


@pytest.fixture(scope="module")
def requests(table):
    rng = np.random.default_rng(0)
    return table(*[(0.05 * i, *rng.integers(1, 400, 2)) for i in range(30)])


def slices(events, process):
    return [event for event in events if event["ph"] == "X" and event["pid"] == process]


def test_batches_and_requests_are_slices(requests, tmp_path):
    run = simulate(requests, SLAI(), ADA_MISTRAL7B)
    export_trace(run, tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    batches = slices(events, 1)
    assert len(batches) == len(run.batches)
    starts = np.array([event["ts"] for event in batches]) / 1e6
    assert starts == pytest.approx(run.batches["start_s"].to_numpy(), abs=1e-8)
    spent = sum(event["dur"] for event in batches) / 1e6
    assert spent == pytest.approx(run.batches["duration_s"].sum(), abs=1e-4)
    assert batches[0]["name"] == f"{run.batches['prefill_tokens'][0]} + 0 tokens"
    counters = [event for event in events if event["ph"] == "C"]
    assert len(counters) == len(COUNTERS) * len(run.batches)
    parts = {}
    for event in slices(events, REQUESTS):
        parts.setdefault(event["args"]["request_id"], []).append(event["dur"] / 1e6)
    total = (run.requests["finish_s"] - run.requests["arrival_s"]).to_numpy()
    assert [sum(parts[i]) for i in range(30)] == pytest.approx(total, abs=1e-5)


def test_slices_of_a_track_never_overlap(requests):
    events = trace(simulate(requests, SLAI(), ADA_MISTRAL7B))["traceEvents"]
    tracks = {}
    for event in slices(events, REQUESTS):
        tracks.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    assert 1 < len(tracks) < 30
    for spans in tracks.values():
        assert all(later[0] >= earlier[1] - 1e-3 for earlier, later in pairwise(sorted(spans)))


def test_each_replica_is_a_process(requests):
    run = simulate_fleet(requests, SLAI, ADA_MISTRAL7B, replicas=3, router=RoundRobin())
    events = trace(run)["traceEvents"]
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert names == {0: "requests"} | {i + 1: f"replica {i}, SLAI" for i in range(3)}
    counts = [len(slices(events, i + 1)) for i in range(3)]
    assert counts == np.bincount(run.batches["replica"]).tolist()


def test_unfinished_requests_show_what_they_reached(requests):
    run = simulate(requests, SLAI(), ADA_MISTRAL7B, until_s=0.3)
    events = json.loads(json.dumps(trace(run), allow_nan=False))["traceEvents"]
    assert 0 < len(slices(events, REQUESTS)) < 3 * len(run.requests)


def test_a_packed_trace_is_the_same_and_has_the_same_bytes_again(tmp_path, requests):
    run = simulate(requests, SLAI(), ADA_MISTRAL7B)
    export_trace(run, tmp_path / "a.json")
    export_trace(run, tmp_path / "a.json.gz")
    export_trace(run, tmp_path / "b.json.gz")
    packed = (tmp_path / "a.json.gz").read_bytes()
    assert json.loads(gzip.decompress(packed)) == json.loads((tmp_path / "a.json").read_text())
    assert packed == (tmp_path / "b.json.gz").read_bytes()
