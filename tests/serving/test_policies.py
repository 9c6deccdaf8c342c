"""RAD and the baselines against batches worked out by hand."""

import pytest

from schedlab.serving.engine import simulate
from schedlab.serving.invariants import ScheduleError
from schedlab.serving.memory import BlockMemory
from schedlab.serving.request import Request
from schedlab.serving.schedulers import (
    RAD,
    SCHEDULERS,
    FasterTransformer,
    Orca,
    Priority,
    StaticSplit,
    VLLMv1,
)
from schedlab.serving.state import State


def one_second(work):
    return 1.0


def serve(requests, scheduler, cost=one_second, **options):
    return simulate(
        requests, scheduler, cost, block_size=4, check=True, keep_members=True, **options
    )


def decide(scheduler, memory, running=(), waiting=(), memo=None):
    state = State(memory, list(waiting), list(running), 1.0, 1, memo=memo)
    decision = scheduler.schedule(state, 0.0)
    return list(decision.tokens.items()), list(decision.preempted)


def test_rad_switches_between_prompts_and_decodes(table, trace):
    run = serve(table((0, 8, 2), (0, 4, 1), (0, 4, 3)), RAD(b_col=2, b_lcm=4))
    assert trace(run) == [
        [(0, 4)],
        [(0, 4)],
        [(1, 4)],
        [(0, 1), (1, 1)],  # as many decode as a tile holds
        [(2, 4)],
        [(0, 1), (2, 1)],
        [(2, 1)],
        [(2, 1)],
    ]


def test_rad_finishes_the_active_requests_at_the_end_of_a_cycle(table, trace):
    requests = table((0, 4, 2), (0, 4, 1), (0, 4, 1))
    assert trace(serve(requests, RAD(b_col=8, prefills_per_cycle=2))) == [
        [(0, 4)],
        [(1, 4)],
        [(0, 1), (1, 1)],
        [(0, 1)],
        [(2, 4)],
        [(2, 1)],
    ]
    endless = trace(serve(requests, RAD(b_col=8)))
    assert endless[:4] == [[(0, 4)], [(1, 4)], [(2, 4)], [(0, 1), (1, 1), (2, 1)]]


def test_rad_begins_a_new_cycle_when_it_has_run_empty(table, trace):
    requests = table((0, 4, 1), (90, 4, 1), (90, 4, 1))
    run = serve(requests, RAD(b_col=8, prefills_per_cycle=2))
    assert trace(run) == [[(0, 4)], [(0, 1)], [(1, 4)], [(2, 4)], [(1, 1), (2, 1)]]


def test_rad_finishes_a_prompt_before_the_next_one(table, trace):
    run = serve(table((0, 10, 1), (0, 2, 1)), RAD(b_col=8, b_lcm=4))
    assert trace(run)[:4] == [[(0, 4)], [(0, 4)], [(0, 2)], [(1, 2)]]


def test_rad_decodes_when_no_prompt_fits_the_memory(table, trace):
    # Six blocks: two prompts of two blocks leave two, the third request waits for three.
    run = serve(table((0, 8, 2), (0, 8, 2), (0, 12, 1)), RAD(b_col=12), total_blocks=6)
    assert trace(run) == [
        [(0, 8)],
        [(1, 8)],
        [(0, 1), (1, 1)],
        [(0, 1), (1, 1)],
        [(2, 12)],
        [(2, 1)],
    ]


def test_rad_limits_requests_so_that_nobody_is_preempted(table, trace):
    requests = table((0, 8, 6), (0, 8, 6), (0, 8, 6))
    greedy = serve(requests, RAD(b_col=8), total_blocks=9)
    assert greedy.batches["preemptions"].sum() > 0
    careful = serve(requests, RAD(b_col=8, max_request_tokens=16), total_blocks=9)
    assert careful.batches["preemptions"].sum() == 0
    assert trace(careful)[:3] == [[(0, 8)], [(1, 8)], [(0, 1), (1, 1)]]
    assert careful.batches["running"].max() == 2


