"""When a coarser grid pays, and what tuning brings."""

from collections.abc import Sequence

from schedlab.lab.claims import CannotTell, Claim, Tables
from schedlab.microcontrollers.claims.estimators import PREDICTED
from schedlab.microcontrollers.claims.labels import COARSE


def tuner_claims() -> list[Claim]:
    """Return the claims about grids."""
    return [
        Claim(
            id="microcontrollers/fine-grid-is-free",
            sentence="Where hand-overs cost nothing, no coarser grid is more than 1 % faster",
            source=PREDICTED,
            estimator=gain_without_overhead,
            unit="relative",
            holds_to=0.01,
            figure="crossover",
        ),
        Claim(
            id="microcontrollers/coarse-grid-pays",
            sentence="Where hand-overs cost most, the coarser grid is faster",
            source=PREDICTED,
            estimator=gain_with_overhead,
            unit="relative",
            holds_from=0.0,
            null=0.0,
            figure="crossover",
        ),
    ]


def gain_without_overhead(tables: Tables) -> Sequence[float]:
    """Return, per seed, the most that a coarse grid saves at the cheapest hand-over."""
    return _gain(tables, "min", "max")


def gain_with_overhead(tables: Tables) -> Sequence[float]:
    """Return, per seed, the mean that a coarse grid saves at the dearest hand-over."""
    return _gain(tables, "max", "mean")


def _gain(tables: Tables, overhead: str, summary: str) -> Sequence[float]:
    table = tables["crossover"]
    rows = table[table["grid"].isin(COARSE)]
    rows = rows[rows["job_cycles"] == rows["job_cycles"].agg(overhead)]
    if rows.empty:
        raise CannotTell("no network of the run has a coarser grid")
    return (-rows["over_default"]).groupby(rows["seed"]).agg(summary).tolist()
