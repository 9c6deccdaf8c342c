"""Contention as fluid rates, against closed forms."""

import numpy as np
import pytest

from schedlab.microcontrollers.schedule import Decision, play
from schedlab.microcontrollers.schedulers import ArielFIFO, InlineLoop

FIFO = ArielFIFO()


@pytest.mark.parametrize(("n", "cores"), [(1, 2), (24, 2), (25, 2), (25, 4), (7, 8)])
def test_equal_workgroups_take_whole_rounds(n, cores, make_board, make_dispatch):
    schedule = FIFO.assign(make_dispatch(*[100.0] * n), make_board(cores))
    assert schedule.makespan == pytest.approx(-(-n // cores) * 100)


@pytest.mark.parametrize("beta", [0.0, 0.25, 0.8])
def test_two_workgroups_slow_each_other_down_while_both_run(beta, make_board, make_dispatch):
    schedule = FIFO.assign(make_dispatch(300.0, 100.0), make_board(beta=beta))
    assert schedule.end.tolist() == pytest.approx([100 * (1 + beta) + 200, 100 * (1 + beta)])


def test_rates_follow_who_is_at_work(make_board, make_dispatch):
    """Three cores until the shortest ends, then two, then one."""
    ends = FIFO.assign(make_dispatch(100.0, 200.0, 300.0), make_board(3, beta=0.5)).end
    assert ends.tolist() == pytest.approx([100 * 2, 100 * 2 + 100 * 1.5, 200 + 150 + 100])


def test_speeds_divide_work(make_board, make_dispatch):
    ends = FIFO.assign(make_dispatch(100.0, 100.0), make_board(speeds=(1.0, 0.25))).end
    assert ends.tolist() == pytest.approx([100, 400])


def test_a_hand_over_delays_and_does_not_contend(make_board, make_dispatch):
    board = make_board(beta=1.0, job=50)
    schedule = FIFO.assign(make_dispatch(100.0, 100.0), board)
    assert schedule.start.tolist() == [50, 50]
    assert schedule.makespan == pytest.approx(50 + 200)


def test_n_equal_workgroups_with_hand_overs(make_board, make_dispatch):
    schedule = FIFO.assign(make_dispatch(*[100.0] * 12), make_board(3, job=25))
    assert schedule.makespan == pytest.approx(12 * (100 + 25) / 3)


def test_a_chunk_pays_once(make_board, make_dispatch):
    decision = Decision(bounds=np.array([0, 4, 6]), owner=np.array([0, 1]))
    schedule = play(make_dispatch(*[10.0] * 6), make_board(job=5), decision)
    assert schedule.end.tolist() == pytest.approx([15, 25, 35, 45, 15, 25])


def test_the_plain_loop_pays_nothing(make_board, make_dispatch):
    schedule = InlineLoop().assign(make_dispatch(10.0, 20.0, 30.0), make_board(job=7, beta=3))
    assert schedule.end.tolist() == pytest.approx([10, 30, 60])
    assert set(schedule.core) == {0}


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (Decision(order=np.array([0, 0, 1])), "name each of 3"),
        (Decision(bounds=np.array([0, 2])), "rise from 0 to 3"),
        (Decision(bounds=np.array([0, 3]), owner=np.array([2])), "cores 0 to 1"),
        (Decision(owner=np.array([0])), "as many owners"),
    ],
)
def test_decisions_that_cannot_be_are_refused(decision, words, make_board, make_dispatch):
    with pytest.raises(ValueError, match=words):
        play(make_dispatch(1.0, 2.0, 3.0), make_board(), decision)
