"""The engine against closed forms, and its refusal of what cannot be."""

import numpy as np
import pytest

from schedlab.serving import invariants
from schedlab.serving.costs import ADA_MISTRAL7B, TileStaircase, Work
from schedlab.serving.engine import simulate
from schedlab.serving.invariants import ScheduleError, Violation
from schedlab.serving.memory import BlockMemory
from schedlab.serving.schedulers import SLAI, Decision, Draft, Sarathi, VLLMv0
from schedlab.serving.state import State
from schedlab.serving.workload import poisson_arrivals


def one_second(work):
    return 1.0


@pytest.mark.parametrize("scheduler", [Sarathi(), SLAI(), SLAI(offset=10, order="fcfs")])
def test_lone_request_takes_what_the_cost_model_says(table, scheduler):
    run = simulate(table((2.5, 1300, 3)), scheduler, ADA_MISTRAL7B, check=True)
    chunks = [ADA_MISTRAL7B(Work(((tokens, 0),))) for tokens in (512, 512, 276)]
    decodes = [ADA_MISTRAL7B(Work((), 1, context)) for context in (1300, 1301, 1302)]
    assert run.requests["ttft_s"][0] == pytest.approx(sum(chunks), rel=1e-12)
    assert run.tbt_samples_s == pytest.approx(decodes, rel=1e-9)
    assert run.requests["finish_s"][0] == pytest.approx(2.5 + sum(chunks) + sum(decodes))


def test_first_token_at_prefill_saves_one_decode(table):
    late = simulate(table((0, 8, 3)), Sarathi(), one_second, check=True)
    early = simulate(
        table((0, 8, 3)), Sarathi(), one_second, first_token_at_prefill=True, check=True
    )
    assert (len(late.batches), len(early.batches)) == (4, 3)
    assert early.requests["ttft_s"].tolist() == late.requests["ttft_s"].tolist() == [1.0]
    assert early.requests["output_tokens"].tolist() == [3]
    assert (late.tbt_samples_s.size, early.tbt_samples_s.size) == (3, 2)


def test_single_token_outputs_at_prefill_have_no_tbt(table):
    requests = table((0, 8, 1), (0, 8, 2))
    run = simulate(requests, VLLMv0(), one_second, first_token_at_prefill=True, check=True)
    assert np.isnan(run.requests["tbt_p99_s"][0])
    assert run.requests["tbt_p99_s"][1] == 1.0
    assert run.requests["finish_s"].tolist() == [1.0, 2.0]


