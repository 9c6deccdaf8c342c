import numpy as np
import pandas as pd
import pytest
from scipy import stats

from schedlab.data import catalog, llama3_lengths


@pytest.mark.parametrize("trace", llama3_lengths.TRACES)
def test_outputs_have_exactly_the_published_counts(trace):
    counts = llama3_lengths.figures()[trace]["output_counts"]
    _, outputs = llama3_lengths.draw(trace)
    assert np.bincount(outputs // 10).tolist() == counts
    assert sum(counts) == len(outputs) == 10000


@pytest.mark.parametrize(("trace", "published"), [("lmsys", 293.5), ("sharegpt", 420.8)])
def test_outputs_have_the_mean_of_the_traces(trace, published):
    assert llama3_lengths.draw(trace)[1].mean() == pytest.approx(published, abs=0.1)


@pytest.mark.parametrize("trace", llama3_lengths.TRACES)
def test_prompts_have_the_papers_mean_and_a_log_normal_shape(trace):
    prompts, outputs = llama3_lengths.draw(trace)
    assert prompts.mean() == pytest.approx(
        llama3_lengths.figures()[trace]["prompt_tokens"]["mean"], rel=0.01
    )
    assert prompts.min() >= 4
    assert prompts.max() <= 1024
    assert np.log(prompts).std() == pytest.approx(1.0, abs=0.1)
    assert abs(stats.kendalltau(prompts, outputs).statistic) < 0.02


def test_within_a_bin_lengths_are_spread_evenly():
    assert llama3_lengths.unbinned([0, 5, 0, 1], 10).tolist() == [11, 13, 15, 17, 19, 35]


def test_the_counts_are_those_of_the_catalogued_file(real_mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(tmp_path))
    table = pd.read_csv(catalog.fetch("llama3-8b-output-length-hist"))
    for trace, rows in table.groupby("dataset"):
        counts = np.array(llama3_lengths.figures()[trace]["output_counts"])
        assert counts[rows["tok_lo"] // 10].tolist() == rows["count"].tolist()
        assert counts.sum() == rows["count"].sum()
