"""From tidy tables to one value per seed."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from schedlab.lab.claims import CannotTell, Estimator, Tables

PREDICTED = "prediction from measured instruction counts"
THEORY = "scheduling theory"
CODE = "public code, multi-core scheduler"


def per_seed(
    tables: Tables,
    *,
    table: str,
    column: str,
    summary: str | Callable[[pd.Series], float],
    where: str = "",
) -> Sequence[float]:
    """Summarise a column within each seed: ``min``, ``mean``, ``max`` over networks and boards.

    Raises
    ------
    CannotTell
        If no row is left.
    """
    rows = tables[table].query(where) if where else tables[table]
    if rows.empty:
        raise CannotTell(f"the run has no row of {table} with {where}")
    return rows.groupby("seed")[column].agg(summary).tolist()


def of(table: str, column: str, summary: str, where: str = "") -> Estimator:
    """Return :func:`per_seed` with its choices made."""
    return partial(per_seed, table=table, column=column, summary=summary, where=where)
