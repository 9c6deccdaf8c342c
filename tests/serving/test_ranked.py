"""Schedulers that rank everybody before every batch, against batches worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from schedlab.serving import compiled
from schedlab.serving.costs import ADA_MISTRAL7B, COST_MODELS, KV_BLOCKS, LinearPerSequence
from schedlab.serving.engine import simulate
from schedlab.serving.memory import BlockMemory
from schedlab.serving.request import Request
from schedlab.serving.schedulers import MLFQ, SLAI, PerceptionOnly, Priority, Sarathi
from schedlab.serving.schedulers.mlfq import authors_options
from schedlab.serving.state import State

ONE_A_SECOND = LinearPerSequence(0.0, 1.0, 0.0, 0.0)
SMALL = {"total_blocks": 400, "block_size": 4, "watermark": 0.05}


def order_of(run):
    """Return the ids of a run's batches, each in batch order."""
    return run.members.groupby("batch")["request_id"].apply(list).tolist()


def serve(requests, scheduler, **options):
    settings = {"first_token_at_prefill": True, "preemption": "swap", "check": True} | options
    return simulate(requests, scheduler, lambda work: 1.0, keep_members=True, **settings)


def decide(scheduler, memory, running=(), waiting=(), now=0.0):
    decision = scheduler.schedule(State(memory, list(waiting), list(running), 1.0, 1), now)
    return list(decision.tokens), list(decision.preempted)


@pytest.mark.parametrize(
    ("scheduler", "exact"),
    [
        (Sarathi(max_num_seqs=1), 20 / 3),
        (Priority(key="output", max_num_seqs=1), 3.8 / 3),
        (Priority(key="output_left", max_num_seqs=1), 3.8 / 3),
    ],
)
def test_the_papers_first_figure_to_the_last_digit(table, scheduler, exact):
    run = simulate(
        table((0, 1, 10), (0, 1, 2), (0, 1, 1)),
        scheduler,
        ONE_A_SECOND,
        first_token_at_prefill=True,
    )
    latency = run.requests["finish_s"] / run.requests["output_tokens"]
    assert latency.mean() == pytest.approx(exact, rel=1e-15)


def test_mlfq_serves_levels_in_turn_and_lets_quanta_grow(table):
    # A batch takes 1 s, quanta are 1.5 s and 3 s: two batches in level 0, four in level 1.
    requests = table((0, 1, 9), (3.5, 1, 2))
    run = serve(requests, MLFQ(quantum_s=1.5, growth=2.0, max_num_seqs=1))
    assert order_of(run) == [[0]] * 4 + [[1]] * 2 + [[0]] * 5


def test_mlfq_drops_to_the_front_or_to_the_back_of_the_next_level(table):
    requests = table((0, 1, 3), (0, 1, 3))
    front = serve(requests, MLFQ(quantum_s=0.5, growth=10.0, max_num_seqs=1))
    assert order_of(front) == [[0], [1], [1], [1], [0], [0]]  # the last to drop stands in front
    back = serve(requests, MLFQ(quantum_s=0.5, growth=10.0, max_num_seqs=1, reinsert="back"))
    assert order_of(back) == [[0], [1], [0], [0], [1], [1]]


def test_mlfq_keeps_the_order_of_those_that_drop_together(table):
    run = serve(table((0, 1, 2), (0, 1, 2)), MLFQ(quantum_s=0.5, max_num_seqs=2))
    assert order_of(run) == [[0, 1], [0, 1]]


def test_mlfq_promotes_who_did_not_run_for_long(table):
    requests = table((0, 1, 9), *[(1.5 + i, 1, 1) for i in range(6)])
    plain = serve(requests, MLFQ(quantum_s=0.5, max_num_seqs=1))
    assert order_of(plain) == [[0], [0], *[[i] for i in range(1, 7)], *[[0]] * 7]
    scheduler = MLFQ(quantum_s=0.5, max_num_seqs=1, promote_after_s=2.0, promote_every=1)
    promoted = order_of(serve(requests, scheduler))
    assert promoted[:5] == [[0], [0], [1], [2], [3]]
    # Promoted at 4 s, behind those that came before and ahead of the one that comes at 4.5 s.
    assert promoted[5:7] == [[0], [4]]


