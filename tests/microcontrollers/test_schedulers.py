"""Decisions against hand-made ones, bounds, and the optimum by brute force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedlab.microcontrollers.bounds import graham_bound, lower_bound
from schedlab.microcontrollers.schedule import Schedule, check
from schedlab.microcontrollers.schedulers import (
    EFT,
    LPT,
    SCHEDULERS,
    ArielFIFO,
    Guided,
    Optimal,
    StaticBlock,
    StaticCyclic,
    WorkStealing,
    optimal,
)
from schedlab.microcontrollers.schedulers.optimal import solve

GRAHAM = (3.0, 3.0, 2.0, 2.0, 2.0)
"""Graham's example on two cores: 7 by longest first, 6 at best."""


def test_ariel_takes_workgroups_in_order(make_board, make_dispatch):
    schedule = ArielFIFO().assign(make_dispatch(5.0, 1.0, 1.0, 1.0), make_board())
    assert schedule.core.tolist() == [0, 1, 1, 1]
    assert schedule.start.tolist() == [0, 0, 1, 2]


def test_longest_first_on_grahams_example(make_board, make_dispatch):
    assert LPT().assign(make_dispatch(*GRAHAM), make_board()).makespan == 7
    assert Optimal().assign(make_dispatch(*GRAHAM), make_board()).makespan == 6


def test_longest_first_names_equal_ones_in_order(make_board, make_dispatch):
    uneven = make_dispatch(1.0, 3.0, 2.0, 3.0)
    for scheduler in (LPT(), EFT(), SCHEDULERS["critical_path"]()):
        assert scheduler.decide(uneven, make_board()).order.tolist() == [1, 3, 2, 0]


def test_one_core_does_everything_and_only_the_queue_costs(make_board, make_dispatch):
    three, board = make_dispatch(10.0, 20.0, 30.0), make_board(job=5.0)
    loop, queue = (
        SCHEDULERS[name]().assign(three, board) for name in ("inline_loop", "one_worker")
    )
    assert loop.core.tolist() == queue.core.tolist() == [0, 0, 0]
    assert loop.makespan == 60
    assert queue.makespan == 60 + 3 * 5


def test_static_shares(make_board, make_dispatch):
    five = make_dispatch(*[1.0] * 5)
    assert StaticBlock().assign(five, make_board()).core.tolist() == [0, 0, 0, 1, 1]
    assert StaticBlock().assign(five, make_board(4)).core.tolist() == [0, 0, 1, 1, 2]
    assert StaticCyclic().assign(five, make_board()).core.tolist() == [0, 1, 0, 1, 0]


def test_guided_chunks_shrink(make_board, make_dispatch):
    decision = Guided().decide(make_dispatch(*[1.0] * 20), make_board())
    assert np.diff(decision.bounds).tolist() == [5, 4, 3, 2, 2, 1, 1, 1, 1]
    halves = Guided(divisor=1).decide(make_dispatch(*[1.0] * 20), make_board())
    assert np.diff(halves.bounds).tolist() == [10, 5, 3, 1, 1]


def test_earliest_finish_leaves_a_slow_core_idle(make_board, make_dispatch):
    two, board = make_dispatch(10.0, 10.0), make_board(speeds=(1.0, 0.25))
    assert ArielFIFO().assign(two, board).makespan == 40
    assert EFT().assign(two, board).makespan == 20


def test_earliest_finish_counts_hand_overs(make_board, make_dispatch):
    # A hand-over takes 2 cycles of a fast core and 8 of a slow one, which would else be as soon.
    board = make_board(speeds=(1.0, 0.25), job=2.0)
    decision = EFT().decide(make_dispatch(12.0, 4.0), board)
    assert decision.owner.tolist() == [0, 0]
    assert EFT().decide(
        make_dispatch(13.0, 4.0), make_board(speeds=(1.0, 0.25))
    ).owner.tolist() == [0, 1]


def test_a_thief_takes_the_later_half_of_the_richest(make_board, make_dispatch):
    slow_first = make_dispatch(*[10.0] * 4, *[1.0] * 4)
    schedule = WorkStealing().assign(slow_first, make_board())
    # Core 1 ends its own at 4, and finds 1, 2, 3 waiting on core 0: it keeps one and takes two.
    assert schedule.core.tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert schedule.start[2:4].tolist() == [4, 14]


