"""What the paper says of indicators: no single cause predicts, the combined bound does."""

import pandas as pd

from schedlab.lab.claims import Claim, Tables
from schedlab.trainability.indicators import NAMES

PAPER = "set scale: paper in params.yaml, then dvc repro trainability@indicators (a GPU)"


def indicator_claims() -> list[Claim]:
    """Return the claims of figures 1 and 4; short streams have too few tasks to rank."""
    common = {"scales": ("paper",), "decide_with": PAPER}
    return [
        Claim(
            id="trainability/combined-bound-predicts",
            sentence="Whether steps exceed the combined bound predicts accuracy in every method",
            source="figure 4, least Pearson correlation over L2, CReLU and Wasserstein",
            estimator=least_correlation,
            published=0.95,
            unit="correlation",
            holds_from=0.7,
            null=0.0,
            figure="predictions",
            **common,
        ),
        Claim(
            id="trainability/no-single-cause",
            sentence="No single-cause indicator follows accuracy in every method",
            source="figure 1",
            estimator=best_single_cause,
            unit="correlation",
            holds_to=0.7,
            figure="indicators",
            **common,
        ),
    ]


def least_correlation(tables: Tables) -> list[float]:
    """Return, per seed, the least correlation over methods of the combined bound's prediction."""
    rows = tables["predictions"].query("bound == 'combined' and method != 'plain'")
    found = _by_group(rows, "predicted", "pearson")
    return found.groupby("seed").min().tolist()


def best_single_cause(tables: Tables) -> list[float]:
    """Return, per seed, how well the best indicator ranks tasks in its worst method.

    An indicator may point either way, but the same way in every method.
    """
    signed = []
    for name in NAMES:
        found = _by_group(tables["indicators"], name, "spearman").groupby("seed")
        signed += [found.min(), -found.max()]
    return pd.concat(signed, axis=1).max(axis=1).tolist()


def _by_group(rows: pd.DataFrame, column: str, how: str) -> pd.Series:
    """Return the correlation with accuracy by method and seed."""
    groups = {
        key: _correlation(part[column], part["accuracy"], how)
        for key, part in rows.groupby(["method", "seed"])
    }
    index = pd.MultiIndex.from_tuples(groups, names=["method", "seed"])
    return pd.Series(list(groups.values()), index=index)


def _correlation(a: pd.Series, b: pd.Series, how: str) -> float:
    """Return 0 where a side never changes, for then it says nothing of the other."""
    if a.min() == a.max() or b.min() == b.max():
        return 0.0
    return a.corr(b, method=how)
