"""Whole inferences: barriers, concurrent groups, breakdown, Amdahl."""

from dataclasses import replace

import numpy as np
import pytest

from schedlab.microcontrollers import costs
from schedlab.microcontrollers.boards import board
from schedlab.microcontrollers.bounds import amdahl_bound
from schedlab.microcontrollers.experiment.runs import pairs, unhindered
from schedlab.microcontrollers.inference import (
    breakdown,
    infer,
    single_core_cycles,
    speed_up,
    without_barriers,
)
from schedlab.microcontrollers.model import coarsened
from schedlab.microcontrollers.schedule import Schedule
from schedlab.microcontrollers.schedulers import SCHEDULERS, ArielFIFO, CriticalPath, InlineLoop

BOARDS = ("rp2040", "rp2350-arm", "rp2350-riscv")


class Backwards:
    """A scheduler of somebody's own: one core, last workgroup first."""

    def assign(self, dispatch, on):
        work = on.work(dispatch)[::-1]
        end = np.cumsum(work)
        ids = np.arange(work.size)[::-1]
        return Schedule(np.zeros(work.size, dtype=int), end - work, end, ids)


class TooGood(Backwards):
    def assign(self, dispatch, on):
        found = super().assign(dispatch, on)
        return replace(found, end=found.end - 0.5)


def test_latency_is_the_sum_over_barriers(make_board, make_dispatch, make_model):
    here = make_board()
    here = replace(here, costs=replace(here.costs, dispatch=7, inference=3))
    model = make_model(make_dispatch(10.0, 10.0, 10.0), make_dispatch(5.0, serial_instructions=2))
    run = infer(model, here, ArielFIFO())
    assert run.cycles == 3 + (7 + 20) + (7 + 2 + 5)
    table = run.table()
    assert table["start"].tolist() == [10, 10, 20, 39]
    assert run.latency_s == pytest.approx(run.cycles / 1e6)


def test_one_call_gives_what_dispatch_by_dispatch_gives():
    for model, on in pairs(costs.OWN, BOARDS):
        for name, make in SCHEDULERS.items():
            if name in ("optimal", "critical_path"):
                continue
            scheduler = make()
            one_by_one = [scheduler.assign(d, on) for d in model.dispatches]
            run = infer(model, on, scheduler)
            assert np.array_equal(run.end, np.concatenate([s.end for s in one_by_one])), name


def test_ones_own_scheduler_is_checked(make_board, make_dispatch, make_model):
    model, here = make_model(make_dispatch(1.0, 2.0), make_dispatch(4.0)), make_board()
    assert infer(model, here, Backwards()).cycles == 7
    with pytest.raises(ValueError, match="sooner than its core"):
        infer(model, here, TooGood())


def test_concurrent_dispatches_share_a_barrier(make_board, make_dispatch, make_model):
    pair = [make_dispatch(100.0, group=0), make_dispatch(60.0, 40.0, group=0)]
    model, here = make_model(make_dispatch(10.0), *pair), make_board()
    assert infer(model, here, ArielFIFO()).cycles == 10 + 100 + 60
    assert infer(model, here, CriticalPath()).cycles == 10 + 100


def test_the_graph_knows_the_longest_chain(make_dispatch, make_model):
    import networkx

    pair = [make_dispatch(100.0, group=0), make_dispatch(60.0, 40.0, group=0)]
    graph = make_model(make_dispatch(10.0), *pair, make_dispatch(1.0)).graph()
    assert sorted(graph.edges) == [(0, 1), (0, 2), (1, 3), (2, 3)]
    assert networkx.dag_longest_path(graph, weight="span")[:3] == [0, 1, 3]


def test_parts_of_a_latency_add_up():
    for model, on in pairs(costs.OWN, BOARDS):
        for name in ("ariel_fifo", "static_block", "inline_loop"):
            parts = breakdown(model, on, SCHEDULERS[name]())
            whole = infer(model, on, SCHEDULERS[name]()).cycles
            assert sum(parts.values()) == pytest.approx(whole)
            assert min(parts.values()) > -1e-6


def test_amdahl_and_missing_barriers_bound_every_speed_up():
    for model, on in pairs(costs.OWN, BOARDS):
        for cores in (2, 4):
            here = replace(unhindered(on.with_cores(cores)), costs=on.costs)
            serial = infer(model, here, InlineLoop()).serial.sum()
            limit = amdahl_bound(serial, on.work(model.in_order).sum(), cores)
            assert speed_up(model, here, ArielFIFO()) <= limit * (1 + 1e-9)
            assert without_barriers(model, here) <= infer(model, here, ArielFIFO()).cycles + 1e-6


def test_merging_workgroups_keeps_the_work():
    model = costs.find(costs.OWN, "digits_cnn_int8", "rv32imac")
    merged = coarsened(model, 4)
    assert merged.instructions == model.instructions
    assert [d.workgroups for d in merged.dispatches] == [
        -(-d.workgroups // 4) for d in model.dispatches
    ]
    on = board("rp2350-riscv")
    assert single_core_cycles(merged, on) == pytest.approx(single_core_cycles(model, on))


def test_a_board_refuses_foreign_instructions():
    model = costs.find(costs.OWN, "digits_cnn_int8", "rv32imac")
    with pytest.raises(ValueError, match=r"rp2040 executes thumbv6m.*compiled for rv32imac"):
        infer(model, board("rp2040"), ArielFIFO())