def test_rad_without_blocks_preempts_the_last_to_arrive(decoding):
    memory = BlockMemory(4, 4, watermark=0.0)
    running = [decoding(0, memory, arrival=1.0), decoding(1, memory, arrival=0.0)]
    assert decide(RAD(), memory, running) == ([(1, 1)], [0])


def test_orca_reserves_the_longest_request(table, trace):
    orca = Orca(max_model_len=16)
    run = serve(table((0, 8, 2), (0, 4, 1), (0, 4, 2)), orca, total_blocks=9)
    assert trace(run) == [
        [(0, 8), (1, 4)],
        [(0, 1), (1, 1)],
        [(0, 1), (2, 4)],
        [(2, 1)],
        [(2, 1)],
    ]
    assert run.batches["used_blocks"].tolist() == [8, 8, 8, 4, 4]
    limited = serve(table((0, 8, 2), (0, 4, 1)), Orca(max_num_seqs=1, max_model_len=16))
    assert trace(limited)[:4] == [[(0, 8)], [(0, 1)], [(0, 1)], [(1, 4)]]


def test_faster_transformer_waits_for_the_slowest(table, trace):
    scheduler = FasterTransformer(max_model_len=16)
    run = serve(table((0, 8, 2), (0, 4, 1), (0, 4, 2), (0.5, 4, 1)), scheduler, total_blocks=9)
    assert trace(run) == [
        [(0, 8), (1, 4)],
        [(0, 1), (1, 1)],
        [(0, 1)],
        [(2, 4), (3, 4)],
        [(2, 1), (3, 1)],
        [(2, 1)],
    ]


def test_reserved_memory_that_never_fits_is_said(table):
    with pytest.raises(ScheduleError, match=r"Orca, batch 0: the batch is empty.* 1 wait, 0 run"):
        serve(table((0, 8, 2)), Orca(max_model_len=100), total_blocks=9)


def test_static_split_takes_turns(table, trace):
    requests = table((0, 8, 3), (0, 8, 1), (0, 4, 1))
    run = serve(requests, StaticSplit(prefills=1, decodes=2, token_budget=4))
    assert trace(run) == [
        [(0, 4)],
        [(0, 4)],  # nobody decodes yet: the turn passes to the prompts
        [(0, 1)],
        [(1, 4)],
        [(0, 1)],
        [(0, 1)],
        [(1, 4)],
        [(1, 1)],
        [(2, 4)],
        [(2, 1)],
    ]


def test_static_split_packs_chunks_and_decodes_the_oldest(table, trace):
    requests = table((0, 2, 9), (0, 2, 9), (0, 2, 9), (0, 2, 9))
    run = serve(requests, StaticSplit(prefills=2, decodes=1, token_budget=3))
    assert trace(run)[:4] == [
        [(0, 2), (1, 1)],
        [(1, 1), (2, 2)],
        [(0, 1), (1, 1), (2, 1)],
        [(3, 2)],
    ]
    assert trace(run)[5] == [(0, 1), (1, 1), (2, 1)]


def test_vllm_v1_gives_running_requests_what_they_lack(table, trace):
    scheduler = VLLMv1(max_num_batched_tokens=8)
    run = serve(table((0, 10, 2), (0, 5, 2), (1.5, 3, 1)), scheduler)
    assert trace(run) == [
        [(0, 8)],
        [(0, 2), (1, 5)],
        [(0, 1), (1, 1), (2, 3)],
        [(0, 1), (1, 1), (2, 1)],
    ]


def test_vllm_v1_limits_the_chunks_of_long_prompts(table, trace):
    scheduler = VLLMv1(max_num_batched_tokens=8, long_prefill_token_threshold=4)
    run = serve(table((0, 10, 1), (0, 3, 3)), scheduler)
    assert trace(run) == [
        [(0, 4), (1, 3)],
        [(0, 4), (1, 1)],
        [(0, 2), (1, 1)],
        [(0, 1), (1, 1)],
    ]


