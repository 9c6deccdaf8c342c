"""How the gain depends on noise, and on how many classes training has."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Tables
from schedlab.metalearning import names
from schedlab.metalearning.claims.estimators import SOURCE, values

WHEN = {"reconstruction": True, "scales": ("laptop", "paper")}


def sweep_claims() -> list[Claim]:
    """Return what the sweeps can decide."""
    return [*_noise(), *_budget()]


def _noise() -> list[Claim]:
    return [
        Claim(
            id="metalearning/gain-grows-with-noise",
            sentence="The gain over uniform sampling grows with the share of noisy tasks",
            source=f"{SOURCE}; on letters",
            estimator=gain_slope,
            unit="accuracy per share",
            holds_from=0.0,
            null=0.0,
            figure="noise-shares",
            **WHEN,
        ),
        Claim(
            id="metalearning/no-gain-without-noise",
            sentence="Without noise ATS and uniform sampling end within 0.01 of each other",
            source="negative control; on letters",
            estimator=gain_without_noise,
            unit="accuracy",
            holds_from=-0.01,
            holds_to=0.01,
            figure="noise-shares",
            **WHEN,
        ),
    ]


def _budget() -> list[Claim]:
    common = {"source": f"{SOURCE}; on letters", "figure": "budgets", **WHEN}
    return [
        Claim(
            id="metalearning/budget-beats-uniform",
            sentence="With the fewest training classes ATS ends above uniform sampling",
            estimator=gain_at_least_budget,
            unit="accuracy",
            holds_from=0.0,
            null=0.0,
            **common,
        ),
        Claim(
            id="metalearning/budget-gain-grows-as-classes-shrink",
            sentence="The gain over uniform sampling grows as training has fewer classes",
            estimator=gain_by_budget,
            unit="accuracy per halving",
            holds_from=0.0,
            null=0.0,
            **common,
        ),
        Claim(
            id="metalearning/budget-prefers-hard-tasks",
            sentence="With the fewest classes and no noise tasks of higher loss get higher "
            "probability",
            estimator=hard_preferred,
            unit="rank correlation",
            holds_from=0.0,
            null=0.0,
            **{**common, "figure": "loss-and-weight"},
        ),
    ]


def gains(finals: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return ATS's score less uniform sampling's: a row per seed, a column per value of ``by``."""
    wide = finals.pivot_table(index="seed", columns=["scheduler", by], values="score")
    there = wide.columns.get_level_values(0)
    if missing := [name for name in (names.ATS, names.UNIFORM) if name not in there]:
        raise CannotTell(f"the run has no {missing[0]!r}")
    return wide[names.ATS] - wide[names.UNIFORM]


def gain_slope(tables: Tables) -> Sequence[float]:
    """Return the slope of the gain over the share of noisy tasks, by least squares."""
    found = gains(tables["finals"], "share")
    return np.polyfit(found.columns, found.to_numpy().T, 1)[0].tolist()


def gain_without_noise(tables: Tables) -> Sequence[float]:
    """Return the gain where no task is noisy."""
    found = gains(tables["finals"], "share")
    if 0.0 not in found:
        raise CannotTell("the run has no share of 0")
    return found[0.0].tolist()


def gain_at_least_budget(tables: Tables) -> Sequence[float]:
    """Return the gain with the fewest classes."""
    found = gains(tables["limited"], "classes")
    return found[found.columns.min()].tolist()


def gain_by_budget(tables: Tables) -> Sequence[float]:
    """Return how much the gain grows per halving of the classes, by least squares."""
    found = gains(tables["limited"], "classes")
    return (-np.polyfit(np.log2(found.columns), found.to_numpy().T, 1)[0]).tolist()


def hard_preferred(tables: Tables) -> Sequence[float]:
    """Return the rank correlation of weight and loss with the fewest classes."""
    table = tables["preferences"]
    fewest = table[table["classes"] == table["classes"].min()]
    return values(fewest, names.ATS, column="loss").tolist()
