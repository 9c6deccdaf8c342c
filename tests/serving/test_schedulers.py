"""Every policy against batches worked out by hand: ties, memory pressure, preemption."""

import inspect

import pytest

from schedlab.serving.engine import simulate
from schedlab.serving.memory import BlockMemory
from schedlab.serving.request import Request
from schedlab.serving.schedulers import SCHEDULERS, SLAI, Sarathi, VLLMv0
from schedlab.serving.schedulers.steps import Draft
from schedlab.serving.state import State


def one_second(work):
    return 1.0


def serve(requests, scheduler, **options):
    return simulate(
        requests, scheduler, one_second, block_size=4, check=True, keep_members=True, **options
    )


def decide(scheduler, memory, running=(), waiting=(), now=0.0):
    decision = scheduler.schedule(State(memory, list(waiting), list(running), 1.0, 1), now)
    return list(decision.tokens.items()), list(decision.preempted)


def test_sarathi_fcfs_chunks_and_breaks_ties_by_admission(table, trace):
    run = serve(table((0, 10, 3), (0, 5, 2), (1.5, 3, 1)), Sarathi(token_budget=8))
    assert trace(run) == [
        [(0, 8)],
        [(0, 2), (1, 5)],
        [(0, 1), (1, 1), (2, 3)],
        [(0, 1), (1, 1), (2, 1)],
        [(0, 1)],
    ]
    assert run.requests["ttft_s"].tolist() == [2, 2, 1.5]
    assert run.requests["finish_s"].tolist() == [5, 4, 4]


def test_sarathi_spf_admits_the_shortest_prompt_first(table, trace):
    scheduler = Sarathi(order="spf", token_budget=8)
    run = serve(table((0, 10, 3), (0, 5, 2), (1.5, 3, 1)), scheduler)
    assert trace(run) == [
        [(1, 5), (0, 3)],
        [(1, 1), (0, 7)],
        [(1, 1), (0, 1), (2, 3)],
        [(0, 1), (2, 1)],
        [(0, 1)],
    ]


def test_sarathi_orders_decodes_by_arrival_even_if_admitted_later(table, trace):
    scheduler = Sarathi(order="spf", token_budget=8)
    run = serve(table((0, 2, 9), (0.1, 9, 3), (0.2, 3, 3)), scheduler)
    assert trace(run)[1] == [(0, 1), (2, 3), (1, 4)]
    assert trace(run)[3] == [(0, 1), (1, 1), (2, 1)]


def test_sarathi_under_memory_pressure(table, trace):
    # Six blocks of four tokens. A decode asks for a free block even when it needs none, so the
    # last request is preempted; it stands in front, but not again in the same batch.
    run = serve(
        table((0, 8, 6), (0, 8, 6), (0, 8, 2)),
        Sarathi(token_budget=32, max_num_seqs=8),
        total_blocks=6,
    )
    assert trace(run) == [
        [(0, 8), (1, 8), (2, 8)],
        [(0, 1), (1, 1)],
        [(0, 1), (1, 1)],
        [(0, 1)],
        [(0, 1), (1, 10)],
        [(0, 1)],
        [(0, 1)],
        [(1, 10), (2, 8)],
        [(1, 1), (2, 1)],
        [(1, 1), (2, 1)],
        [(1, 1)],
        [(1, 1)],
    ]
    assert run.batches["preemptions"].tolist() == [0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]
    assert run.requests["preemptions"].tolist() == [0, 2, 1]
    assert run.requests["ttft_s"].tolist() == [1, 1, 1]  # the first prefill counts
    assert run.requests["tbt_max_s"].tolist() == [1, 6, 8]  # the pause is one long TBT


def test_sarathi_without_budget_left_runs_decodes_only(decoding, prefilling):
    memory = BlockMemory(100, 4)
    running = [decoding(0, memory), prefilling(1, memory), decoding(2, memory)]
    waiting = [Request(3, 0, 4, 4)]
    batch = decide(Sarathi(token_budget=1), memory, running, waiting)
    assert batch == ([(0, 1), (2, 1)], [])


def test_max_num_seqs_counts_requests_that_own_blocks(table, trace):
    run = serve(table((0, 2, 2), (0, 2, 2)), Sarathi(max_num_seqs=1))
    assert trace(run) == [[(0, 2)], [(0, 1)], [(0, 1)], [(1, 2)], [(1, 1)], [(1, 1)]]