def test_vllm_v1_takes_blocks_by_chunk_and_preempts_the_last(table, trace):
    run = serve(table((0, 8, 4), (0, 8, 4)), VLLMv1(max_num_batched_tokens=8), total_blocks=5)
    assert trace(run) == [
        [(0, 8)],
        [(0, 1), (1, 7)],
        [(0, 1), (1, 1)],
        [(0, 1), (1, 1)],
        [(0, 1)],  # nine tokens of request 1 need a third block: it preempts itself
        [(1, 8)],
        [(1, 1)],
        [(1, 1)],
        [(1, 1)],
        [(1, 1)],
    ]
    assert run.batches["used_blocks"].tolist() == [2, 4, 5, 5, 3, 2, 3, 3, 3, 3]


def test_vllm_v1_starts_nobody_in_a_batch_that_preempts(decoding):
    memory = BlockMemory(5, 4)
    running = [decoding(0, memory), decoding(1, memory)]
    running[0].num_tokens = running[0].num_computed_tokens = 13
    memory.allocate(running[0], 12)
    waiting = [Request(2, 0, 4, 1)]
    assert decide(VLLMv1(), memory, running, waiting) == ([(0, 1)], [1])
    memory.total_blocks += 1
    assert decide(VLLMv1(), memory, running, waiting) == ([(0, 1), (1, 1)], [])


def test_vllm_v1_by_priority_takes_tokens_back_from_its_victim(decoding):
    memory = BlockMemory(4, 4)
    running = [decoding(0, memory), decoding(1, memory)]
    running[0].priority, running[1].priority = 9.0, 1.0
    running[1].num_tokens = running[1].num_computed_tokens = 9
    assert decide(VLLMv1(policy="priority"), memory, running) == ([(1, 1)], [0])
    assert decide(VLLMv1(), memory, running) == ([(0, 1)], [1])


def test_vllm_v1_by_priority_starts_the_smallest_number_first():
    memory = BlockMemory(100, 4)
    ranks = {0: (2.0, 0.0), 1: (1.0, 0.5), 2: (1.0, 0.2), 3: (-1.0, 0.9)}
    waiting = [Request(i, arrival, 4, 1, priority=rank) for i, (rank, arrival) in ranks.items()]
    batch, _ = decide(VLLMv1(policy="priority"), memory, waiting=waiting)
    assert [i for i, _ in batch] == [3, 2, 1, 0]


@pytest.mark.parametrize(("key", "mean"), [("arrival", 6.6667), ("output", 1.2667)])
def test_priority_gives_the_papers_first_example(table, key, mean):
    # One slot, one token a second, no time for prompts.
    run = serve(
        table((0, 1, 10), (0, 1, 2), (0, 1, 1)),
        Priority(key=key, max_num_seqs=1),
        cost=lambda work: 1e-9 + work.decode_tokens,
    )
    per_token = run.requests["finish_s"] / run.requests["output_tokens"]
    assert per_token.mean() == pytest.approx(mean, abs=1e-3)


def test_priority_displaces_but_keeps_blocks_while_it_can(table, trace):
    requests = table((0, 4, 4), (1.5, 4, 1)).assign(priority=[5.0, 1.0])
    run = serve(requests, Priority(max_num_seqs=1))
    assert trace(run) == [[(0, 4)], [(0, 1)], [(1, 4)], [(1, 1)], *[[(0, 1)]] * 3]
    assert run.batches["preemptions"].sum() == 0
    assert run.batches["running"].tolist() == [1, 1, 2, 2, 1, 1, 1]


