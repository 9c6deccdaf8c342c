import os

import numpy as np
import pandas as pd
import pytest

from schedlab.serving import profiles
from schedlab.serving.costs import (
    A100_STAIRCASE,
    ADA_MISTRAL7B,
    COST_MODELS,
    KV_BLOCKS,
    LLAMA3_8B_VLLM041,
    AttentionTable,
    CostModels,
    ProfiledStaircase,
    TileStaircase,
    Work,
)

READY = [name for name in COST_MODELS if name not in COST_MODELS.profiled]


def test_measured_table_is_linear_between_points_and_beyond():
    tokens = np.arange(1, 1025)
    expected = np.interp(tokens, ADA_MISTRAL7B.tokens, ADA_MISTRAL7B.seconds)
    assert [ADA_MISTRAL7B.linear(n) for n in tokens] == pytest.approx(expected, rel=1e-12)
    assert ADA_MISTRAL7B.linear(8192) == pytest.approx(0.10076 + 7168 * 0.0932e-3)


def test_decodes_read_their_context():
    with_context = ADA_MISTRAL7B(Work(((412, 0),), 100, 100_000))
    assert with_context == pytest.approx(0.05304 + 1.7067e-7 * 100_000)


@pytest.mark.parametrize("name", READY)
def test_peak_rate_bounds_every_batch_and_is_approached(name):
    cost = COST_MODELS[name]
    prompts = [n / cost(Work(((n, 0),))) for n in range(1, 20_000)]
    decodes = [n / cost(Work((), n, n)) for n in range(1, 20_000)]
    assert max(prompts + decodes) <= cost.peak_tokens_per_s * (1 + 1e-12)
    assert max(prompts + decodes) > 0.95 * cost.peak_tokens_per_s


def test_staircase_is_the_printed_one():
    rates = {n: n / A100_STAIRCASE(Work(((n, 0),))) for n in (128, 136, 256, 264, 512, 520)}
    printed = {128: 9709, 136: 7529, 256: 13136, 264: 9952, 512: 14781, 520: 13413}
    assert rates == pytest.approx(printed, rel=1e-3)
    assert A100_STAIRCASE.linear(129) == A100_STAIRCASE.linear(136)
    assert A100_STAIRCASE.linear(2048) == pytest.approx(2 * 0.07514)


@pytest.mark.parametrize("b", [128, 256, 384, 512, 768])
def test_one_group_past_a_tile_costs_throughput(b):
    at, past = (n / A100_STAIRCASE.linear(n) for n in (b, b + 8))
    assert 0.05 < 1 - past / at < 0.26


ATTENTION = AttentionTable(
    prefill_tokens=(1, 10, 100),
    prefill_s=(1.0, 2.0, 101.0),
    decode_requests=(1, 2, 4),
    decode_contexts=(10, 110),
    decode_s=((1.0, 2.0, 4.0), (11.0, 22.0, 44.0)),
)


def test_attention_is_interpolated_and_in_proportion_beyond():
    assert ATTENTION.prefill(55, 0) == pytest.approx(2 + 0.5 * 99)
    assert ATTENTION.prefill(200, 0) == pytest.approx(202)
    assert ATTENTION.decode(1, 60) == pytest.approx(6)
    assert ATTENTION.decode(3, 60) == pytest.approx(18)
    assert ATTENTION.decode(8, 110) == pytest.approx(88)
    assert ATTENTION.decode(1, 5) == 1.0
    assert ATTENTION.decode(2, 220) == pytest.approx(44)


def test_chunks_of_a_prompt_add_up_to_it():
    whole = ATTENTION.prefill(100, 0)
    assert ATTENTION.prefill(60, 0) + ATTENTION.prefill(40, 60) == pytest.approx(whole)
    assert ATTENTION.prefill(5, 1) == ATTENTION.prefill(5, 0)  # never less than a short prompt
    stairs = ProfiledStaircase((8, 128), (0.5, 1.0), ATTENTION)
    work = Work(((60, 0), (40, 60)), 2, 120)
    assert stairs(work) == pytest.approx(1.0 + whole + ATTENTION.decode(2, 60))