def test_vllm_runs_whole_prompts_before_any_decode(table, trace):
    scheduler = VLLMv0(max_num_batched_tokens=12)
    run = serve(table((0, 8, 2), (0, 4, 1), (0, 4, 1), (1.5, 6, 1)), scheduler)
    assert trace(run) == [
        [(0, 8), (1, 4)],
        [(2, 4)],
        [(3, 6)],
        [(0, 1), (1, 1), (2, 1), (3, 1)],
        [(0, 1)],
    ]


def test_vllm_preempts_the_newest_when_blocks_run_out(table, trace):
    run = serve(table((0, 8, 6), (0, 8, 3)), VLLMv0(), total_blocks=5)
    # Both grow to three blocks in the second decode: one block is free, the first takes it.
    assert trace(run) == [
        [(0, 8), (1, 8)],
        [(0, 1), (1, 1)],
        [(0, 1)],
        [(0, 1)],
        [(0, 1)],
        [(0, 1)],
        [(0, 1)],
        [(1, 9)],
        [(1, 1)],
        [(1, 1)],
    ]
    assert run.requests["preemptions"].tolist() == [0, 1]


def test_nobody_overtakes_a_prompt_that_waits_for_memory(decoding):
    memory = BlockMemory(10, 4, watermark=0.1)
    running = [decoding(0, memory, prompt=24)]  # six of ten blocks, one is the watermark
    waiting = [Request(1, 0, 16, 1), Request(2, 0, 4, 1)]
    assert decide(Sarathi(), memory, running, waiting) == ([(0, 1)], [])
    spf = decide(Sarathi(order="spf"), memory, running, waiting)
    assert spf == ([(0, 1), (2, 4)], [])


def test_slai_lets_decodes_wait_until_they_are_critical(table, trace):
    # Every batch takes 1 s, so a decode becomes critical 3 - 1 * 1 = 2 s after it was ready.
    scheduler = SLAI(order="fcfs", offset=1, token_budget=8)
    run = serve(table((0, 4, 2, 3.0), (0, 32, 1, 3.0)), scheduler)
    assert trace(run) == [
        [(0, 4), (1, 4)],
        [(1, 8)],
        [(1, 8)],
        [(0, 1), (1, 7)],  # ready at 1, critical at 3: before the prompt
        [(1, 5), (0, 1)],  # not critical: after the prompt
        [(1, 1)],
    ]
    assert run.tbt_samples_s.tolist() == [3, 1, 1]


def test_slai_orders_decodes_by_deadline_then_arrival_then_id(decoding):
    memory = BlockMemory(100, 4)
    running = [
        decoding(4, memory, limit=2.0),
        decoding(3, memory, limit=2.0),
        decoding(2, memory, limit=2.0, arrival=-1.0),
        decoding(1, memory, limit=9.0),
        decoding(0, memory, limit=1.0, ready=(0.5, 1.0, 0.0)),
    ]
    scheduler = SLAI(offset=0)
    batch, _ = decide(scheduler, memory, running, [Request(5, 0, 4, 1)], now=2.0)
    assert batch == [(0, 1), (2, 1), (3, 1), (4, 1), (5, 4), (1, 1)]


def test_slai_limits_decodes_and_lets_them_yield_to_prompts(decoding, prefilling):
    memory = BlockMemory(100, 4)
    running = [decoding(i, memory, limit=1.0 + i) for i in range(4)]
    running.append(prefilling(9, memory, prompt=20, done=4))
    few = SLAI(offset=0, limit_total_decodes=2, token_budget=20)
    assert decide(few, memory, running, now=1.5)[0] == [(0, 1), (9, 16), (1, 1)]
    tight = SLAI(offset=0, token_budget=3)
    assert decide(tight, memory, running, now=1.5)[0] == [(0, 1), (9, 2)]


def test_slai_margin_grows_when_memory_is_scarce(decoding):
    memory = BlockMemory(100, 4)
    low, high = (
        decoding(i, memory, limit=9.0, ready=(1.0, 0.5, use)) for i, use in ((0, 0.95), (1, 0.96))
    )
    scheduler = SLAI(below=5, above=10, memory_limit=0.96)
    assert scheduler.last_schedulable_time(low) == 1.0 + 9.0 - 5 * 0.5
    assert scheduler.last_schedulable_time(high) == 1.0 + 9.0 - 10 * 0.5
    assert SLAI(offset=2).last_schedulable_time(high) == 1.0 + 9.0 - 2 * 0.5


