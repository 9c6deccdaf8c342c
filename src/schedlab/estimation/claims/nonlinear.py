"""What joint learning does where no optimum is known."""

from functools import partial

import pandas as pd

from schedlab.estimation.experiment.nonlinear import BLIND, FILTERED, LLOYD, ZERO
from schedlab.lab.claims import CannotTell, Claim, Tables

SOURCE = "abstract (case studies on several benchmarks); reconstruction of CALM"
NAMES = {
    "van_der_pol": "the Van der Pol oscillator",
    "pendulum": "the pendulum",
    "unicycle": "the unicycle",
    "lorenz": "the Lorenz system",
}


def nonlinear_claims() -> list[Claim]:
    """Return two claims per plant, and one on how much is left for a filter."""
    shared = {
        "source": SOURCE,
        "unit": "relative",
        "null": 0.0,
        "holds_to": 0.0,
        "figure": "nonlinear-costs",
        "scales": ("laptop", "paper"),
        "reconstruction": True,
    }
    gains = [
        Claim(
            id=f"estimation/{name.replace('_', '-')}-joint-gain-{start}",
            sentence=f"On {words} learning both sides from a {start} start costs less than "
            "learning the scheduler for a receiver that takes silence for missing data",
            estimator=partial(change, name, policy, BLIND),
            **shared,
        )
        for name, words in NAMES.items()
        for start, policy in (("zero", ZERO), ("lloyd", LLOYD))
    ]
    filtered = Claim(
        id="estimation/filter-adds-little",
        sentence="A particle filter that knows the learned scheduler lowers the cost of the "
        "pairs learned from a zero start by less than 5 %, over all nonlinear plants",
        source=SOURCE,
        estimator=partial(mean_change, FILTERED.format(ZERO), ZERO),
        unit="relative",
        holds_from=-0.05,
        figure="nonlinear-costs",
        scales=("laptop", "paper"),
        reconstruction=True,
    )
    return [*gains, filtered]


def change(name: str, policy: str, other: str, tables: Tables) -> list[float]:
    """Return, per seed, a policy's cost relative to another's on one plant."""
    rows = tables["costs"]
    rows = rows[rows["system"] == name]
    if rows.empty:
        raise CannotTell(f"the run has no {NAMES[name]}")
    costs = rows.pivot_table(index="seed", columns="policy", values="cost")
    return (costs[policy] / costs[other] - 1).tolist()


def mean_change(policy: str, other: str, tables: Tables) -> list[float]:
    """Return, per seed, the mean over plants of a relative change."""
    names = dict.fromkeys(tables["costs"]["system"])
    changes = [pd.Series(change(name, policy, other, tables)) for name in names]
    return pd.concat(changes, axis=1).mean(axis=1).tolist()
