import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from schedlab.data import catalog, load, slai_fit

FIT = slai_fit.figures()
MARGINALS = ["prompt_tokens", "output_tokens"]


@pytest.fixture(scope="module")
def drawn():
    return dict(zip(MARGINALS, slai_fit.draw(FIT), strict=True))


def steps(quantiles, values):
    """Distribution function of a quantile table, linear in between."""
    return np.interp(values, quantiles, np.linspace(0, 1, len(quantiles)))


def test_the_draw_is_the_same_everywhere(drawn):
    raw = b"".join(drawn[name].astype("<i4").tobytes() for name in MARGINALS)
    assert (
        hashlib.sha256(raw).hexdigest()
        == "73a8dfeebb59f5d87c0e3911adf489df50ed335594bf3ccdd63ea7fc92fb2a2f"
    )


def test_sizes_and_limit(drawn):
    prompts, outputs = drawn.values()
    assert len(prompts) == len(outputs) == 16384
    assert (prompts + outputs).max() <= FIT["limit"] == 8192
    assert prompts.min() >= 1
    assert outputs.min() >= 1


@pytest.mark.parametrize("name", MARGINALS)
def test_marginals_follow_the_published_quantiles(drawn, name):
    published = FIT[name]
    distance = stats.ks_1samp(drawn[name], lambda x: steps(published["quantiles"], x)).statistic
    assert distance < 0.005  # ties of integers, nothing else
    assert drawn[name].mean() == pytest.approx(published["mean"], rel=0.005)


def test_rank_correlation_follows_the_published_one(drawn):
    found = stats.spearmanr(*drawn.values()).statistic
    assert found == pytest.approx(FIT["rank_correlation"], abs=0.005)


def test_the_correlation_does_not_hang_on_the_seed():
    found = [
        stats.spearmanr(*slai_fit.draw({**FIT, "seed": seed})).statistic for seed in range(1, 9)
    ]
    # one draw scatters by 1 / sqrt(16384) = 0.008, the mean of eight by 0.003
    assert np.mean(found) == pytest.approx(FIT["rank_correlation"], abs=0.009)


@given(
    st.lists(st.integers(0, 10**6), min_size=2, max_size=80).map(sorted),
    st.integers(1, 500),
)
def test_spread_is_the_linear_quantile_function(table, rows):
    found = slai_fit.spread(table, rows)
    at = (2 * np.arange(rows) + 1) / (2 * rows)
    exact = np.interp(at, np.linspace(0, 1, len(table)), table)
    assert np.abs(found - exact).max() <= 0.5 + 1e-6
    assert (np.diff(found) >= 0).all()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=300))
def test_quantiles_are_numpys_inverted_cdf(values):
    expected = np.quantile(values, np.arange(65) / 64, method="inverted_cdf")
    assert slai_fit.quantiles(values) == expected.tolist()


def test_swapping_keeps_both_marginals():
    rng = np.random.default_rng(5)
    prompts, outputs = rng.integers(1, 100, 400), rng.integers(1, 100, 400)
    before = np.sort(outputs)
    kept = prompts.copy()
    slai_fit._swap_into_limit(prompts, outputs, 150, rng.bit_generator)
    assert (prompts + outputs).max() <= 150
    assert (prompts == kept).all()
    assert (np.sort(outputs) == before).all()


def test_the_published_figures_are_those_of_the_trace(real_mirror, tmp_path, monkeypatch, drawn):
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(tmp_path))
    trace = load.lengths("sharegpt4-8k-llama2")
    assert FIT["provenance"]["sha256"] == catalog.dataset("sharegpt4-8k-llama2").sha256
    assert len(trace) == FIT["provenance"]["rows"]
    assert trace.corr("spearman").iloc[0, 1] == pytest.approx(FIT["rank_correlation"], abs=5e-5)
    for name in MARGINALS:
        assert slai_fit.quantiles(trace[name].tolist()) == FIT[name]["quantiles"]
        assert trace[name].mean() == pytest.approx(FIT[name]["mean"], abs=5e-4)
        assert stats.ks_2samp(drawn[name], trace[name]).statistic < 0.007
