"""The chart: what it compares, what it says when results are missing, and its two figures."""

import shutil

import pandas as pd
import pytest
import yaml

from schedlab.information import comparisons as module
from schedlab.information.closure import KNOWLEDGE, summary
from schedlab.information.comparisons import comparisons, ends, measure
from schedlab.information.figures import best_by_knowledge, share_by_policy
from schedlab.information.parameters import ChartParameters
from schedlab.lab.paths import find_root
from schedlab.lab.report.systems import SYSTEMS

PARAMETERS = ChartParameters(evaluations=20, slow_speed=0.5, level=0.95)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty checkout with one result, of shares 0, 0.5 and 1 in two seeds."""
    monkeypatch.setattr(module, "find_root", lambda: tmp_path)
    folder = tmp_path / "results/ranking/worth"
    folder.mkdir(parents=True)
    latency = {"FCFS": 9.0, "ListMLE": 5.0, "SRTF (true lengths)": 1.0}
    pd.DataFrame(
        {"scheduler": label, "seed": seed, "latency_mean": seed * value}
        for label, value in latency.items()
        for seed in (1, 2)
    ).to_parquet(folder / "real.parquet")
    return tmp_path


def test_every_system_is_compared_and_every_table_is_a_dependency():
    made = comparisons(PARAMETERS)
    assert {comparison.system for comparison in made} == {system.name for system in SYSTEMS}
    stages = yaml.safe_load((find_root() / "dvc.yaml").read_text())["stages"]
    needed = {f"results/{comparison.table.rpartition('/')[0]}" for comparison in made}
    built = {name for name in needed if name.split("/")[1] in stages}
    deps = stages["information"]["do"]["deps"]
    assert built == {dep for dep in deps if dep.startswith("results/")}


@pytest.mark.parametrize("comparison", comparisons(PARAMETERS), ids=lambda c: c.name)
def test_what_policies_know_is_said_in_the_four_words(comparison):
    assert set(comparison.knows.values()) <= set(KNOWLEDGE)
    assert comparison.knows[comparison.naive] == "nothing"
    if isinstance(comparison.best, str):
        assert comparison.knows[comparison.best] == "the truth"


def test_labels_are_those_of_the_parameters():
    """A policy renamed in params.yaml would silently leave the chart."""
    text = (find_root() / "params.yaml").read_text()
    for comparison in comparisons(PARAMETERS):
        if comparison.system in ("serving", "microcontrollers"):
            assert all(label in text for label in comparison.knows), comparison.name


def test_what_has_results_is_measured_and_the_rest_said(checkout):
    shares, left_out = measure(PARAMETERS)
    assert shares["comparison"].unique().tolist() == ["mean latency, rankers trained here"]
    found = shares.groupby("policy")["closed"].mean().to_dict()
    assert found == {"FCFS": 0.0, "ListMLE": 0.5, "SRTF (true lengths)": 1.0}
    assert len(left_out) == len(comparisons(PARAMETERS)) - 1
    assert left_out["reason"].str.contains("does not exist; bring it back with").all()
    shutil.rmtree(checkout / "results")
    shares, left_out = measure(PARAMETERS)
    assert shares.empty
    assert len(left_out) == len(ends(PARAMETERS))


def test_the_figures_show_every_comparison_with_its_policies(checkout):
    table = summary(measure(PARAMETERS)[0])
    (axes,) = best_by_knowledge(table).axes
    (line,) = [line for line in axes.lines if line.get_label().startswith("ranking")]
    assert line.get_ydata().tolist() == [0.0, 0.5, 1.0]
    assert [round(x) for x in line.get_xdata()] == [0, 2, 3]
    (panel,) = share_by_policy(table).axes
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == ["FCFS", "ListMLE", "SRTF (true lengths)"]
