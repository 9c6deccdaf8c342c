"""What holds for every scheduler on every workload: conservation, order, the paper's C4 to C6."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedlab.serving.costs import ADA_MISTRAL7B, TileStaircase
from schedlab.serving.engine import simulate
from schedlab.serving.invariants import ScheduleError
from schedlab.serving.schedulers import (
    MLFQ,
    RAD,
    SLAI,
    FasterTransformer,
    Orca,
    PerceptionOnly,
    Priority,
    Sarathi,
    StaticSplit,
    VLLMv0,
    VLLMv1,
)

SCHEDULERS = {
    "sarathi fcfs": lambda: Sarathi(token_budget=64, max_num_seqs=6),
    "sarathi spf": lambda: Sarathi(order="spf", token_budget=64, max_num_seqs=6),
    "vllm": lambda: VLLMv0(max_num_batched_tokens=256, max_num_seqs=6),
    "slai dynamic": lambda: SLAI(token_budget=64, max_num_seqs=6, memory_limit=0.5),
    "slai fixed": lambda: SLAI(order="fcfs", offset=2, token_budget=64, max_num_seqs=6),
    "slai priority": lambda: SLAI(
        user_priority=True, token_budget=16, max_num_seqs=6, limit_total_decodes=2
    ),
    "rad": lambda: RAD(b_col=6, b_lcm=32),
    "rad in cycles": lambda: RAD(b_col=6, b_lcm=32, prefills_per_cycle=3),
    "static split": lambda: StaticSplit(prefills=2, decodes=3, token_budget=32, max_num_seqs=6),
    "vllm v1": lambda: VLLMv1(max_num_batched_tokens=64, max_num_seqs=6),
    "vllm v1 priority": lambda: VLLMv1(policy="priority", max_num_batched_tokens=64),
    "priority": lambda: Priority(key="prompt", max_num_batched_tokens=64, max_num_seqs=3),
    "starvation control": lambda: Priority(
        key="output_left", promote_after=5, quantum=9, max_num_batched_tokens=64, max_num_seqs=3
    ),
    "perception only": lambda: PerceptionOnly(tokens=5, max_num_batched_tokens=64, max_num_seqs=3),
    "mlfq": lambda: MLFQ(quantum_s=0.05, growth=2.0, max_num_batched_tokens=64, max_num_seqs=3),
    "slai ranked": lambda: SLAI(
        order="ranked", decodes="ranked", token_budget=64, max_num_seqs=6, limit_total_decodes=2
    ),
    "orca": lambda: Orca(max_model_len=200, max_num_seqs=6),
    "faster transformer": lambda: FasterTransformer(max_model_len=200, max_num_seqs=6),
}
RESERVING = ("orca", "faster transformer")
# Memory for two or three requests; admission leaves a block for each that may run.
SCARCE = {"total_blocks": 60, "block_size": 4, "watermark": 0.1}
request = st.tuples(
    st.floats(0, 1.0, width=16),  # few distinct values, hence ties
    st.integers(1, 150),
    st.integers(1, 40),
    st.sampled_from([None, 0.03, 0.1, 0.5]),
)
workloads = st.lists(request, min_size=1, max_size=14)
many = settings(max_examples=20, deadline=None, derandomize=True)
some = settings(many, max_examples=12)
few = settings(many, max_examples=5)


def as_table(rows):
    columns = ["arrival_s", "prompt_tokens", "output_tokens", "tbt_limit_s"]
    return pd.DataFrame(rows, columns=columns).assign(request_id=np.arange(len(rows)))


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("memory", [SCARCE, {}])
@some
@given(rows=workloads, emits=st.booleans(), preemption=st.sampled_from(["recompute", "swap"]))
def test_everything_is_served_once_and_invariants_hold(name, memory, rows, emits, preemption):
    table = as_table(rows)
    run = simulate(
        table,
        SCHEDULERS[name](),
        ADA_MISTRAL7B,
        first_token_at_prefill=emits,
        preemption=preemption,
        check=True,
        keep_members=True,
        **memory,
    )
    served = run.requests.set_index("request_id").sort_index()
    assert served["output_tokens"].tolist() == table["output_tokens"].tolist()
    assert (served["first_scheduled_s"] >= served["arrival_s"]).all()
    assert (served["finish_s"] >= served["arrival_s"] + served["ttft_s"]).all()
    decodes = run.members.groupby("request_id")[["prefill_tokens", "decode_tokens"]].sum()
    calm = (served["preemptions"] == 0) | (preemption == "swap")
    assert (decodes["prefill_tokens"][calm] == table["prompt_tokens"][calm]).all()
    assert (decodes["decode_tokens"][calm] == table["output_tokens"][calm] - emits).all()
    assert (run.batches["used_blocks"] <= run.total_blocks).all()
    ends = run.batches["start_s"] + run.batches["duration_s"]
    assert (run.batches["start_s"].to_numpy()[1:] >= ends.to_numpy()[:-1]).all()


def test_slai_without_watermark_can_get_stuck_and_that_is_said():
    # With no block held back at admission, a prompt takes the last one and the decodes behind
    # it preempt themselves, batch after batch: a property of the published rule.
    table = as_table([(0.25, 76, 15, 0.1), (0.25, 108, 39, None)])
    stuck = SCHEDULERS["slai fixed"]()
    with pytest.raises(ScheduleError, match="preemptions since the last new token"):
        simulate(table, stuck, ADA_MISTRAL7B, total_blocks=14)
    simulate(table, stuck, ADA_MISTRAL7B, total_blocks=14, watermark=0.15)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_replay_is_identical_whatever_the_order_of_rows(name):
    rng = np.random.default_rng(3)
    rows = [
        (rng.integers(4) / 2, rng.integers(1, 150), rng.integers(1, 40), 0.1) for _ in range(40)
    ]
    table = as_table(rows)
    options = {"keep_members": True, **SCARCE}
    first = simulate(table, SCHEDULERS[name](), ADA_MISTRAL7B, **options)
    assert (first.batches["preemptions"].sum() > 0) == (name not in RESERVING)
    shuffled = table.sample(frac=1, random_state=0)
    second = simulate(shuffled, SCHEDULERS[name](), ADA_MISTRAL7B, **options)
    pd.testing.assert_frame_equal(first.requests, second.requests, check_exact=True)
    pd.testing.assert_frame_equal(first.batches, second.batches, check_exact=True)
    pd.testing.assert_frame_equal(first.members, second.members, check_exact=True)


@many
@given(rows=workloads)
def test_c5_slai_with_everything_critical_is_sarathi(rows):
    table = as_table(rows)
    slai = SLAI(order="fcfs", offset=1e9, token_budget=64, time_between_tokens_s=0)
    runs = [
        simulate(table, scheduler, ADA_MISTRAL7B, keep_members=True)
        for scheduler in (slai, Sarathi(token_budget=64))
    ]
    by_batch = [run.members.sort_values(["batch", "request_id"]) for run in runs]
    pd.testing.assert_frame_equal(*[frame.reset_index(drop=True) for frame in by_batch])
    pd.testing.assert_frame_equal(runs[0].batches, runs[1].batches, check_exact=True)
    pd.testing.assert_frame_equal(runs[0].requests, runs[1].requests, check_exact=True)


class WatchedSLAI(SLAI):
    """Checks claims C4 and C6 on every batch it decides."""

    def schedule(self, state, now):
        decision = super().schedule(state, now)
        decoding = {r.request_id: self.last_schedulable_time(r) for r in state.decoding}
        self.assert_order(decision, decoding, now)
        if not decision.preempted:
            self.assert_work_conserving(state, decision, decoding)
        return decision

    def assert_order(self, decision, decoding, now):
        def part(request_id):
            if request_id not in decoding or request_id in decision.preempted:
                return 1, 0.0
            lst = decoding[request_id]
            return (0, lst) if now >= lst else (2, lst)

        parts = [part(request_id) for request_id in decision.tokens]
        assert [p for p, _ in parts] == sorted(p for p, _ in parts)
        for which in (0, 2):
            deadlines = [lst for p, lst in parts if p == which]
            assert deadlines == sorted(deadlines)

    def assert_work_conserving(self, state, decision, decoding):
        used = sum(decision.tokens.values())
        assert used <= self.token_budget
        decodes = len(decoding.keys() & decision.tokens.keys())
        if used < self.token_budget:
            assert decodes == min(len(decoding), self.limit_total_decodes)
            waiting = [r for r in state.waiting if r.request_id not in decision.tokens]
            admitted = [r for r in state.waiting if r.request_id in decision.tokens]
            blocks = [state.memory.blocks_for(r.num_tokens) for r in (*waiting, *admitted)]
            grown = sum(
                state.memory.needs_block(r)
                for r in state.decoding
                if r.request_id in decision.tokens
            )
            free = state.memory.free_blocks - sum(blocks[len(waiting) :]) - grown
            full = len(state.running) + len(admitted) >= self.max_num_seqs
            shortest = min(blocks[: len(waiting)], default=state.memory.total_blocks)
            assert full or free - shortest < state.memory.watermark_blocks or not waiting


@many
@given(
    rows=workloads,
    offset=st.sampled_from(["dynamic", 0, 2, 10]),
    memory=st.sampled_from([SCARCE, {}]),
    limit=st.sampled_from([2, 128]),
)
def test_c4_c6_slai_conserves_work_and_puts_deadlines_first(rows, offset, memory, limit):
    scheduler = WatchedSLAI(
        offset=offset, token_budget=48, max_num_seqs=6, limit_total_decodes=limit
    )
    simulate(as_table(rows), scheduler, ADA_MISTRAL7B, check=True, **memory)


@pytest.mark.parametrize("name", SCHEDULERS)
@few
@given(rows=workloads)
def test_c2_no_schedule_beats_theorem_1(name, rows):
    cost = TileStaircase(tile_tokens=48)
    run = simulate(as_table(rows), SCHEDULERS[name](), cost, check=True)
    served = (run.batches["prefill_tokens"] + run.batches["decode_tokens"]).cumsum()
    ends = run.batches["start_s"] + run.batches["duration_s"]
    assert (served / cost.peak_tokens_per_s <= ends * (1 + 1e-9)).all()


class Twice:
    """Asks a scheduler twice and finds nothing changed, neither the answer nor the state."""

    def __init__(self, scheduler):
        self.scheduler = scheduler
        if hasattr(scheduler, "reserve_tokens"):
            self.reserve_tokens = scheduler.reserve_tokens

    def schedule(self, state, now):
        before = repr((state, vars(state.memory)))
        decision, again = (self.scheduler.schedule(state, now) for _ in range(2))
        assert decision == again
        assert list(decision.tokens) == list(again.tokens)
        assert repr((state, vars(state.memory))) == before
        return decision


@pytest.mark.parametrize("name", SCHEDULERS)
@few
@given(rows=workloads)
def test_schedulers_are_pure(name, rows):
    simulate(as_table(rows), Twice(SCHEDULERS[name]()), ADA_MISTRAL7B, **SCARCE)
