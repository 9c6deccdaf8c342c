"""What the paper's theory says of routing, and what it leaves to latency."""

import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Tables
from schedlab.serving.claims.estimators import on_tables


def routing_claims() -> list[Claim]:
    """Return what runs of a fleet can decide."""
    return [
        Claim(
            id="serving/routing-does-not-move-capacity",
            sentence="Beyond capacity a random planner serves as many tokens/s as the one that "
            "knows every backlog, to 5 %",
            source="Theorem 2",
            estimator=on_tables(compare, "tokens_per_s", "Random", "Shortest backlog"),
            unit="relative",
            holds_from=-0.05,
            holds_to=0.05,
            figure="routing",
        ),
        Claim(
            id="serving/routing-moves-latency",
            sentence="Below capacity a random planner costs mean TTFT against least outstanding",
            source="expected from queueing theory, not stated in the paper",
            estimator=on_tables(compare, "ttft_mean_s", "Random", "Least outstanding"),
            unit="relative",
            holds_from=0.0,
            null=0.0,
            figure="routing",
        ),
    ]


def compare(metric: str, treated: str, baseline: str, *, tables: Tables) -> list[float]:
    """Return, per seed, treated / baseline - 1: throughput at the highest rate, else the lowest."""
    rows = tables["routing"]
    rows = rows[rows["class"] == "all"]
    rate = rows["rate"].max() if metric == "tokens_per_s" else rows["rate"].min()
    arms = [_at(rows, label, rate)[metric] for label in (treated, baseline)]
    return (arms[0] / arms[1] - 1).tolist()


def _at(rows: pd.DataFrame, label: str, rate: float) -> pd.DataFrame:
    found = rows[(rows["router"] == label) & (rows["rate"] == rate)]
    if found.empty:
        raise CannotTell(f"the run has no router labelled {label!r}")
    return found.set_index("seed")