def test_the_authors_parser_misses_a_quantum_that_is_called_base():
    assert authors_options("mlfq-quant0.03-thres10") == {"quantum_s": 0.03, "growth": 10.0}
    assert authors_options("mlfq-base0.03-thres10") == {"quantum_s": 0.01, "growth": 10.0}
    meant = authors_options("mlfq-base0.03-thres10", as_meant=True)
    assert meant == {"quantum_s": 0.03, "growth": 10.0}
    assert len(MLFQ(**meant, levels=4).quanta_s) == 4


def test_perception_only_asks_everybody_first_then_ranks_by_the_answers(table):
    requests = table((0, 1, 5), (0, 1, 3)).assign(priority=[9.0, 1.0])
    run = serve(requests, PerceptionOnly(tokens=2, max_num_seqs=1))
    assert order_of(run) == [[0], [0], [1], [1], [1], [0], [0], [0]]


def test_ties_can_be_broken_by_the_queue_by_text_or_at_random(decoding):
    memory = BlockMemory(100, 4)
    waiting = [Request(i, 0.0, 2, 1) for i in (2, 10, 1)]
    assert decide(Priority(), memory, [decoding(5, memory)], waiting)[0] == [2, 10, 1, 5]
    assert decide(Priority(ties="text"), memory, waiting=waiting)[0] == [1, 10, 2]
    memory, many = BlockMemory(400, 4), [Request(i, 0.0, 2, 1) for i in range(100)]
    drawn = decide(Priority(ties="random"), memory, waiting=many)[0]
    assert sorted(drawn) == list(range(100))
    assert abs(np.corrcoef(drawn, range(100))[0, 1]) < 0.3
    assert drawn == decide(Priority(ties="random"), memory, waiting=many[::-1])[0]


def test_a_prediction_is_never_as_good_as_a_tie_that_is_broken_after_it():
    memory = BlockMemory(100, 4)
    waiting = [Request(i, 0.0, 2, 1, priority=-i) for i in range(9)]
    for ties in ("queue", "text", "random"):
        assert decide(Priority(ties=ties), memory, waiting=waiting)[0] == list(range(8, -1, -1))


def test_scoring_holds_up_the_batch_that_new_requests_could_join(table):
    requests = table((0, 10, 2), (0.5, 30, 1))
    run = serve(requests, Priority(), score_token_s=0.01)
    assert run.batches["duration_s"].tolist() == pytest.approx([1.1, 1.3])
    free = serve(requests, Priority())
    assert free.batches["duration_s"].tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match=r"score_token_s must be a number in \[0, inf\], got -1"):
        serve(requests, Priority(), score_token_s=-1)


def test_slai_starts_ranked_prompts_first_and_users_before_ranks():
    memory = BlockMemory(100, 4)
    rows = {0: (0.5, 3.0), 1: (0.1, 2.0), 2: (0.1, 1.0), 3: (0.5, -1.0)}
    waiting = [
        Request(i, 0.0, 4, 1, tbt_limit_s=limit, priority=rank) for i, (limit, rank) in rows.items()
    ]
    assert decide(SLAI(order="ranked"), memory, waiting=waiting)[0] == [3, 2, 1, 0]
    by_users = SLAI(order="ranked", user_priority=True)
    assert decide(by_users, memory, waiting=waiting)[0] == [2, 1, 3, 0]


def test_slai_ranks_decodes_that_no_deadline_presses(decoding):
    memory = BlockMemory(100, 4)
    running = [decoding(i, memory, limit=limit) for i, limit in enumerate((5.0, 6.0, 7.0, 0.0))]
    for request, rank in zip(running, (3.0, 2.0, 1.0, 9.0), strict=True):
        request.priority = rank
    assert decide(SLAI(offset=0), memory, running)[0] == [3, 0, 1, 2]
    ranked = SLAI(offset=0, decodes="ranked", token_budget=3)
    assert decide(ranked, memory, running)[0] == [3, 2, 1]  # the critical one goes first still


@pytest.fixture(scope="module")
def crowd():
    """Return 300 requests at once, in memory for a tenth of them."""
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "request_id": np.arange(300),
            "arrival_s": rng.integers(0, 3, 300).astype(float),
            "prompt_tokens": rng.integers(1, 60, 300),
            "output_tokens": rng.integers(1, 80, 300),
            "priority": rng.standard_normal(300),
        }
    )


