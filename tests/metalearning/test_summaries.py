"""Summaries of meta-training against hand counts and scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from schedlab.metalearning.experiment import summaries
from schedlab.metalearning.figures.dynamics import on_one_axis


def steps(*, warm_up: int = 32, training: int = 48, pool: int = 10) -> pd.DataFrame:
    """Return steps of two seeds with random factors and weights that fall with the loss."""
    rng = np.random.default_rng(0)
    parts = []
    for seed in (1, 2):
        for phase, count in (("warm_up", warm_up), ("training", training)):
            n = count * pool
            table = pd.DataFrame(
                {
                    "scheduler": "mine",
                    "world": "letters",
                    "seed": seed,
                    "phase": phase,
                    "step": np.repeat(np.arange(count), pool),
                    "candidate": np.tile(np.arange(pool), count),
                    "noisy": rng.random(n) < 0.5,
                    "loss": rng.random(n),
                    "similarity": rng.random(n),
                    "selected": rng.integers(0, 2, n),
                }
            )
            raw = np.exp(-2 * table["loss"] + rng.normal(size=n))
            table["weight"] = raw / raw.groupby(table["step"]).transform("sum")
            parts.append(table)
    return pd.concat(parts, ignore_index=True)


def test_dynamics_are_what_a_count_by_hand_gives():
    table = steps()
    found = summaries.dynamics(table)
    row = found[(found["seed"] == 2) & (found["phase"] == "training") & (found["step"] == 16)]
    chosen = table[(table["seed"] == 2) & (table["phase"] == "training")]
    chosen = chosen[chosen["step"].between(16, 31)]
    noisy = chosen["noisy"]
    expected = {
        "noisy": noisy.mean(),
        "noisy_weight": chosen.loc[noisy, "weight"].sum() / 16,
        "noisy_selected": chosen.loc[noisy, "selected"].sum() / chosen["selected"].sum(),
        "relative_weight": chosen.loc[noisy, "weight"].mean() / chosen.loc[~noisy, "weight"].mean(),
    }
    assert row[list(expected)].iloc[0].to_dict() == pytest.approx(expected)
    assert len(found) == 2 * (2 + 3)


def test_noisy_share_counts_training_alone():
    table = steps()
    found = summaries.noisy_share(table).set_index("seed")
    part = table[(table["seed"] == 1) & (table["phase"] == "training")]
    expected = part.loc[part["noisy"], "selected"].sum() / part["selected"].sum()
    assert found.loc[1, "noisy_selected"] == pytest.approx(expected)
    assert found.loc[1, "noisy_selected_late"] == pytest.approx(expected)  # fewer than 50 steps


def test_preferences_are_mean_rank_correlations_within_pools():
    table = steps()
    found = summaries.preferences(table, pools=8).set_index("seed")
    late = table[(table["seed"] == 1) & (table["phase"] == "training") & (table["step"] >= 40)]
    for factor in ("loss", "similarity"):
        by_pool = [
            spearmanr(pool[factor], pool["weight"]).statistic for _, pool in late.groupby("step")
        ]
        assert found.loc[1, factor] == pytest.approx(np.mean(by_pool))
    assert found["loss"].max() < -0.2


def test_preferences_of_the_indifferent_are_missing():
    table = steps().assign(weight=0.1, similarity=np.nan)
    found = summaries.preferences(table)
    assert found[["loss", "similarity"]].isna().to_numpy().all()


def scores() -> pd.DataFrame:
    rows = [
        ("mine", "letters", seed, step, task, 0.1 * seed + 0.01 * step + 0.1 * task, 1.0)
        for seed in (1, 2)
        for step in (0, 20)
        for task in (0, 1)
    ]
    columns = ["scheduler", "world", "seed", "step", "task", "score", "loss"]
    return pd.DataFrame(rows, columns=columns)


def test_final_scores_are_means_at_the_last_evaluation():
    found = summaries.final_scores(scores())
    assert found["score"].tolist() == pytest.approx([0.1 + 0.2 + 0.05, 0.2 + 0.2 + 0.05])
    assert summaries.well_solved(scores(), 0.35)["solved"].tolist() == [1, 2]


def test_passes_of_the_warm_up_are_spent_before_the_first_evaluation():
    cost = pd.DataFrame(
        {
            "scheduler": "mine",
            "world": "letters",
            "seed": np.repeat([1, 2], 30),
            "phase": (["warm_up"] * 10 + ["training"] * 20) * 2,
            "step": [*range(10), *range(20)] * 2,
            "passes": [*range(5, 155, 5)] * 2,
        }
    )
    curves = summaries.with_passes(summaries.score_curves(scores()), cost)
    assert curves["passes"].tolist() == [50, 150, 50, 150]
    assert summaries.total_passes(cost)["passes"].tolist() == [150, 150]


def test_moments_come_from_both_ends_of_both_phases():
    found = summaries.moments(steps(), "mine", 1, pools=3)
    counts = found.groupby("moment", sort=False)["step"].agg(["min", "max", "size"])
    assert counts.to_numpy().tolist() == [[0, 2, 30], [29, 31, 30], [0, 2, 30], [45, 47, 30]]


def test_the_warm_up_ends_where_training_begins():
    found = on_one_axis(summaries.dynamics(steps()))
    first = found[found["seed"] == 1]
    assert first["at"].tolist() == [-32, -16, 0, 16, 32]
