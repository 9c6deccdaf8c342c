"""Error against rate, and the order of rules."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd

from schedlab.estimation.experiment.baselines import EXACT, at_rate
from schedlab.lab.claims import CannotTell, Claim, Tables

JOINT = EXACT["joint"]
EVENT_TRIGGERED = "event-triggered prediction"
ORDER = (JOINT, "myopic value", "stochastic trigger", "periodic", "always")
LEAST_DROP = {"S2": 0.70, "S3": 0.15}
OURS = "abstract (reading silence lowers the error); bound: reconstruction, exact best responses"


def baseline_claims(
    matched_rates: Mapping[str, Sequence[float]], own: Sequence[str] = ()
) -> list[Claim]:
    """Return the claims on error at equal rates and on the order of rules.

    Parameters
    ----------
    matched_rates
        Rates to compare at, by system.
    own
        Labels of schedulers of a user's own.
    """
    compared = [(name, rate) for name, rates in matched_rates.items() for rate in rates]
    return [
        *[_coincide(rate) for name, rate in compared if name == "S1"],
        *[_below(name, rate) for name, rate in compared if name in LEAST_DROP],
        _order(),
        *[_own(label) for label in own],
    ]


def _coincide(rate: float) -> Claim:
    return Claim(
        id=f"estimation/equal-rate-s1-{round(100 * rate)}",
        sentence=f"With normal noise (S1), at {rate:g} messages per step, the joint optimum and "
        "event-triggered prediction have the same error, to 3 %",
        source="symmetric thresholds are optimal (Lipsa and Martins, 2011)",
        estimator=partial(error_change, "S1", rate),
        unit="relative",
        holds_from=-0.03,
        holds_to=0.03,
        figure="error-against-rate",
        reconstruction=True,
    )


def _below(name: str, rate: float) -> Claim:
    least = LEAST_DROP[name]
    return Claim(
        id=f"estimation/equal-rate-{name.lower()}-{round(100 * rate)}",
        sentence=f"On {name}, at {rate:g} messages per step, the joint optimum has an error at "
        f"least {least:.0%} below event-triggered prediction",
        source=OURS,
        estimator=partial(error_change, name, rate),
        unit="relative",
        holds_to=-least,
        null=0.0,
        figure="error-against-rate",
        reconstruction=True,
    )


def _order() -> Claim:
    return Claim(
        id="estimation/order-of-rules",
        sentence="On S1 the costs rise from the optimum over myopic value, stochastic trigger and "
        "periodic to always: smallest relative step",
        source="reconstruction; closed forms",
        estimator=smallest_step,
        unit="relative",
        holds_from=0.0,
        null=0.0,
        figure="error-against-rate",
        reconstruction=True,
    )


def _own(label: str) -> Claim:
    slug = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    return Claim(
        id=f"estimation/own-{slug}-error",
        sentence=f"{label} has a lower error than event-triggered prediction at the same rate, "
        "over systems",
        source="not published: a scheduler of one's own",
        estimator=partial(own_change, label),
        unit="relative",
        holds_to=0.0,
        null=0.0,
        figure="error-against-rate",
    )


def error_change(name: str, rate: float, tables: Tables) -> list[float]:
    """Return, per seed, the joint optimum's error over event-triggered prediction's, minus 1."""
    rows = tables["matched"]
    rows = rows[(rows["system"] == name) & (rows["rate"] == rate)]
    wide = rows.pivot_table(index="seed", columns="scheduler", values="mse")
    if not {JOINT, EVENT_TRIGGERED} <= set(wide):
        raise CannotTell(f"no curve of {name} reaches a rate of {rate:g}")
    return (wide[JOINT] / wide[EVENT_TRIGGERED] - 1).tolist()


def smallest_step(tables: Tables) -> list[float]:
    """Return, per seed, the smallest relative rise from one rule to the next in the order."""
    wide = tables["ranking"].pivot_table(index="seed", columns="scheduler", values="cost")
    if absent := [label for label in ORDER if label not in wide]:
        raise CannotTell(f"the run has no scheduler labelled {absent[0]!r}")
    rises = [wide[after] / wide[before] - 1 for before, after in pairwise(ORDER)]
    return np.min(rises, axis=0).tolist()


def own_change(label: str, tables: Tables) -> list[float]:
    """Return, per seed, the mean over systems of a rule's error over event-triggered's, minus 1."""
    rows = tables["curves"]
    mine = rows[rows["scheduler"] == label]
    others = rows[rows["scheduler"] == EVENT_TRIGGERED]
    ratios = [
        row.mse / at_rate(_same(others, row.system, row.seed), row.rate) - 1
        for row in mine.itertuples()
    ]
    found = mine.assign(ratio=ratios).dropna(subset="ratio")
    if found.empty:
        raise CannotTell(f"{label} sends at rates that event-triggered prediction was not run at")
    return found.groupby("seed")["ratio"].mean().tolist()


def _same(rows: pd.DataFrame, name: str, seed: int) -> pd.DataFrame:
    return rows[(rows["system"] == name) & (rows["seed"] == seed)]
