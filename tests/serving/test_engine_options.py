"""Preemption by swap, a horizon, and memory that is reserved or taken chunk by chunk."""

import numpy as np
import pytest

from schedlab.serving.costs import ADA_MISTRAL7B
from schedlab.serving.engine import simulate
from schedlab.serving.invariants import ScheduleError
from schedlab.serving.schedulers import Decision, Sarathi, VLLMv0


def one_second(work):
    return 1.0


class Script:
    """Gives the decisions of a list, one a batch."""

    def __init__(self, *decisions, reserve=None):
        self.decisions = decisions
        if reserve is not None:
            self.reserve_tokens = reserve

    def schedule(self, state, now):
        return self.decisions[state.num_batches]


def test_swapped_requests_continue_where_they_stopped(table, trace):
    requests = table((0, 8, 6), (0, 8, 3))
    options = {"total_blocks": 5, "block_size": 4, "check": True, "keep_members": True}
    swap = {"preemption": "swap", "swap_block_s": 0.25}
    run = simulate(requests, VLLMv0(), one_second, **options, **swap)
    # The second decode takes the last free block for request 0; request 1 owns two blocks
    # that hold nine tokens only once it has a third, and moves three out and in again.
    assert trace(run) == [
        [(0, 8), (1, 8)],
        [(0, 1), (1, 1)],
        [(0, 1)],
        *[[(0, 1)]] * 4,
        [(1, 1)],
        [(1, 1)],
    ]
    assert run.batches["swapped_blocks"].tolist() == [0, 0, 3, 0, 0, 0, 0, 3, 0]
    assert run.batches["duration_s"].tolist() == [1, 1, 1.75, 1, 1, 1, 1, 1.75, 1]
    assert run.requests["preemptions"].tolist() == [0, 1]
    recomputed = simulate(requests, VLLMv0(), one_second, **options)
    assert recomputed.batches["swapped_blocks"].sum() == 0
    assert recomputed.batches["prefill_tokens"].sum() == run.batches["prefill_tokens"].sum() + 9


def test_swapping_a_started_prompt_moves_what_was_computed(table):
    script = Script(
        {0: 6},  # six of sixteen tokens: two blocks of four
        Decision({1: 4}, [0]),
        {1: 1},
        {0: 10},
        {0: 1},
    )
    options = {"total_blocks": 6, "block_size": 4, "preemption": "swap", "swap_block_s": 0.5}
    run = simulate(table((0, 16, 1), (0, 4, 1)), script, one_second, check=True, **options)
    assert run.batches["swapped_blocks"].tolist() == [0, 2, 0, 2, 0]
    assert run.batches["used_blocks"].tolist() == [4, 1, 1, 4, 4]
    assert run.batches["prefill_tokens"].sum() == 20


def test_swapping_never_computes_a_token_twice(table):
    rng = np.random.default_rng(1)
    requests = table(*[(0, *row) for row in rng.integers(1, 90, (30, 2))])
    run = simulate(
        requests,
        Sarathi(token_budget=64),
        ADA_MISTRAL7B,
        total_blocks=60,
        block_size=4,
        watermark=0.1,
        preemption="swap",
        check=True,
    )
    assert run.batches["preemptions"].sum() > 10
    assert run.batches["prefill_tokens"].sum() == requests["prompt_tokens"].sum()
    assert run.batches["decode_tokens"].sum() == requests["output_tokens"].sum()
    # Whatever went out came in again, and a request moves only if it was preempted.
    assert run.batches["swapped_blocks"].sum() % 2 == 0


def test_backlog_counts_every_token_to_come(table):
    run = simulate(table((0, 6, 2), (1.5, 3, 1)), Sarathi(token_budget=4), one_second, check=True)
    assert run.batches["backlog_tokens"].tolist() == [8, 4, 6, 2][: len(run.batches)]
    at_prefill = {"first_token_at_prefill": True, "check": True}
    run = simulate(table((0, 6, 2), (1.5, 3, 1)), Sarathi(token_budget=4), one_second, **at_prefill)
    assert run.batches["backlog_tokens"].tolist() == [7, 3, 4]


