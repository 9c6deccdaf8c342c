"""How much of the distance between a naive policy and a clairvoyant one a policy closes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from schedlab.lab.statistics import interval

KNOWLEDGE = ("nothing", "statistics", "a prediction", "the truth")


class NoDistance(ValueError):
    """The naive policy is not worse than the clairvoyant one, so that no share is defined."""


@dataclass(frozen=True)
class Comparison:
    """Policies of one system that do the same work and differ in what they know.

    Attributes
    ----------
    system
        One of the seven.
    measure
        The measured quantity in words, with its unit.
    table
        Cached table, as ``system/stage/name`` below ``results/``.
    policy, value
        Columns with the policy's label and the measured quantity.
    naive
        Label of the policy that closes nothing.
    best
        Label of the policy that closes everything, or the value that no policy can beat.
    best_is
        What ``best`` is, in words.
    knows
        Knowledge of each policy, by label, one of :data:`KNOWLEDGE`.
    cases
        Columns that tell settings apart; a share is computed in each and then averaged.
    only
        Values of columns to which the comparison is restricted.
    """

    system: str
    measure: str
    table: str
    policy: str
    value: str
    naive: str
    best: str | float
    best_is: str
    knows: Mapping[str, str]
    cases: tuple[str, ...] = ()
    only: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Heading in the chart."""
        return f"{self.system}: {self.measure}"


def closures(comparison: Comparison, table: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the distance that each policy closes, one row per policy and seed.

    Within a seed and a case, with mean values ``v``, the share of a policy is
    ``(v - v_naive) / (v_best - v_naive)``: 0 for the naive policy, 1 for the best, negative for
    one that is worse than naive, whichever direction is better. The shares of a seed's cases are
    averaged. A case counts if it has both ends; a policy, if it ran in all these cases.

    Parameters
    ----------
    comparison
        What to compare.
    table
        Its cached table, with a column ``seed``.

    Returns
    -------
    Columns ``policy``, ``knows``, ``seed``, ``closed``.

    Raises
    ------
    NoDistance
        If in some seed and case the two ends are equal or have changed sides, or never meet.
    ValueError
        If the table lacks a column.
    """
    values = _by_policy(comparison, table)
    naive = values[comparison.naive]
    best = values[comparison.best] if isinstance(comparison.best, str) else comparison.best
    distance = (best - naive).dropna()
    _refuse_no_distance(comparison, distance)
    values, naive = values.loc[distance.index], naive[distance.index]
    there = [label for label in comparison.knows if label in values and values[label].notna().all()]
    shares = values[there].sub(naive, axis=0).div(distance, axis=0)
    by_seed = shares.groupby(level="seed").mean() + 0.0  # without negative zeros
    long = by_seed.reset_index().melt("seed", there, var_name="policy", value_name="closed")
    return long.assign(knows=long["policy"].map(dict(comparison.knows)))[
        ["policy", "knows", "seed", "closed"]
    ]


def _by_policy(comparison: Comparison, table: pd.DataFrame) -> pd.DataFrame:
    """Return mean values with a row per case and seed, and a column per policy."""
    keys = [*comparison.cases, "seed"]
    needed = {*keys, *comparison.only, comparison.policy, comparison.value}
    if missing := sorted(needed - set(table)):
        raise ValueError(f"results/{comparison.table}.parquet lacks {', '.join(missing)}")
    for column, wanted in comparison.only.items():
        table = table[table[column] == wanted]
    values = table.pivot_table(index=keys, columns=comparison.policy, values=comparison.value)
    ends = [end for end in (comparison.naive, comparison.best) if isinstance(end, str)]
    if absent := [end for end in ends if end not in values]:
        raise NoDistance(f"{comparison.name}: no {' and no '.join(absent)} in {comparison.table}")
    return values


def _refuse_no_distance(comparison: Comparison, distance: pd.Series) -> None:
    if distance.empty:
        raise NoDistance(f"{comparison.name}: no seed has both ends")
    if not ((distance > 0).all() or (distance < 0).all()):
        nearest = distance.abs().idxmin()
        where = dict(zip(distance.index.names, np.atleast_1d(nearest).tolist(), strict=True))
        raise NoDistance(
            f"{comparison.name}: {comparison.naive} and the best change sides or meet at {where}"
        )


def summary(shares: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return the mean share of each policy with its interval over seeds.

    Parameters
    ----------
    shares
        Rows of :func:`closures`, of one comparison or, with a column ``comparison``, of several.
    level
        Level of the interval of :func:`schedlab.lab.statistics.interval`.

    Returns
    -------
    The keys and ``closed``, ``low``, ``high``, ``seeds``.
    """
    keys = [key for key in ("system", "comparison", "policy", "knows") if key in shares]
    rows = []
    for key, part in shares.groupby(keys, sort=False):
        found = interval(part["closed"].to_numpy(), level)
        rows.append((*key, found.estimate, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=[*keys, "closed", "low", "high", "seeds"])