def test_recomputation_emits_the_next_token_if_prefills_do(table):
    requests = table((0, 8, 6), (0, 8, 4))
    options = {"total_blocks": 5, "block_size": 4, "check": True}
    run = simulate(requests, VLLMv0(), one_second, first_token_at_prefill=True, **options)
    assert run.requests["preemptions"].sum() > 0
    assert np.bincount(run.tbt_owner).tolist() == [5, 3]
    assert run.requests["ttft_s"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("tokens", [128, 136])
def test_saturated_throughput_is_budget_over_batch_time(table, tokens):
    cost = TileStaircase()
    requests = table(*[(0, 1024, 1)] * 200)
    scheduler = Sarathi(token_budget=tokens, max_num_seqs=64)
    run = simulate(requests, scheduler, cost, check=True)
    busy = run.batches.iloc[: -len(run.batches) // 50]
    served = busy[["prefill_tokens", "decode_tokens"]].sum().sum()
    expected = tokens / cost(Work(((tokens, 0),)))
    assert served / busy["duration_s"].sum() == pytest.approx(expected, rel=1e-3)
    assert expected <= cost.peak_tokens_per_s


def test_one_at_a_time_is_a_queue_with_deterministic_service(table):
    # One request at a time, two batches of 1 s each: waiting obeys Lindley's recursion exactly
    # and its mean the Pollaczek-Khinchine formula for M/D/1.
    n, service, load = 4000, 2.0, 0.5
    arrivals = poisson_arrivals(n, load / service, seed=5, truncate_at=None)
    requests = table(*[(arrival, 4, 1) for arrival in arrivals])
    run = simulate(requests, Sarathi(max_num_seqs=1), one_second)
    waiting = [0.0]
    for gap in np.diff(arrivals):
        waiting.append(max(0.0, waiting[-1] + service - gap))
    measured = (run.requests["first_scheduled_s"] - run.requests["arrival_s"]).to_numpy()
    assert measured == pytest.approx(waiting, abs=1e-8)
    assert measured.mean() == pytest.approx(load * service / (2 * (1 - load)), rel=0.1)


def test_arrival_at_the_end_of_a_batch_joins_the_next_one(table, trace):
    requests = table((0, 4, 2), (1.0, 4, 1), (2.0, 4, 1), (2.0, 4, 1))
    run = simulate(requests, Sarathi(), one_second, keep_members=True)
    assert trace(run)[1] == [(0, 1), (1, 4)]
    assert trace(run)[2] == [(0, 1), (1, 1), (2, 4), (3, 4)]


def test_replica_sleeps_until_the_next_arrival(table):
    run = simulate(table((5.0, 4, 1), (20.0, 4, 1)), SLAI(), one_second, check=True)
    assert run.batches["start_s"].tolist() == [5.0, 6.0, 20.0, 21.0]


def test_records_agree_with_each_other(table):
    requests = table((0, 600, 5), (0.1, 30, 2), (0.2, 700, 9))
    run = simulate(requests, SLAI(), ADA_MISTRAL7B, keep_members=True)
    totals = run.members.groupby("batch")[["prefill_tokens", "decode_tokens"]].sum()
    assert totals["prefill_tokens"].tolist() == run.batches["prefill_tokens"].tolist()
    assert totals["decode_tokens"].tolist() == run.batches["decode_tokens"].tolist()
    for row, samples in enumerate(np.split(run.tbt_samples_s, np.cumsum([5, 2]))):
        expected = [samples.mean(), *np.percentile(samples, [50, 99, 100])]
        columns = ["tbt_mean_s", "tbt_p50_s", "tbt_p99_s", "tbt_max_s"]
        assert run.requests.loc[row, columns].tolist() == pytest.approx(expected, rel=1e-12)


class Fixed:
    """Answers every question with the same decision."""

    max_num_batched_tokens = 6

    def __init__(self, *decisions):
        self.decisions = list(decisions)

    def schedule(self, state, now):
        return self.decisions[min(state.num_batches, len(self.decisions) - 1)]


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ([{7: 1}], "Fixed, batch 0, request 7: has not arrived, or has finished"),
        ([{1: 4}], "Fixed, batch 0, request 1: has not arrived"),
        ([{0: 9}], "batch 0, request 0: got 9 tokens, allowed is 1 to 8"),
        ([{0: 0}], "got 0 tokens, allowed is 1 to 8"),
        ([{0: 1.5}], "got 1.5 tokens, allowed is 1 to 8"),
        ([{0: 8}, {0: 2}], r"batch 1, request 0: got 2 tokens, allowed is 1 \(it decodes\)"),
        ([{0: 8}, {0: 1}, {0: 1, 2: 8}], "request 2: its 8 tokens need 2 blocks, 1 are free"),
        ([{0: 8, 2: 8}, {0: 1}, {0: 1}], "batch 2, request 0: its decode needs a block"),
        ([Decision({0: 4}, [0])], "request 0: is preempted but owns no blocks"),
        ([{0: 8}, Decision({}, [0])], "batch 1: the batch preempts but does no work"),
        ([[0]], r"schedule must return \{request_id: tokens\} or a Decision"),
        ([{}], "batch 0: the batch is empty, but .* 3 wait, 0 run"),
        ([{0: 8}, {}], "batch 1: the batch is empty, but .* 2 wait, 1 run"),
    ],
)
def test_broken_schedulers_are_refused(table, decisions, message):
    requests = table((0, 8, 3), (90, 4, 1), (0, 8, 3))
    with pytest.raises(ScheduleError, match=message):
        simulate(requests, Fixed(*decisions), one_second, total_blocks=4, block_size=4)


def test_idling_before_an_arrival_is_allowed(table):
    class Patient(Sarathi):
        def schedule(self, state, now):
            return super().schedule(state, now) if len(state.waiting + state.running) > 1 else {}

    requests = table((0, 4, 2), (30, 4, 2))
    run = simulate(requests, Patient(), one_second, check=True)
    assert run.batches["start_s"].tolist() == [30, 31, 32]