@pytest.mark.parametrize(("preemption", "again"), [("swap", []), ("recompute", [[(0, 10)]])])
def test_priority_takes_blocks_from_the_worst_when_they_are_needed(table, trace, preemption, again):
    requests = table((0, 8, 4), (2.5, 8, 2)).assign(priority=[5.0, 1.0])
    run = serve(requests, Priority(), total_blocks=4, preemption=preemption)
    assert trace(run) == [
        [(0, 8)],
        [(0, 1)],
        [(0, 1)],
        [(1, 8)],
        [(1, 1)],
        [(1, 1)],
        *again,
        [(0, 1)],
        [(0, 1)],
    ]
    assert run.requests["preemptions"].tolist() == [1, 0]


def test_priority_drops_selected_requests_from_the_tail(decoding):
    memory = BlockMemory(7, 4, watermark=0.0)
    running = [decoding(i, memory) for i in range(3)]
    # Three running ones are counted with a block each, one is free: the last two must go,
    # but the blocks of the first to go already suffice.
    assert decide(Priority(key="arrival"), memory, running) == ([(0, 1), (1, 1)], [2])
    assert decide(Priority(key=lambda r: -r.request_id), memory, running)[1] == [0]


def test_priority_lets_nobody_overtake():
    memory = BlockMemory(100, 4)
    waiting = [Request(0, 0, 6, 1), Request(1, 0, 9, 1), Request(2, 0, 1, 1)]
    scheduler = Priority(key="arrival", max_num_batched_tokens=8)
    assert decide(scheduler, memory, waiting=waiting) == ([(0, 6), (1, 2)], [])
    few = Priority(key="prompt", max_num_seqs=2)
    assert decide(few, memory, waiting=waiting)[0] == [(2, 1), (0, 6)]


def test_priority_prefers_new_to_running_to_preempted_at_equal_keys(decoding):
    memory = BlockMemory(100, 4)
    swapped = decoding(7, memory)
    memory.free(swapped)
    swapped.num_preemptions = 1
    batch, _ = decide(Priority(), memory, [decoding(5, memory)], [swapped, Request(9, 0, 4, 1)])
    assert [i for i, _ in batch] == [9, 5, 7]


def test_priority_promotes_who_starves(table, trace):
    requests = table((0, 1, 2), (0, 1, 10)).assign(priority=[9.0, 1.0])
    scheduler = Priority(max_num_seqs=1, promote_after=2, quantum=1)
    order = [i for batch in trace(serve(requests, scheduler)) for i, _ in batch]
    assert order == [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1]
    longer = Priority(max_num_seqs=1, promote_after=4, quantum=2)
    order = [i for batch in trace(serve(requests, longer)) for i, _ in batch]
    assert order == [1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1]
    without = trace(serve(requests, Priority(max_num_seqs=1)))
    assert [i for batch in without for i, _ in batch] == [1] * 11 + [0] * 3


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rad", {"b_col": 0}, "b_col must be an integer >= 1, got 0"),
        ("rad", {"b_lcm": 0}, "b_lcm must be an integer >= 1, got 0"),
        ("rad", {"prefills_per_cycle": 0.5}, "prefills_per_cycle must be an integer >= 1"),
        ("rad", {"max_request_tokens": -1}, "max_request_tokens must be an integer >= 1"),
        ("orca", {"max_model_len": 0}, "max_model_len must be an integer >= 1, got 0"),
        ("faster_transformer", {"max_num_seqs": 0}, "max_num_seqs must be an integer >= 1"),
        ("static_split", {"prefills": 0}, "prefills must be an integer >= 1, got 0"),
        ("vllm_v1", {"policy": "spf"}, "policy must be one of 'fcfs', 'priority', got 'spf'"),
        ("vllm_v1", {"long_prefill_token_threshold": -1}, "long_prefill_token_threshold"),
        ("priority", {"key": "luck"}, "key .* must be one of 'priority', .*, got 'luck'"),
        ("priority", {"promote_after": 0}, "promote_after must be an integer >= 1, got 0"),
    ],
)
def test_options_are_checked_early(name, options, message):
    with pytest.raises(ValueError, match=message):
        SCHEDULERS[name](**options)
