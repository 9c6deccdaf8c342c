"""The exported trace holds what the run holds."""

import gzip
import json

import pytest

from schedlab.microcontrollers import costs
from schedlab.microcontrollers.boards import board
from schedlab.microcontrollers.inference import infer
from schedlab.microcontrollers.perfetto import export_trace
from schedlab.microcontrollers.schedulers import LPT, ArielFIFO


def test_a_process_for_each_run_and_a_slice_for_each_workgroup(tmp_path):
    on = board("rp2350-arm")
    model = costs.find(costs.OWN, "digits_cnn_int8", on.target)
    runs = {"A": infer(model, on, ArielFIFO()), "B": infer(model, on, LPT())}
    path = tmp_path / "trace.json.gz"
    export_trace({label: run.table() for label, run in runs.items()}, on.clock_hz, path)
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    names = {e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert names == {"A", "B"}
    for process, run in enumerate(runs.values()):
        slices = [e for e in events if e["ph"] == "X" and e["pid"] == process]
        assert len(slices) == model.in_order.instructions.size
        assert {e["tid"] for e in slices} == {0, 1}
        last = max(e["ts"] + e["dur"] for e in slices) / 1e6
        assert last == pytest.approx(run.latency_s, abs=run.board.barrier_overhead / on.clock_hz)
