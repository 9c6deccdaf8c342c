"""What claims about served requests measure: one value per seed, paired within the seed."""

from collections.abc import Callable

import pandas as pd

from schedlab.lab.claims import CannotTell, Estimator, Tables


def rows_of(tables: Tables, table: str, scheduler: str | None, **where: object) -> pd.DataFrame:
    """Return some rows of a table, one per seed, by seed.

    Parameters
    ----------
    tables
        The stage's tables.
    table
        Name of one.
    scheduler
        Label of a policy, or None where there is no such column.
    where
        Values that other columns must have.
    """
    rows = tables[table]
    wanted = where if scheduler is None else {"scheduler": scheduler, **where}
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    if rows.empty:
        raise CannotTell(f"the run has no {table} with {wanted}")
    return rows.set_index("seed").sort_index()


def ratio(metric: str, over: str, under: str, *, table: str, **where: object) -> Estimator:
    """Return an estimator of one policy's metric over another's."""

    def measure(tables: Tables) -> list[float]:
        arms = [rows_of(tables, table, label, **where)[metric] for label in (over, under)]
        return (arms[0] / arms[1]).tolist()

    return measure


def value(metric: str, scheduler: str | None, *, table: str, **where: object) -> Estimator:
    """Return an estimator of one metric."""
    return lambda tables: rows_of(tables, table, scheduler, **where)[metric].tolist()


def worst(estimators: list[Estimator], pick: Callable[..., float] = max) -> Estimator:
    """Return an estimator of the largest of several, seed by seed, or of what ``pick`` picks."""

    def measure(tables: Tables) -> list[float]:
        return [pick(values) for values in zip(*[e(tables) for e in estimators], strict=True)]

    return measure
