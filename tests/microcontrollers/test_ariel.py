"""The thread-by-thread model: by hand, at no cost, and against the fast engine."""

from dataclasses import replace

import numpy as np
import pytest

from schedlab.microcontrollers import ariel, costs
from schedlab.microcontrollers.boards import SystemCosts, board, boards
from schedlab.microcontrollers.experiment.runs import pairs
from schedlab.microcontrollers.inference import infer
from schedlab.microcontrollers.schedulers import ArielFIFO, OneWorker

COSTS = SystemCosts(
    switch=100, send=10, receive=20, interrupt=5, spin=1, dispatch=1000, inference=300
)
MULTICORE = [name for name, each in boards().items() if each.cores > 1]


def test_one_workgroup_by_hand(make_board, make_dispatch, make_model):
    """Main yields to the worker it made ready; the core that this woke finds main, which spins."""
    run, segments = ariel.run(make_model(make_dispatch(500.0)), make_board(costs=COSTS))
    assert run.start.tolist() == [10 + 100]  # sent, switched to
    assert run.spans.tolist() == [10 + 100 + 500]
    assert run.cycles == 300 + 1000 + 610
    doing = segments.sort_values("start")[["core", "doing"]].to_numpy().tolist()
    assert doing == [[0, "serial"], [0, "send"], [0, "switch"], [1, "spin"], [0, "workgroup"]]


def test_three_workgroups_by_hand(make_board, make_dispatch, make_model):
    """The third waits with main in the channel until a worker asks, which costs no switch."""
    run, _ = ariel.run(make_model(make_dispatch(500.0, 500.0, 500.0)), make_board(costs=COSTS))
    assert run.core.tolist() == [1, 0, 1]
    # Main sends twice and blocks in a third send, then switches to the second worker.
    assert run.start.tolist() == [15, 3 * 10 + 100, 515 + 20]


def test_spinning_ends_with_a_whole_turn(make_board, make_dispatch, make_model):
    slow = replace(COSTS, spin=64)
    run, _ = ariel.run(make_model(make_dispatch(500.0)), make_board(costs=slow))
    assert run.spans.tolist() == [10 + 5 + 64 * np.ceil((610 - 15) / 64)]


@pytest.mark.parametrize("cores", [1, 2, 4])  # on unequal ones, who wakes first decides
@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_the_engines_are_equal_where_threads_cost_nothing(
    cores, beta, make_board, make_dispatch, make_model
):
    random = np.random.default_rng(1)
    model = make_model(*[make_dispatch(*random.uniform(50, 150, n)) for n in (1, 7, 30)])
    here = make_board(cores, beta=beta)
    threads, fast = ariel.run(model, here)[0], infer(model, here, ArielFIFO())
    assert threads.spans.sum() == pytest.approx(fast.spans.sum(), rel=1e-6)


def test_the_engines_agree_within_two_percent_on_every_shipped_network():
    found = pairs(costs.OWN, MULTICORE)
    assert len(found) == 5 * len(MULTICORE)
    for model, on in found:
        threads, fast = ariel.run(model, on)[0], infer(model, on, ArielFIFO())
        assert threads.cycles == pytest.approx(fast.cycles, rel=0.02), (model.name, on.name)


@pytest.mark.parametrize("cores", [1, 2, 4, 8])
def test_the_engines_agree_within_two_percent_on_mlperf_tiny(cores, catalogued):
    on = {each.target: each for each in map(board, ("rp2040", "rp2350-arm", "rp2350-riscv"))}
    for model in catalogued:
        here = on[model.target].with_cores(cores)
        threads, fast = ariel.run(model, here)[0], infer(model, here, ArielFIFO())
        assert threads.cycles == pytest.approx(fast.cycles, rel=0.02), (model.name, model.target)


def test_one_core_with_a_queue_costs_one_switch_a_workgroup(make_board, make_dispatch, make_model):
    """Every second workgroup pays two."""
    model = make_model(make_dispatch(*[500.0] * 40))
    here = make_board(1, costs=COSTS, job=None)
    threads, fast = ariel.run(model, here)[0], infer(model, here, OneWorker())
    assert threads.cycles == pytest.approx(300 + 1000 + 40 * (500 + 10 + 20 + 100), rel=0.01)
    assert threads.cycles == pytest.approx(fast.cycles, rel=0.01)
