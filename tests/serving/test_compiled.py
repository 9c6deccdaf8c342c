"""The compiled engine gives what the plain one gives, to the last batch and the last bit."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedlab.serving import compiled, engine
from schedlab.serving.costs import ADA_MISTRAL7B, MeasuredTable, TileStaircase
from schedlab.serving.invariants import ScheduleError
from schedlab.serving.metrics import SLO, summarize
from schedlab.serving.schedulers import SLAI, Sarathi, VLLMv0
from schedlab.serving.workload import build_requests

orders = st.sampled_from(["fcfs", "spf"])
seqs = st.sampled_from([1, 3, 6])
SCHEDULERS = {
    "sarathi": st.builds(
        Sarathi, order=orders, token_budget=st.sampled_from([4, 16, 64]), max_num_seqs=seqs
    ),
    "vllm": st.builds(
        VLLMv0, max_num_batched_tokens=st.sampled_from([150, 200, 400]), max_num_seqs=seqs
    ),
    "slai": st.builds(
        SLAI,
        order=orders,
        offset=st.sampled_from(["dynamic", 0, 2, 10.5]),
        below=st.sampled_from([0, 3]),
        memory_limit=st.sampled_from([0, 0.5, 0.96]),
        token_budget=st.sampled_from([4, 16, 64]),
        limit_total_decodes=st.sampled_from([1, 2, 128]),
        max_num_seqs=seqs,
        time_between_tokens_s=st.sampled_from([0, 0.1]),
    ),
    "slai by users": st.builds(
        SLAI, user_priority=st.just(True), token_budget=st.sampled_from([16, 64]), max_num_seqs=seqs
    ),
}
COSTS = {
    "measured": ADA_MISTRAL7B,
    "short": MeasuredTable((1, 3, 20), (0.01, 0.02, 0.025), 1e-3, kv_read_s=1e-5),
    "tile": TileStaircase(tile_tokens=16, pass_s=0.02),
}
MEMORIES = st.fixed_dictionaries(
    {
        "total_blocks": st.sampled_from([52, 60, 400]),
        "block_size": st.just(4),
        "watermark": st.sampled_from([0.0, 0.05, 0.1]),
        "first_token_at_prefill": st.booleans(),
        "until_s": st.sampled_from([0.6, np.inf]),
    }
)
request = st.tuples(
    st.floats(0, 1.0, width=16),  # few distinct values, hence ties
    st.integers(1, 150),
    st.integers(1, 40),
    st.sampled_from([None, 0.03, 0.1, 0.5]),
)


def as_table(rows):
    columns = ["arrival_s", "prompt_tokens", "output_tokens", "tbt_limit_s"]
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
@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    data=st.data(),
    rows=st.lists(request, min_size=1, max_size=14),
    cost=st.sampled_from(sorted(COSTS)),
    options=MEMORIES,
)
def test_every_bit_is_that_of_the_plain_engine(name, data, rows, cost, options):
    scheduler = data.draw(SCHEDULERS[name])
    arguments = (as_table(rows), scheduler, COSTS[cost])
    assert compiled.covers(*arguments[1:], **options)
    ours = outcome(compiled.simulate, *arguments, **options)
    assert_equal(ours, outcome(engine.simulate, *arguments, **options))