def test_slai_uses_its_own_limit_for_requests_without_one(decoding):
    request = decoding(0, BlockMemory(100, 4), limit=None, ready=(1.0, 0.01, 0.0))
    scheduler = SLAI(offset=1, time_between_tokens_s=0.25)
    assert scheduler.last_schedulable_time(request) == 1.0 + 0.25 - 0.01


def test_slai_critical_decode_preempts_the_started_prompt(decoding, prefilling):
    memory = BlockMemory(6, 4, watermark=0.0)
    running = [decoding(0, memory, limit=0.0), prefilling(1, memory, prompt=16, done=4)]
    waiting = [Request(2, 0, 20, 1), Request(3, 0, 8, 1)]
    batch = decide(SLAI(offset=0, order="fcfs"), memory, running, waiting)
    assert batch == ([(0, 1)], [1])  # it waits in front, and nobody overtakes it
    assert decide(SLAI(offset=0), memory, running, waiting) == ([(0, 1), (3, 8)], [1])


def test_slai_decode_without_block_preempts_itself(decoding):
    memory = BlockMemory(4, 4, watermark=0.0)
    running = [decoding(0, memory, limit=5.0), decoding(1, memory, limit=7.0)]
    batch = decide(SLAI(offset=0), memory, running)
    assert batch == ([(1, 1)], [0])  # not critical: prompts were admitted before
    assert decide(SLAI(offset=0), memory, running, now=6.0) == batch  # nor may the critical one


def test_slai_user_priority_admits_tighter_limits_first():
    memory = BlockMemory(100, 4)
    limits = {0: (0.5, 4), 1: (0.1, 8), 2: (0.1, 4), 3: (0.5, 3)}
    waiting = [Request(i, 0, n, 1, tbt_limit_s=limit) for i, (limit, n) in limits.items()]
    plain, _ = decide(SLAI(), memory, waiting=waiting)
    priority, _ = decide(SLAI(user_priority=True), memory, waiting=waiting)
    assert [i for i, _ in plain] == [3, 0, 2, 1]
    assert [i for i, _ in priority] == [2, 1, 3, 0]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sarathi", {"order": "lifo"}, "order must be one of 'fcfs', 'spf', got 'lifo'"),
        ("sarathi", {"token_budget": 0}, "token_budget must be an integer >= 1, got 0"),
        ("vllm_v0", {"max_num_seqs": 2.5}, "max_num_seqs must be an integer >= 1, got 2.5"),
        ("slai", {"offset": "fixed"}, "offset .* must be a number in .*, got 'fixed'"),
        ("slai", {"memory_limit": 1.5}, r"memory_limit must be a number in \[0, 1\], got 1.5"),
        ("slai", {"user_priority": 1}, "user_priority must be True or False, got 1"),
        ("slai", {"user_priority": True, "order": "fcfs"}, "user_priority needs order 'spf'"),
    ],
)
def test_options_are_checked_early(name, options, message):
    with pytest.raises(ValueError, match=message):
        SCHEDULERS[name](**options)


# As the papers and their code have them; a result that does not name an option stands on these.
PUBLISHED = {
    "faster_transformer": {"max_num_seqs": 128, "max_model_len": 8192},
    "mlfq": {"quantum_s": 0.03, "growth": 10.0, "promote_every": 100},
    "orca": {"max_num_seqs": 8, "max_model_len": 8192},
    "slai": {"offset": "dynamic", "below": 5, "above": 10, "memory_limit": 0.96},
    "static_split": {"prefills": 1, "decodes": 1},
    "vllm_v1": {"policy": "fcfs", "max_num_batched_tokens": 2048, "max_num_seqs": 128},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_defaults_are_the_published_ones(name):
    options = inspect.signature(SCHEDULERS[name]).parameters
    found = {option: options[option].default for option in PUBLISHED[name]}
    assert found == PUBLISHED[name]


def test_a_full_batch_names_no_request_without_tokens(prefilling):
    memory = BlockMemory(100, 4)
    first, second = (prefilling(i, memory, prompt=8) for i in (0, 1))
    draft = Draft(State(memory, [], [first, second]), token_budget=6)
    for request in (first, second, first):
        draft.prefill(request)
    assert draft.tokens == {0: 6}
