"""The compiled engine gives what the plain one gives, to the last batch and the last bit."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedlab.serving import compiled, engine
from schedlab.serving.compiled import prepare
from schedlab.serving.costs import (
    ADA_MISTRAL7B,
    LLAMA3_8B_VLLM041,
    AttentionTable,
    MeasuredTable,
    ProfiledStaircase,
    TileStaircase,
)
from schedlab.serving.histogram import TimeHistogram
from schedlab.serving.metrics import SLO, summarize
from schedlab.serving.records import compacted
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
from schedlab.serving.schedulers.priority import KEYS, TIES
from schedlab.serving.workload import build_requests

orders = st.sampled_from(["fcfs", "spf"])
seqs = st.sampled_from([1, 3, 6])
budgets = st.sampled_from([4, 16, 64])
some = st.sampled_from([1, 2, 3])
SCHEDULERS = {
    "sarathi": st.builds(Sarathi, order=orders, token_budget=budgets, max_num_seqs=seqs),
    "vllm_v0": st.builds(
        VLLMv0, max_num_batched_tokens=st.sampled_from([150, 200, 400]), max_num_seqs=seqs
    ),
    "vllm_v1": st.builds(
        VLLMv1,
        max_num_batched_tokens=budgets,
        max_num_seqs=seqs,
        long_prefill_token_threshold=st.sampled_from([0, 10]),
        scheduler_reserve_full_isl=st.booleans(),
    ),
    "slai": st.builds(
        SLAI,
        order=orders,
        offset=st.sampled_from(["dynamic", 0, 2, 10.5]),
        below=st.sampled_from([0, 3]),
        memory_limit=st.sampled_from([0, 0.5, 0.96]),
        token_budget=budgets,
        limit_total_decodes=st.sampled_from([1, 2, 128]),
        max_num_seqs=seqs,
        time_between_tokens_s=st.sampled_from([0, 0.1]),
    ),
    "slai by users": st.builds(
        SLAI, user_priority=st.just(True), token_budget=budgets, max_num_seqs=seqs
    ),
    "slai by rank": st.builds(
        SLAI,
        order=st.sampled_from(["fcfs", "ranked"]),
        decodes=st.sampled_from(["lst", "ranked"]),
        offset=st.sampled_from([0, 2]),
        token_budget=budgets,
        limit_total_decodes=st.sampled_from([1, 2, 128]),
        max_num_seqs=seqs,
    ),
    "slai by users and rank": st.builds(
        SLAI,
        order=st.just("ranked"),
        user_priority=st.just(True),
        token_budget=budgets,
        max_num_seqs=seqs,
    ),
    "priority": st.builds(
        Priority,
        key=st.sampled_from(sorted(KEYS)),
        ties=st.sampled_from(sorted(TIES)),
        promote_after=st.sampled_from([None, 1, 4]),
        quantum=st.sampled_from([1, 3]),
        max_num_batched_tokens=budgets,
        max_num_seqs=seqs,
    ),
    "perception only": st.builds(
        PerceptionOnly,
        tokens=st.sampled_from([1, 5]),
        max_num_batched_tokens=budgets,
        max_num_seqs=seqs,
    ),
    "mlfq": st.builds(
        MLFQ,
        quantum_s=st.sampled_from([0.0, 0.01, 0.1]),
        growth=st.sampled_from([1.0, 2.0, 10.0]),
        levels=some,
        reinsert=st.sampled_from(["front", "back"]),
        max_num_batched_tokens=budgets,
        max_num_seqs=seqs,
    ),
    "rad": st.builds(
        RAD,
        b_col=seqs,
        b_lcm=st.sampled_from([None, 8, 50]),
        prefills_per_cycle=st.sampled_from([None, 1, 4]),
        max_request_tokens=st.sampled_from([None, 100]),
    ),
    "static split": st.builds(
        StaticSplit, prefills=some, decodes=some, token_budget=budgets, max_num_seqs=seqs
    ),
    "orca": st.builds(Orca, max_num_seqs=seqs, max_model_len=st.just(190)),
    "faster transformer": st.builds(
        FasterTransformer, max_num_seqs=seqs, max_model_len=st.sampled_from([190, 200])
    ),
}
COSTS = {
    "measured": ADA_MISTRAL7B,
    "short": MeasuredTable((1, 3, 20), (0.01, 0.02, 0.025), 1e-3, kv_read_s=1e-5),
    "tiles": TileStaircase(tile_tokens=16, pass_s=0.02),
    "staircase": ProfiledStaircase((1, 8, 16, 17, 40), (0.01, 0.011, 0.012, 0.03, 0.031)),
    "attention": ProfiledStaircase(
        (1, 8, 100),
        (0.01, 0.02, 0.03),
        attention=AttentionTable(
            (10, 40, 90), (1e-3, 3e-3, 11e-3), (1, 4), (9, 60), ((1e-3, 1.7e-3), (3e-3, 5.3e-3))
        ),
    ),
    "sequences": LLAMA3_8B_VLLM041,
}
OPTIONS = st.fixed_dictionaries(
    {
        "total_blocks": st.sampled_from([52, 60, 400]),
        "block_size": st.just(4),
        "watermark": st.sampled_from([0.0, 0.05, 0.1]),
        "first_token_at_prefill": st.booleans(),
        "preemption": st.sampled_from(["recompute", "swap"]),
        "score_token_s": st.sampled_from([0.0, 1e-3]),
        "until_s": st.sampled_from([0.6, np.inf]),
    }
)
request = st.tuples(
    st.floats(0, 1.0, width=16),  # few distinct values, hence ties
    st.integers(1, 150),
    st.integers(1, 40),
    st.sampled_from([None, 0.03, 0.1, 0.5]),
    st.sampled_from([0.0, 1.5, -2.0]),
)


def as_table(rows):
    columns = ["arrival_s", "prompt_tokens", "output_tokens", "tbt_limit_s", "priority"]
    table = pd.DataFrame(rows, columns=columns)
    names = np.where(table["tbt_limit_s"] == 0.1, "paying", "free")
    return table.assign(request_id=np.arange(len(rows))[::-1], **{"class": names})


def outcome(simulate, *arguments, **options):
    try:
        return simulate(*arguments, **options)
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


def assert_equal(one, other):
    """Compare everything that two runs hold, exactly."""
    if isinstance(other, str):
        assert one == other
        return
    pd.testing.assert_frame_equal(one.requests, other.requests, check_exact=True)
    pd.testing.assert_frame_equal(one.batches, other.batches, check_exact=True)
    assert one.tbt_samples_s.tolist() == other.tbt_samples_s.tolist()
    assert one.tbt_owner.tolist() == other.tbt_owner.tolist()
    assert (one.scheduler, one.total_blocks) == (other.scheduler, other.total_blocks)


@pytest.mark.parametrize("name", SCHEDULERS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    data=st.data(),
    rows=st.lists(request, min_size=1, max_size=14),
    cost=st.sampled_from(sorted(COSTS)),
    options=OPTIONS,
)
def test_every_bit_is_that_of_the_plain_engine(name, data, rows, cost, options):
    scheduler = data.draw(SCHEDULERS[name])
    arguments = (as_table(rows), scheduler, COSTS[cost])
    assert compiled.covers(*arguments[1:], **options)
    ours = outcome(compiled.simulate, *arguments, **options)
    assert_equal(ours, outcome(engine.simulate, *arguments, **options))


@pytest.fixture(scope="module")
def crowd():
    """160 requests, many at the same time, for memory that holds a tenth of them."""
    rng = np.random.default_rng(8)
    lengths = rng.integers(1, [900, 300], size=(160, 2))
    lengths = pd.DataFrame(lengths, columns=["prompt_tokens", "output_tokens"])
    requests = build_requests(lengths, 160, 8.0, seed=2)
    return requests.assign(
        arrival_s=requests["arrival_s"].round(), priority=rng.integers(0, 50, 160)
    )


SCARCE = {"total_blocks": 400, "watermark": 0.05}


@pytest.mark.parametrize(
    "scheduler",
    [
        Sarathi(order="spf"),
        SLAI(),
        SLAI(order="fcfs", offset=10),
        SLAI(user_priority=True),
        VLLMv0(),
        VLLMv1(max_num_batched_tokens=512),
        StaticSplit(prefills=2, token_budget=256),
        SLAI(order="ranked", decodes="ranked"),
        Priority(promote_after=40, max_num_seqs=24),
        PerceptionOnly(),
        MLFQ(quantum_s=0.02, growth=3.0),
    ],
)
@pytest.mark.parametrize("preemption", ["recompute", "swap"])
def test_crowds_are_served_equally(crowd, scheduler, preemption):
    options = {"preemption": preemption, **SCARCE}
    run = compiled.simulate(crowd, scheduler, ADA_MISTRAL7B, **options)
    assert run.batches["preemptions"].sum() > 0
    assert_equal(run, engine.simulate(crowd, scheduler, ADA_MISTRAL7B, **options))


def test_full_arrays_are_emptied_and_enlarged_on_the_way(crowd, monkeypatch):
    whole = compiled.simulate(crowd, SLAI(), ADA_MISTRAL7B, **SCARCE)
    monkeypatch.setattr(prepare, "ROWS", 7)
    assert_equal(compiled.simulate(crowd, SLAI(), ADA_MISTRAL7B, **SCARCE), whole)
    monkeypatch.setattr(prepare, "SLOTS_BYTES", 0)
    few = SLAI(max_num_seqs=8)  # room for 16, but those that were preempted keep theirs
    compact = compiled.simulate(crowd, few, ADA_MISTRAL7B, compact=True, total_blocks=120)
    plain = engine.simulate(crowd, few, ADA_MISTRAL7B, total_blocks=120)
    pd.testing.assert_frame_equal(compact.requests, plain.requests, check_exact=True)


def test_a_compact_run_has_the_same_requests_and_nearly_the_same_percentiles(crowd):
    options = {"first_token_at_prefill": True, **SCARCE}
    full = compiled.simulate(crowd, SLAI(), ADA_MISTRAL7B, **options)
    compact = compiled.simulate(crowd, SLAI(), ADA_MISTRAL7B, compact=True, **options)
    pd.testing.assert_frame_equal(compact.requests, full.requests, check_exact=True)
    assert len(compact.batches) == len(compact.tbt_samples_s) == 0
    columns = ["class", "tbt_mean_s", "tbt_p50_s", "tbt_p90_s", "tbt_p99_s", "tbt_max_s"]
    expected = summarize(full)[columns]
    pd.testing.assert_frame_equal(summarize(compact)[columns], expected, rtol=2**-12)
    pd.testing.assert_frame_equal(summarize(compacted(full)), summarize(compact), rtol=1e-12)
    assert SLO(1e9)(compact) == SLO(1e9)(full)


def test_what_has_no_twin_goes_to_the_plain_engine(crowd):
    class Mine(Sarathi):
        def schedule(self, state, now):
            return {} if len(state.waiting) == 1 else super().schedule(state, now)

    small = crowd.head(20)
    assert not compiled.covers(Mine(), ADA_MISTRAL7B)
    assert not compiled.covers(Sarathi(), lambda work: 1.0)
    assert not compiled.covers(SLAI(offset=float("inf")), ADA_MISTRAL7B)
    assert not compiled.covers(VLLMv1(policy="priority"), ADA_MISTRAL7B)
    assert not compiled.covers(Priority(key=lambda request: 0), ADA_MISTRAL7B)
    assert not compiled.covers(MLFQ(promote_after_s=3.0), ADA_MISTRAL7B)
    mine = compiled.simulate(small, Mine(), ADA_MISTRAL7B)
    assert_equal(mine, engine.simulate(small, Mine(), ADA_MISTRAL7B))
    assert mine.batches["start_s"][0] != small["arrival_s"].min()
    assert compiled.simulate(small, Sarathi(), ADA_MISTRAL7B, keep_members=True).members is not None
    compact = compiled.simulate(small, Mine(), ADA_MISTRAL7B, compact=True)
    assert compact.tbt_s().size == mine.tbt_samples_s.size


@pytest.mark.parametrize(
    ("change", "options", "error"),
    [
        ({"prompt_tokens": 0}, {}, ValueError),
        ({"output_tokens": 3.5}, {}, TypeError),
        ({"arrival_s": float("inf")}, {}, ValueError),
        ({"prompt_tokens": 9000}, {}, ValueError),
        ({}, {"until_s": 0}, ValueError),
        ({}, {"swap_block_s": -1.0}, ValueError),
        ({}, {"preemption": "forget"}, ValueError),
        ({}, {"watermark": 2}, ValueError),
        ({}, {"no_such_option": 2}, TypeError),
    ],
)
def test_what_is_refused_is_refused_in_the_same_words(crowd, change, options, error):
    arguments = (crowd.head(3).assign(**change), VLLMv0(), ADA_MISTRAL7B)
    with pytest.raises(error) as theirs:
        engine.simulate(*arguments, **options)
    with pytest.raises(error) as ours:
        compiled.simulate(*arguments, **options)
    assert str(ours.value) == str(theirs.value)


def test_numba_is_imported_only_to_serve():
    script = "import sys, schedlab.serving.compiled; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_cache_belongs_to_these_very_sources(tmp_path, monkeypatch):
    from schedlab.serving.compiled import jit, loop

    here = loop.advance.stats.cache_path
    assert jit.cached(loop.advance.py_func).stats.cache_path == here
    (tmp_path / "steps.py").write_text("changed")
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    monkeypatch.setattr(jit.config, "CACHE_DIR", str(tmp_path))
    assert jit.cached(loop.advance.py_func).stats.cache_path != here


def test_histogram_percentiles_are_close_and_the_rest_exact():
    times = np.random.default_rng(1).lognormal(-3, 2, 5000)
    whole, parts = TimeHistogram(), [TimeHistogram(), TimeHistogram()]
    whole.add(times)
    parts[0].add(times[:999])
    parts[1].merge(parts[0])
    parts[1].add(times[999:])
    for histogram in (whole, parts[1]):
        found = histogram.percentiles([0, 50, 99, 100])
        true = np.percentile(times, [0, 50, 99, 100], method="higher")
        assert (found <= true).all()
        assert (true < found * (1 + 2**-13)).all()
        assert histogram.mean() == pytest.approx(times.mean(), rel=1e-12)
        assert (histogram.size, histogram.max()) == (5000, times.max())