def test_linear_per_sequence_adds_what_it_says():
    work = Work(((100, 0), (28, 5)), 3, 1000)
    expected = 18e-3 + 5 * 0.25e-3 + 128 * 90e-6 + 1000 * 0.15e-6
    assert LLAMA3_8B_VLLM041(work) == pytest.approx(expected)


def test_profiles_are_read_once_and_only_when_asked_for():
    read = []

    def profile():
        read.append(1)
        return TileStaircase()

    models = CostModels({"a": ADA_MISTRAL7B}, {"b": profile})
    assert list(models) == ["a", "b"]
    assert len(models) == 2
    assert "b" in models
    assert "c" not in models
    assert not read
    assert models["b"] is models["b"]
    assert len(read) == 1
    with pytest.raises(KeyError):
        models["c"]
    assert set(KV_BLOCKS) <= set(COST_MODELS)


def test_layers_are_sums_of_medians_over_repeated_measurements():
    rows = []
    for tokens, repeat, workers in [(8, 0, 1), (8, 1, 1), (8, 2, 1), (16, 0, 1), (16, 0, 2)]:
        times = {f"time_stats.{name}.median": tokens + repeat for name in profiles.OPERATORS}
        embedding = {"time_stats.emb.median": 1e6}
        sizes = {"num_tokens": tokens, "num_tensor_parallel_workers": workers}
        rows.append(times | embedding | sizes)
    tokens, seconds = profiles.layer_seconds(pd.DataFrame(rows))
    assert tokens == (8, 16)
    assert seconds == pytest.approx((9 * 9e-3, 9 * 16e-3))


needs_mirror = pytest.mark.skipif(
    "SCHEDLAB_DATA_MIRROR" not in os.environ, reason="SCHEDLAB_DATA_MIRROR names no folder"
)


@needs_mirror
def test_whole_profile_agrees_with_the_printed_staircase():
    cost = COST_MODELS["a100-llama3-8b"]
    for tokens, seconds in zip(A100_STAIRCASE.tokens, A100_STAIRCASE.seconds, strict=True):
        assert cost.linear(tokens) == pytest.approx(seconds, abs=6e-5)
    assert 0 < cost.attention(Work(((512, 0),))) < 0.1 * cost.linear(512)
    assert cost(Work((), 128, 128 * 1024)) == pytest.approx(0.01318 + 32 * 0.343e-3, rel=0.01)


@needs_mirror
@pytest.mark.parametrize("gpu", ["a100", "h100", "a40"])
def test_three_gpus_have_a_staircase(gpu):
    cost = COST_MODELS[f"{gpu}-llama2-7b"]
    steps = {b for b in (128, 256, 384, 512) if cost.linear(b + 8) > 1.05 * cost.linear(b)}
    assert steps == {128, 256, 384, 512} - ({256} if gpu == "h100" else set())
    assert cost.peak_tokens_per_s > 512 / cost.linear(512) * (1 - 1e-12)


@needs_mirror
@pytest.mark.parametrize("device", ["a100_sxm", "l40s"])
def test_attention_tables_are_complete(device):
    table = profiles.read_attention(device)
    assert np.isfinite(table.decode_s).all()
    assert (np.diff(table.decode_s, axis=1)[:, 4:] > 0).all()


def test_tile_begun_is_paid_in_full():
    cost = TileStaircase()
    assert cost(Work(((128, 0),))) == pytest.approx(4640e-6)
    assert cost(Work(((128, 0),), 1, 999)) == pytest.approx(8000e-6 + 129 * 5e-6)
    assert cost.peak_tokens_per_s == pytest.approx(128 / 4640e-6)


@pytest.mark.parametrize("options", [{"tile_tokens": 0}, {"pass_s": 0.0}, {"token_s": -1.0}])
def test_senseless_tiles_are_refused(options):
    with pytest.raises(ValueError, match="are needed, got"):
        TileStaircase(**options)
