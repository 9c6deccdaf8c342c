"""Shares of the distance between naive and best: hand-made tables, intervals, refusals."""

import numpy as np
import pandas as pd
import pytest

from schedlab.information.closure import KNOWLEDGE, Comparison, NoDistance, closures, summary
from schedlab.lab.statistics import interval

KNOWS = {"naive": "nothing", "half": "statistics", "worse": "a prediction", "best": "the truth"}


def compared(**changes):
    given = {
        "system": "serving",
        "measure": "latency",
        "table": "serving/stage/table",
        "policy": "scheduler",
        "value": "latency_s",
        "naive": "naive",
        "best": "best",
        "best_is": "true lengths",
        "knows": KNOWS,
    }
    return Comparison(**(given | changes))


def made(values, seeds=(1, 2, 3), **columns):
    """One row per policy and seed; a seed shifts and stretches what it measures."""
    return pd.DataFrame(
        {"scheduler": policy, "seed": seed, "latency_s": 10 * seed + seed * value, **columns}
        for policy, value in values.items()
        for seed in seeds
    )


LATENCIES = {"naive": 8.0, "half": 6.0, "worse": 9.0, "best": 4.0}
SHARES = {"naive": 0.0, "half": 0.5, "worse": -0.25, "best": 1.0}


def by_policy(shares):
    return shares.groupby("policy")["closed"].agg(list).to_dict()


@pytest.mark.parametrize("sign", [1, -1])
def test_a_share_is_where_a_policy_lies_between_the_ends_whichever_direction_is_better(sign):
    table = made(LATENCIES).assign(latency_s=lambda t: sign * t["latency_s"])
    found = closures(compared(), table)
    assert by_policy(found) == {policy: pytest.approx([s] * 3) for policy, s in SHARES.items()}
    assert dict(zip(found["policy"], found["knows"], strict=True)) == KNOWS
    assert set(KNOWS.values()) == set(KNOWLEDGE)


def test_the_best_may_be_a_bound_that_no_policy_reaches():
    values = {policy: v for policy, v in LATENCIES.items() if policy != "best"}
    table = made(values, seeds=(1,))
    found = closures(compared(best=10.0), table)  # naive 18, half 16, worse 19
    assert by_policy(found) == {
        "naive": [0.0],
        "half": pytest.approx([0.25]),
        "worse": pytest.approx([-0.125]),
    }


def test_shares_are_taken_within_a_case_and_then_averaged():
    fast = made(LATENCIES, load="low")
    slow = made({"naive": 800.0, "half": 400.0, "worse": 900.0, "best": 400.0}, load="high")
    table = pd.concat([fast, slow])
    found = by_policy(closures(compared(cases=("load",)), table))
    assert found["half"] == pytest.approx([0.75] * 3)  # of 0.5 and 1.0, whatever their size
    alone = by_policy(closures(compared(only={"load": "low"}), table))
    assert alone["half"] == pytest.approx([0.5] * 3)


def test_repeats_within_a_seed_are_averaged_first():
    table = pd.concat([made(LATENCIES, task=1), made(LATENCIES | {"half": 4.0}, task=2)])
    assert by_policy(closures(compared(), table))["half"] == pytest.approx([0.75] * 3)


def test_a_case_counts_with_both_ends_and_a_policy_if_it_ran_in_all_of_them():
    both = made(LATENCIES, load="low")
    no_ends = made({"half": 3.0}, load="odd")
    without_half = made({k: v for k, v in LATENCIES.items() if k != "half"}, load="high")
    comparison = compared(cases=("load",))
    assert by_policy(closures(comparison, pd.concat([both, no_ends]))) == by_policy(
        closures(comparison, both)
    )
    assert "half" not in by_policy(closures(comparison, pd.concat([both, without_half])))


def test_a_policy_that_nobody_described_is_left_alone():
    found = closures(compared(), made(LATENCIES | {"My own": 5.0}))
    assert set(found["policy"]) == set(KNOWS)


def test_the_interval_is_that_of_paired_seeds():
    rng = np.random.default_rng(1)
    level = rng.uniform(50, 500, 8)  # seeds differ a hundred times more than policies
    half = rng.uniform(0.4, 0.6, 8)
    table = pd.DataFrame(
        {"scheduler": policy, "seed": seed, "latency_s": level[seed] - 4 * share}
        for seed in range(8)
        for policy, share in {"naive": 0.0, "half": half[seed], "best": 1.0}.items()
    )
    rows = summary(closures(compared(), table)).set_index("policy")
    expected = interval(half)
    assert rows.loc["half", "seeds"] == 8
    assert rows.loc["half", ["closed", "low", "high"]].tolist() == pytest.approx(
        [expected.estimate, expected.low, expected.high]
    )
    wider = summary(closures(compared(), table), level=0.99).set_index("policy")
    assert wider.loc["half", "high"] > rows.loc["half", "high"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (LATENCIES | {"best": 8.0}, "meet"),
        ({"naive": 8.0, "half": 6.0}, "no best in serving/stage/table"),
        ({"half": 6.0, "best": 4.0}, "no naive in"),
    ],
)
def test_no_distance_is_refused(values, words):
    with pytest.raises(NoDistance, match=words):
        closures(compared(), made(values))


def test_a_distance_that_changes_its_sign_is_refused_with_the_seed():
    table = made(LATENCIES)
    table.loc[(table["seed"] == 2) & (table["scheduler"] == "best"), "latency_s"] = 36.5
    with pytest.raises(NoDistance, match=r"change sides or meet at \{'seed': 2\}"):
        closures(compared(), table)


def test_a_table_without_the_column_is_refused():
    with pytest.raises(ValueError, match=r"table\.parquet lacks latency_s, load"):
        closures(compared(cases=("load",)), made(LATENCIES).drop(columns="latency_s"))