RANKED = {
    "priority": Priority(max_num_seqs=20, max_num_batched_tokens=64),
    "controlled": Priority(max_num_seqs=20, max_num_batched_tokens=64, promote_after=30, quantum=5),
    "perception only": PerceptionOnly(max_num_seqs=20, max_num_batched_tokens=64),
    "mlfq": MLFQ(quantum_s=0.1, growth=2.0, max_num_seqs=20, max_num_batched_tokens=64),
}


@pytest.mark.parametrize("name", RANKED)
def test_batches_keep_to_their_bounds_and_everybody_gets_all_tokens(crowd, name):
    run = serve(crowd, RANKED[name], **SMALL)
    sizes = run.members.groupby("batch").agg(
        requests=("request_id", "size"),
        tokens=("prefill_tokens", "sum"),
        decodes=("decode_tokens", "sum"),
    )
    assert sizes["requests"].max() <= 20
    assert (sizes["tokens"] + sizes["decodes"]).max() <= 64
    assert run.batches["used_blocks"].between(0, 400).all()
    assert (run.batches["swapped_blocks"].sum() > 0) == (name != "priority")
    given = run.members.groupby("request_id")[["prefill_tokens", "decode_tokens"]].sum()
    assert given["prefill_tokens"].tolist() == crowd["prompt_tokens"].tolist()
    assert given["decode_tokens"].tolist() == (crowd["output_tokens"] - 1).tolist()


@pytest.mark.parametrize("after", [10, 40])
def test_nobody_starves_longer_than_control_allows(crowd, after):
    # 30 at once, so that all who are promoted fit one batch beside each other.
    requests = crowd.head(30)
    scheduler = Priority(max_num_seqs=20, promote_after=after, quantum=4)
    run = serve(requests, scheduler)
    assert longest_idle(run, requests) <= after + 4 * 2  # those promoted before it go first
    free = longest_idle(serve(requests, Priority(max_num_seqs=4)), requests)
    assert free > longest_idle(
        serve(requests, Priority(max_num_seqs=4, promote_after=after, quantum=4)), requests
    )


def longest_idle(run, requests):
    """Return the most batches in a row that a request was there and did not run."""
    starts = run.batches["start_s"].to_numpy()
    ran = run.members.groupby("request_id")["batch"].apply(np.array)
    came = np.searchsorted(starts, requests["arrival_s"])
    gaps = [
        np.diff(np.concatenate([[first - 1], ran[request_id]])).max() - 1
        for request_id, first in zip(requests["request_id"], came, strict=True)
    ]
    return max(gaps)


def test_what_is_ranked_is_served_by_the_compiled_engine_at_any_size(crowd):
    for scheduler in RANKED.values():
        options = {"preemption": "swap", "score_token_s": 1e-5, **SMALL}
        ours = compiled.simulate(crowd, scheduler, ADA_MISTRAL7B, **options)
        plain = simulate(crowd, scheduler, ADA_MISTRAL7B, **options)
        assert compiled.covers(scheduler, ADA_MISTRAL7B, **options)
        pd.testing.assert_frame_equal(ours.requests, plain.requests, check_exact=True)
        pd.testing.assert_frame_equal(ours.batches, plain.batches, check_exact=True)


def test_the_modern_engine_is_a_floor_under_the_papers():
    modern, theirs = (COST_MODELS[f"llama3-8b-a100-40g-{kind}"] for kind in ("modern", "vllm041"))
    assert KV_BLOCKS["llama3-8b-a100-40g-modern"] == 9_400
    from schedlab.serving.costs import Work

    for work in (Work(decode_tokens=256, decode_context=100_000), Work(((512, 0),), 64, 20_000)):
        assert modern(work) < theirs(work)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Priority(ties="luck"), "ties must be one of 'queue', 'text', 'random', got 'lu"),
        (lambda: MLFQ(reinsert="middle"), "reinsert must be one of 'front', 'back', got 'mid"),
        (lambda: MLFQ(growth=0.5), r"growth must be a number in \[1, 1e\+06\], got 0.5"),
        (lambda: PerceptionOnly(tokens=0), "tokens must be an integer >= 1, got 0"),
        (lambda: SLAI(decodes="fcfs"), "decodes must be one of 'lst', 'ranked', got 'fcfs'"),
        (
            lambda: SLAI(order="fcfs", user_priority=True),
            "user_priority needs order 'spf' or 'ranked', got 'fcfs'",
        ),
    ],
)
def test_options_are_checked_early(make, message):
    with pytest.raises(ValueError, match=message):
        make()
