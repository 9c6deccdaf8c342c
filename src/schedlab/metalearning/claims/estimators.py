"""Paired comparisons within a seed, on the summaries that stages save."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from schedlab.lab.claims import CannotTell, Estimator, Tables

SOURCE = "abstract; summaries of sections 4 and 5"


def values(
    table: pd.DataFrame, scheduler: str, world: str | None = None, column: str = "score"
) -> pd.Series:
    """Return one value per seed of a scheduler in a world.

    Raises
    ------
    CannotTell
        If the run has no such scheduler or world.
    """
    rows = table[table["scheduler"] == scheduler]
    if world is not None:
        rows = rows[rows["world"] == world]
    if rows.empty:
        where = "" if world is None else f" in the world {world}"
        raise CannotTell(f"the run has no {scheduler!r}{where}")
    return rows.set_index("seed")[column].sort_index()


def lead(scheduler: str, other: str, world: str | None = None) -> Estimator:
    """Return an estimator: a scheduler's final score less another's, seed by seed."""

    def estimate(tables: Tables) -> Sequence[float]:
        ours = values(tables["finals"], scheduler, world)
        return (ours - values(tables["finals"], other, world)).tolist()

    return estimate


def lead_of_best(scheduler: str, others: Sequence[str], world: str | None = None) -> Estimator:
    """Return an estimator: a scheduler's score less that of the best of the others.

    The best is the one with the highest mean over seeds, among those that the run has.
    """

    def estimate(tables: Tables) -> Sequence[float]:
        finals = tables["finals"]
        there = [name for name in others if name in set(finals["scheduler"])]
        if not there:
            raise CannotTell("the run has no heuristic")
        rivals = [values(finals, name, world) for name in there]
        best = max(rivals, key=lambda found: found.mean())
        return (values(finals, scheduler, world) - best).tolist()

    return estimate


def noisy_among_selected(scheduler: str, world: str | None = None) -> Estimator:
    """Return an estimator: share of noisy tasks selected over their share of the candidates."""

    def estimate(tables: Tables) -> Sequence[float]:
        find = partial(values, tables["selection"], scheduler, world)
        return (find("noisy_selected") / find("noisy")).tolist()

    return estimate


def rank_correlation(factor: str, scheduler: str, world: str | None = None) -> Estimator:
    """Return an estimator: Spearman's correlation of a scheduler's weight with a factor."""

    def estimate(tables: Tables) -> Sequence[float]:
        return values(tables["preferences"], scheduler, world, factor).tolist()

    return estimate


def unmeasured(words: str) -> Estimator:
    """Return an estimator that says why there is nothing to measure."""

    def estimate(tables: Tables) -> Sequence[float]:
        raise CannotTell(words)

    return estimate