def test_horizon_ends_an_unstable_run(table):
    requests = table(*[(time, 4, 4) for time in np.arange(0, 100, 0.5)])
    run = simulate(requests, Sarathi(max_num_seqs=1), one_second, until_s=20.0, check=True)
    assert len(run.requests) == 40
    assert run.batches["start_s"].tolist() == list(range(20))
    finished = run.requests["finish_s"].notna()
    assert finished.sum() == 4
    assert run.requests["ttft_s"].notna().sum() == 4
    assert run.requests["output_tokens"].tolist()[:5] == [4] * 4 + [0]
    growth = np.polyfit(run.batches["start_s"], run.batches["backlog_tokens"], 1)[0]
    assert growth == pytest.approx(2 * 8 - 8 / 5, rel=0.02)  # 16 tokens/s arrive, 1.6 leave


def test_horizon_beyond_the_end_changes_nothing(table):
    requests = table((0, 40, 3), (0.5, 9, 9))
    with_horizon = simulate(requests, Sarathi(), ADA_MISTRAL7B, until_s=1e9)
    without = simulate(requests, Sarathi(), ADA_MISTRAL7B)
    assert with_horizon.batches.equals(without.batches)
    assert with_horizon.requests.equals(without.requests)


def test_reserved_blocks_never_grow(table):
    script = Script({0: 8}, {0: 1, 1: 4}, {0: 1, 1: 1}, {0: 1}, reserve=12)
    run = simulate(
        table((0, 8, 3), (0, 4, 1)), script, one_second, total_blocks=6, block_size=4, check=True
    )
    assert run.batches["used_blocks"].tolist() == [3, 6, 6, 3]


def test_blocks_can_be_taken_chunk_by_chunk(table):
    script = Script({0: 3}, {0: 1, 1: 4}, {0: 4}, {0: 1, 1: 1}, reserve=0)
    run = simulate(
        table((0, 8, 1), (0, 4, 1)), script, one_second, total_blocks=6, block_size=4, check=True
    )
    assert run.batches["used_blocks"].tolist() == [1, 2, 3, 3]


def test_a_chunk_without_blocks_is_refused(table):
    requests = table((0, 12, 1), (0, 12, 1))
    script = Script({0: 4, 1: 8}, {0: 8, 1: 4}, reserve=0)
    with pytest.raises(ScheduleError, match="batch 1, request 1: its chunk needs a block, none"):
        simulate(requests, script, one_second, total_blocks=5, block_size=4)


def test_the_scheduler_sees_its_memo_again_until_the_replica_is_empty(table):
    seen = []

    class Counting(Sarathi):
        def schedule(self, state, now):
            seen.append(state.memo)
            decision = super().schedule(state, now)
            return Decision(decision.tokens, decision.preempted, (state.memo or 0) + 1)

    simulate(table((0, 4, 2), (90, 4, 1)), Counting(), one_second)
    assert seen == [None, 1, 2, None, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preemption": "drop"}, "preemption must be one of 'recompute', 'swap', got 'drop'"),
        ({"swap_block_s": -1.0}, "swap_block_s must be a number in"),
        ({"until_s": 0.0}, "until_s must be > 0, got 0.0"),
        ({"until_s": 4.0}, "no request arrives before until_s = 4; raise it"),
    ],
)
def test_senseless_options_are_refused(table, options, message):
    with pytest.raises(ValueError, match=message):
        simulate(table((5, 8, 4)), Sarathi(), one_second, **options)


def test_priority_must_be_a_number(table):
    requests = table((0, 8, 4), (0, 8, 4)).assign(priority=[1.0, None])
    with pytest.raises(ValueError, match="priority of request 1 must be a number, got NaN"):
        simulate(requests, Sarathi(), one_second)
