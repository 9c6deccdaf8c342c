"""What can be said of ranks inside SLAI: questions of ours, as no paper combines the two."""

from collections.abc import Mapping, Sequence

import pandas as pd

from schedlab.lab.claims import Claim, Estimator, Tables
from schedlab.ranking.claims.served import rows_of

SLAI, ALONE = "SLAI (SPF)", "Ranking alone"
INSIDE, WHOLE = "SLAI, ranked prompts", "SLAI, ranked prompts and decodes"
SOURCE = "a combination of two papers, in neither"

Rates = Mapping[str, Sequence[float]]


def slai_claims(rates: Rates, limits_s: Mapping[str, float]) -> list[Claim]:
    """Return what the stage can decide.

    Parameters
    ----------
    rates
        Arrival rates of each load, requests/s; changes are means over them.
    limits_s
        Time between tokens that each class of users was promised, s.
    """
    return [
        claim
        for load, its_rates in rates.items()
        for claim in (*_change_claims(load, its_rates), *_limit_claims(load, its_rates, limits_s))
    ]


def _change_claims(load: str, rates: Sequence[float]) -> list[Claim]:
    cases = (  # name, what, metric, treated, baseline
        ("latency", "has a lower mean latency than SLAI", "latency_mean", INSIDE, SLAI),
        ("decodes", "gains more by ranked decodes too", "latency_mean", WHOLE, INSIDE),
        ("waits", "has shorter longest waits than ranking alone", "waiting_mean_s", INSIDE, ALONE),
    )
    claims = [
        Claim(
            id=f"ranking/slai-{name}-{_slug(load)}",
            sentence=f"With {load}, SLAI with ranked prompts {what}",
            source=SOURCE,
            estimator=compared(metric, treated, baseline, load, rates),
            unit="relative",
            holds_to=0.0,
            null=0.0,
            figure="slai",
        )
        for name, what, metric, treated, baseline in cases
    ]
    keeps = Claim(
        id=f"ranking/slai-promises-{_slug(load)}",
        sentence=f"With {load}, SLAI with ranked prompts keeps more promises than SLAI",
        source=SOURCE,
        estimator=compared("attainment", INSIDE, SLAI, load, rates, relative=False),
        unit="of requests",
        holds_from=0.0,
        null=0.0,
        figure="slai",
    )
    return [*claims, keeps]


def _limit_claims(load: str, rates: Sequence[float], limits_s: Mapping[str, float]) -> list[Claim]:
    arms = (
        ("inside", INSIDE, "SLAI with ranked prompts keeps", {"holds_to": 1.0}),
        ("alone", ALONE, "ranking alone does not keep", {"holds_from": 1.0}),
    )
    return [
        Claim(
            id=f"ranking/slai-limits-{name}-{_slug(load)}",
            sentence=f"With {load}, {words} every class's 99th percentile of the time between "
            "tokens within its limit",
            source=SOURCE,
            estimator=most_over_limit(label, load, rates, limits_s),
            unit="of the limit",
            figure="slai",
            **holds,
        )
        for name, label, words, holds in arms
    ]


def _slug(load: str) -> str:
    return load.replace(" ", "-")


def compared(
    metric: str,
    treated: str,
    baseline: str,
    load: str,
    rates: Sequence[float],
    *,
    relative: bool = True,
) -> Estimator:
    """Return an estimator of the change from a baseline, the mean over rates."""

    def change(tables: Tables, rate: float) -> pd.Series:
        ours, theirs = (
            rows_of(tables, "slai", label, load=load, rate=rate)[metric]
            for label in (treated, baseline)
        )
        return ours / theirs - 1 if relative else ours - theirs

    def measure(tables: Tables) -> list[float]:
        return (sum(change(tables, rate) for rate in rates) / len(rates)).tolist()

    return measure


def most_over_limit(
    label: str, load: str, rates: Sequence[float], limits_s: Mapping[str, float]
) -> Estimator:
    """Return an estimator of the largest p99 of TBT over its limit, over rates and classes."""

    def measure(tables: Tables) -> list[float]:
        shares = [
            rows_of(tables, "slai", label, load=load, rate=rate)[f"tbt_p99_{name}_s"] / limit
            for rate in rates
            for name, limit in limits_s.items()
        ]
        return [max(values) for values in zip(*shares, strict=True)]

    return measure
