"""What reading silence is worth where loops share a channel; expectations of ours."""

from functools import partial

import pandas as pd

from schedlab.estimation.experiment.channel import BLIND, READ, REFIT
from schedlab.lab.claims import CannotTell, Claim, Tables

SOURCE = "abstract (shared, band-limited channel); reconstruction of CALM"


def channel_claims() -> list[Claim]:
    """Return what the shared channel can decide."""
    shared = {
        "source": SOURCE,
        "unit": "relative",
        "null": 0.0,
        "holds_to": 0.0,
        "scales": ("laptop", "paper"),
        "reconstruction": True,
    }
    return [
        Claim(
            id="estimation/reading-silence-unloads-the-channel",
            sentence="With the most loops on one channel, reading silence leaves a lower squared "
            "error than taking it for missing data",
            estimator=partial(at_most_loops, "mse", READ, BLIND),
            figure="contention",
            **shared,
        ),
        Claim(
            id="estimation/reading-silence-survives-loss",
            sentence="With the highest loss, a receiver that reads silence as if nothing were lost "
            "still costs less than one that takes it for missing data",
            estimator=partial(at_highest_loss, "cost", READ, BLIND),
            figure="impairments",
            **shared,
        ),
        Claim(
            id="estimation/reading-silence-survives-delay",
            sentence="With the longest delay, a receiver that reads silence as if nothing were on "
            "its way still costs less than one that takes it for missing data",
            estimator=partial(at_longest_delay, "cost", READ, BLIND),
            figure="impairments",
            **shared,
        ),
        Claim(
            id="estimation/refitting-to-loss-pays",
            sentence="With the highest loss, refitting the receiver to what silence means there "
            "lowers its squared error",
            estimator=partial(at_highest_loss, "mse", REFIT, READ),
            figure="impairments",
            **shared,
        ),
    ]


def at_most_loops(column: str, policy: str, other: str, tables: Tables) -> list[float]:
    """Return, per seed, the relative change of a column with the most loops."""
    rows = tables["contention"]
    return _change(rows[rows["loops"] == rows["loops"].max()], column, policy, other)


def at_highest_loss(column: str, policy: str, other: str, tables: Tables) -> list[float]:
    """Return, per seed, the relative change of a column at the highest loss, without delay."""
    rows = tables["impairments"]
    rows = rows[(rows["loss"] == rows["loss"].max()) & (rows["delay"] == rows["delay"].min())]
    if not rows["loss"].max() > 0:
        raise CannotTell("the run loses no messages")
    return _change(rows, column, policy, other)


def at_longest_delay(column: str, policy: str, other: str, tables: Tables) -> list[float]:
    """Return, per seed, the relative change of a column at the longest delay, without loss."""
    rows = tables["impairments"]
    rows = rows[(rows["delay"] == rows["delay"].max()) & (rows["loss"] == rows["loss"].min())]
    if not rows["delay"].max() > 0:
        raise CannotTell("the run delays no messages")
    return _change(rows, column, policy, other)


def _change(rows: pd.DataFrame, column: str, policy: str, other: str) -> list[float]:
    values = rows.pivot_table(index="seed", columns="policy", values=column)
    return (values[policy] / values[other] - 1).tolist()
