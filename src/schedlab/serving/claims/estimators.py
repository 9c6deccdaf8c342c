"""What claims measure on a stage's tables: one value per seed."""

from collections.abc import Callable

import pandas as pd

from schedlab.lab.claims import CannotTell, Estimator, Tables


def relative_change(
    metric: str,
    treated: str,
    baseline: str,
    rates: tuple[float, ...] = (),
    *,
    table: str = "latency",
    users: str = "all",
    blocks: int | None = None,
    tables: Tables,
) -> list[float]:
    """Return, per seed, treated / baseline - 1, the mean over rates.

    Parameters
    ----------
    metric
        Column to compare.
    treated, baseline
        Labels of schedulers.
    rates
        Arrival rates to compare at; all if empty.
    table
        Which of the tables.
    users
        Class of users.
    blocks
        Memory to compare at, where the table holds several.
    tables
        The stage's tables by name.
    """
    rows = tables[table]
    rows = rows[rows["class"] == users]
    if rates:
        rows = rows[rows["rate"].isin(rates)]
    if blocks is not None:
        rows = rows[rows["blocks"] == blocks]
    arms = [
        arm_of(rows, label).set_index(["seed", "rate"])[metric] for label in (treated, baseline)
    ]
    return (arms[0] / arms[1] - 1).groupby("seed").mean().tolist()


def worst_tbt(
    users: str,
    labels: tuple[str, ...],
    *,
    table: str = "latency",
    blocks: int | None = None,
    tables: Tables,
) -> list[float]:
    """Return, per seed, the largest 99th percentile of TBT of a class over labels and rates, s."""
    rows = tables[table]
    rows = rows[rows["class"] == users]
    if blocks is not None:
        rows = rows[rows["blocks"] == blocks]
    arms = pd.concat([arm_of(rows, label) for label in labels])
    return arms.groupby("seed")["tbt_p99_s"].max().tolist()


def on_tables(measure: Callable[..., list[float]], *args: object, **where: object) -> Estimator:
    """Return an estimator that calls ``measure`` with the stage's tables."""
    return lambda tables: measure(*args, **where, tables=tables)


def arm_of(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return a scheduler's rows of a table."""
    arm = table[table["scheduler"] == label]
    if arm.empty:
        raise CannotTell(f"the run has no scheduler labelled {label!r}")
    return arm
