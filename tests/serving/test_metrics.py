import numpy as np
import pandas as pd
import pytest

from schedlab.serving.engine import simulate
from schedlab.serving.metrics import SLO, capacity, goodput, summarize, summarize_batches
from schedlab.serving.schedulers import Sarathi


@pytest.fixture(scope="module")
def run(table):
    requests = table((0, 8, 4, 2.0), (0, 8, 2, 0.5), (6, 8, 4, 2.0))
    requests["class"] = ["free", "paying", "free"]
    return simulate(requests, Sarathi(), lambda work: 0.5 + 0.5 * work.decode_tokens)


def test_summary_has_percentiles_over_all_samples_of_a_class(run):
    summary = summarize(run).set_index("class")
    assert list(summary.index) == ["all", "free", "paying"]
    free = np.concatenate([run.tbt_samples_s[:4], run.tbt_samples_s[6:]])
    assert sorted(run.tbt_s("free")) == sorted(free)
    assert summary.loc["free", "tbt_p99_s"] == np.percentile(free, 99)
    assert summary.loc["all", "ttft_p50_s"] == np.percentile(run.requests["ttft_s"], 50)
    assert summary.loc["free", "requests"] == 2
    assert summary.loc["paying", "tbt_limit_s"] == 0.5


def test_batch_summary_by_hand(run):
    # Prefill 0.5 s, two joint decodes of 1.5 s, two of 1 s; the third request alone from 6 s.
    summary = summarize_batches(run)
    assert summary["batches"] == 10
    assert summary["busy"] == pytest.approx(10.0 / 10.5)
    assert summary["requests_per_s"] == pytest.approx(3 / 10.5)
    assert summary["tokens_per_s"] == pytest.approx((24 + 10) / 10.0)
    assert summary["preemptions"] == 0


def test_goodput_counts_requests_that_met_both_limits(run):
    assert goodput(run, ttft_limit_s=1.0) == pytest.approx(2 / 10.5)  # the paying one was late
    assert goodput(run, ttft_limit_s=0.1) == 0


def test_slo_needs_the_median_and_every_class(run):
    assert not SLO(ttft_p50_s=0.6)(run)
    assert SLO(ttft_p50_s=0.6, tbt=False)(run)
    assert not SLO(ttft_p50_s=0.5, tbt=False)(run)
    with pytest.raises(ValueError, match="ttft_p50_s must be > 0, got 0"):
        SLO(ttft_p50_s=0)


def test_requests_without_a_limit_cannot_miss_it(table):
    run = simulate(table((0, 8, 4)), Sarathi(), lambda work: 0.1)
    assert SLO()(run)
    assert goodput(run, 1.0) == pytest.approx(1 / 0.5)


def test_capacity_brackets_the_true_one_within_tolerance():
    found = capacity(lambda rate: rate, lambda rate: rate <= 1.234, 0.2, 4.0, tolerance=0.025)
    assert 1.234 * (1 - 0.025) <= found.rate <= 1.234
    assert found.limited_by == "slo"
    assert found.trials["rate"].is_monotonic_increasing
    assert len(found.trials) < 12
    assert found.trials["meets"].tolist() == (found.trials["rate"] <= 1.234).tolist()


@pytest.mark.parametrize(("truth", "limited_by", "rate"), [(0.1, "left", 0.2), (9, "right", 4.0)])
def test_capacity_outside_the_bounds_is_said_to_be(truth, limited_by, rate):
    found = capacity(lambda q: q, lambda q: q <= truth, 0.2, 4.0)
    assert (found.limited_by, found.rate) == (limited_by, rate)


@pytest.mark.parametrize("bounds", [(0, 1, 0.1), (2, 1, 0.1), (1, 2, 0)])
def test_senseless_searches_are_refused(bounds):
    with pytest.raises(ValueError, match="capacity needs 0 < left < right"):
        capacity(lambda q: q, lambda q: True, *bounds)


def test_results_are_plain_tables(run):
    for frame in (run.requests, run.batches, summarize(run)):
        assert isinstance(frame, pd.DataFrame)
        assert not frame.columns.duplicated().any()


def test_requests_beyond_the_horizon_count_as_late_not_as_served(table):
    requests = table(*[(time, 8, 4, 2.0) for time in range(20)])
    options = {"until_s": 10.0}
    run = simulate(requests, Sarathi(max_num_seqs=1), lambda work: 1.0, **options)
    assert len(run.requests) == 10
    assert summarize_batches(run)["requests_per_s"] == pytest.approx(2 / 10)
    assert goodput(run, 100.0) == pytest.approx(2 / 10)
    assert np.isnan(summarize(run)["ttft_p50_s"][0])
    assert not SLO(ttft_p50_s=100.0, tbt=False)(run)
    assert SLO(ttft_p50_s=100.0, tbt=False)(
        simulate(requests[:2], Sarathi(max_num_seqs=1), lambda work: 1.0, **options)
    )