def test_promised_bounds_are_checked(table):
    requests = table((0, 8, 3), (0, 8, 3))

    class TooMany(Sarathi):
        def __init__(self):
            super().__init__()
            self.max_num_seqs_asked, self.max_num_seqs = 8, 8

        def schedule(self, state, now):
            decision = super().schedule(state, now)
            self.max_num_seqs = 1
            return decision

    with pytest.raises(ScheduleError, match="2 requests own blocks, at most 1 may"):
        simulate(requests, TooMany(), one_second, check=True)
    greedy = Fixed({0: 8})
    with pytest.raises(ScheduleError, match="Fixed, batch 1: 8 tokens in a batch of at most 6"):
        simulate(requests, greedy, one_second, check=True)


def test_cost_that_beats_the_bound_is_refused(table):
    class TooFast(TileStaircase):
        def __call__(self, work):
            return super().__call__(work) / 2

    with pytest.raises(ScheduleError, match="exceed the bound of"):
        simulate(table((0, 1024, 1)), Sarathi(token_budget=128), TooFast(), check=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"total_blocks": 2}, "request 0: 12 tokens never fit into 2 blocks of 4"),
        ({"max_model_len": 11}, "request 0: prompt and output are 12 tokens, max_model_len is 11"),
        ({"watermark": 1.0}, r"watermark must be in \[0, 1\), got 1.0"),
    ],
)
def test_impossible_requests_and_limits_are_refused(table, options, message):
    with pytest.raises(ValueError, match=message):
        simulate(table((0, 8, 4)), Sarathi(), one_second, block_size=4, **options)


def test_useless_objects_are_refused(table):
    with pytest.raises(ValueError, match="int has no method schedule"):
        simulate(table((0, 8, 4)), 3, one_second)
    with pytest.raises(ScheduleError, match="the cost model gave 0 s"):
        simulate(table((0, 8, 4)), Sarathi(), lambda work: 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt_tokens": 0}, "prompt_tokens of request 0 must be >= 1, got 0"),
        ({"arrival_s": -1.0}, "arrival_s of request 0 must be >= 0, got -1.0"),
        ({"output_tokens": float("nan")}, "output_tokens of request 0 must be >= 1, got nan"),
        ({"request_id": 1}, "request_id 1 occurs twice"),
    ],
)
def test_bad_request_tables_are_refused(table, change, message):
    requests = table((0, 8, 4), (0, 8, 4)).assign(**change)
    with pytest.raises(ValueError, match=message):
        simulate(requests, Sarathi(), one_second)
    with pytest.raises(ValueError, match=r"columns \['request_id'\] are missing"):
        simulate(requests.drop(columns="request_id"), Sarathi(), one_second)


def test_a_scheduler_of_ones_own_needs_no_base_class(table):
    class ShortestLeft:
        def schedule(self, state, now):
            draft = Draft(state, 64)
            for request in state.decoding:
                draft.decode(request, victims=[])
            for request in state.prefilling:
                draft.prefill(request)
            draft.admit(sorted(state.waiting, key=lambda r: r.num_tokens), 8)
            return draft.tokens

    run = simulate(table((0, 300, 4), (0, 70, 4), (0, 7, 4)), ShortestLeft(), ADA_MISTRAL7B)
    assert run.requests["ttft_s"].is_monotonic_decreasing


def test_invariants_notice_corrupted_state(decoding):
    memory = BlockMemory(10, 4)
    state = State(memory, [], [decoding(0, memory)])
    invariants.check_blocks(state)
    invariants.check_requests(state, 1, 0)
    invariants.check_progress(state)
    memory.used_blocks += 1
    with pytest.raises(Violation, match="requests own 2 blocks, memory counts 3"):
        invariants.check_blocks(state)
    state.running[0].num_blocks = 1
    memory.used_blocks = 1
    with pytest.raises(Violation, match="1 blocks for 8 tokens"):
        invariants.check_blocks(state)
    state.waiting.append(state.running[0])
    with pytest.raises(Violation, match="in the queues twice"):
        invariants.check_requests(state, 2, 0)
    state.running.clear()
    memory.used_blocks = 0
    with pytest.raises(Violation, match="waits but owns blocks"):
        invariants.check_blocks(state)
    with pytest.raises(Violation, match="2 arrived, but 1 are here and 0 finished"):
        invariants.check_requests(state, 2, 0)
    state.waiting[0].num_output_tokens = 3
    with pytest.raises(Violation, match="contradict"):
        invariants.check_progress(state)