def brute_force(work, speeds):
    best = np.inf
    for cores in product(range(len(speeds)), repeat=len(work)):
        loads = np.bincount(cores, weights=work, minlength=len(speeds))
        best = min(best, (loads / speeds).max())
    return best


@pytest.mark.parametrize(
    "speeds", [(1.0, 1.0), (1.0, 0.5), (0.5, 0.5), (0.25, 2.0), (1.0, 1.0, 1.0)]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_solver_finds_the_optimum(speeds, seed, make_board, make_dispatch):
    work = np.random.default_rng(seed).integers(10, 100, 8).astype(float)
    board = make_board(speeds=speeds)
    found = solve(make_dispatch(*work), board)
    best = brute_force(work, speeds)
    assert found.makespan == pytest.approx(best, rel=2e-5)
    assert found.bound <= best * (1 + 1e-9)
    assert found.bound >= best * (1 - 1e-4)


def test_what_greedy_can_prove_needs_no_solver(make_board, make_dispatch, monkeypatch):
    monkeypatch.setattr(optimal, "_search", None)
    found = solve(make_dispatch(4.0, 4.0, 2.0, 2.0), make_board())
    assert (found.makespan, found.bound) == (6, 6)
    with pytest.raises(AttributeError):
        found.makespan = 5


@pytest.mark.parametrize("effort", [1e-9, 1e-3])
@pytest.mark.parametrize("seed", range(3))
def test_however_short_the_search_it_is_no_worse_than_greedy(
    effort, seed, make_board, make_dispatch
):
    work = np.random.default_rng(seed).integers(10, 1000, 60).astype(float)
    dispatch, board = make_dispatch(*work), make_board(speeds=(1.0, 0.5, 0.7))
    greedy = EFT().assign(dispatch, board).makespan
    found = solve(dispatch, board, effort)
    assert 0.9 * greedy <= found.bound <= found.makespan <= greedy
    loads = np.bincount(found.core, weights=work, minlength=3) / board.speeds
    assert found.makespan == loads.max()


WORK = st.lists(st.floats(1, 1000), min_size=1, max_size=40)
MULTICORE = {k: v for k, v in SCHEDULERS.items() if k not in ("optimal",)}


@settings(max_examples=60, deadline=None)
@given(work=WORK, cores=st.integers(1, 5), beta=st.floats(0, 0.9), job=st.floats(0, 50))
def test_every_schedule_can_be_followed_and_none_beats_the_bound(
    work, cores, beta, job, make_board, make_dispatch
):
    dispatch, board = make_dispatch(*work), make_board(cores, beta=beta, job=job)
    for make in MULTICORE.values():
        schedule = make().assign(dispatch, board)
        check(schedule, dispatch, board)
        assert schedule.makespan >= lower_bound(dispatch, board) * (1 - 1e-9)


@settings(max_examples=100, deadline=None)
@given(work=WORK, cores=st.integers(1, 5))
def test_list_schedules_keep_to_grahams_bound(work, cores, make_board, make_dispatch):
    dispatch, board = make_dispatch(*work), make_board(cores)
    limit = graham_bound(dispatch.instructions, cores)
    for scheduler in (ArielFIFO(), LPT(), EFT(), SCHEDULERS["critical_path"]()):
        assert scheduler.assign(dispatch, board).makespan <= limit * (1 + 1e-9)


def broken(schedule, **changes):
    values = {k: getattr(schedule, k).copy() for k in ("core", "start", "end", "workgroups")}
    return Schedule(**{**values, **changes})


def test_schedules_that_cannot_be_are_refused(make_board, make_dispatch):
    dispatch, board = make_dispatch(10.0, 10.0, 10.0), make_board()
    good = ArielFIFO().assign(dispatch, board)
    check(good, dispatch, board)
    for changes, words in [
        ({"workgroups": np.array([0, 0, 1])}, "exactly once"),
        ({"core": np.array([0, 1, 2])}, "lacks"),
        ({"end": good.end - 1}, "sooner"),
        ({"core": np.zeros(3, dtype=int)}, "two workgroups at once"),
    ]:
        with pytest.raises(ValueError, match=words):
            check(broken(good, **changes), dispatch, board)


@pytest.mark.parametrize(
    ("name", "options"), [("guided", {"divisor": 0}), ("optimal", {"effort": 0})]
)
def test_bad_options_are_refused(name, options):
    with pytest.raises(ValueError, match="must be"):
        SCHEDULERS[name](**options)
