"""What the paper claims of requests that arrive over time."""

import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Tables
from schedlab.ranking.claims.labels import CONTROLLED, FCFS, MLFQ, PERCEPTION, RANKING
from schedlab.ranking.claims.served import ratio, worst

TRACES = ("ShareGPT", "LMSYS")
CONTROL = CONTROLLED.format(200, 10)
"""The only T and q that the authors' scripts name."""


def rates_claims() -> list[Claim]:
    """Return what the rates stage can decide."""
    return [*_load_claims(), *_starvation_claims(), *_queue_claims()]


def _load_claims() -> list[Claim]:
    def at(rate: float, over: str, under: str, trace: str) -> object:
        return ratio("latency_mean", over, under, table="rates", rate=rate, trace=trace)

    high = (("LMSYS", 5.61 / 0.78, 4.0), ("ShareGPT", 3.94 / 1.58, 1.7))
    claims = [
        Claim(
            id=f"ranking/rate-64-{trace.lower()}",
            sentence=f"At 64 requests/s of {trace} FCFS has {least:g} times the mean latency of "
            "ranking, or more",
            source="figure 3, Llama-3-8B, digitised",
            estimator=at(64.0, FCFS, RANKING, trace),
            published=published,
            unit="times",
            holds_from=least,
            null=1.0,
            figure="rates",
        )
        for trace, published, least in high
    ]
    for name, label in (("mlfq", MLFQ), ("perception", PERCEPTION)):
        claims.append(
            Claim(
                id=f"ranking/rate-64-{name}",
                sentence=f"At 64 requests/s {label} has a higher mean latency than ranking, on "
                "either trace",
                source="figure 3; direction only, as swapping costs decide the size",
                estimator=worst([at(64.0, label, RANKING, trace) for trace in TRACES], min),
                unit="times",
                holds_from=1.0,
                null=1.0,
                figure="rates",
            )
        )
    low = [at(rate, RANKING, FCFS, trace) for rate in (2.0, 4.0) for trace in TRACES]
    return [
        *claims,
        Claim(
            id="ranking/rate-low",
            sentence="At 2 and 4 requests/s ranking and FCFS have the same mean latency, to 5 %",
            source="figure 3: all policies coincide below 8 requests/s",
            estimator=worst(low, lambda values: max(values, key=lambda each: abs(each - 1))),
            unit="times",
            holds_from=0.95,
            holds_to=1.05,
            figure="rates",
        ),
    ]


def _starvation_claims() -> list[Claim]:
    def at(metric: str, over: str, under: str, trace: str, rate: float = 32.0) -> object:
        return ratio(metric, over, under, table="starvation", trace=trace, rate=rate)

    claims = [
        Claim(
            id=f"ranking/starvation-{trace.lower()}",
            sentence=f"At 32 requests/s of {trace} starvation control (T = 200, q = 10) divides "
            "the mean of the longest waits by 1.8 or more",
            source="figure 5, Llama-3-70B: up to",
            estimator=at("waiting_mean_s", RANKING, CONTROL, trace),
            published=published,
            unit="times",
            holds_from=1.8,
            null=1.0,
            figure="starvation",
        )
        for trace, published in (("LMSYS", 3.4), ("ShareGPT", 3.3))
    ]
    costs = [
        at("latency_mean", CONTROL, RANKING, trace, rate)
        for trace in TRACES
        for rate in (16.0, 32.0)
    ]
    return [
        *claims,
        Claim(
            id="ranking/starvation-cost-lmsys",
            sentence="At 32 requests/s of LMSYS that costs at most 25 % of mean latency",
            source="figures 4 and 5, Llama-3-70B",
            estimator=at("latency_mean", CONTROL, RANKING, "LMSYS"),
            unit="times",
            holds_to=1.25,
            figure="starvation",
        ),
        Claim(
            id="ranking/starvation-cost",
            sentence="It never costs more than 30 % of mean latency, at 16 and 32 requests/s of "
            "either trace",
            source="section 5 on figures 4 and 5, Llama-3-70B",
            estimator=worst(costs),
            unit="times",
            holds_to=1.3,
            figure="starvation",
        ),
    ]


def _queue_claims() -> list[Claim]:
    source = "what users of such schedulers report, not the paper"
    return [
        Claim(
            id="ranking/no-queue-no-gain",
            sentence="Where on average less than one request waits under FCFS, ranking changes the "
            "mean latency by at most 5 %",
            source=source,
            estimator=gain_without_queue,
            unit="times",
            holds_from=0.95,
            holds_to=1.05,
            figure="queue-depth",
        ),
        Claim(
            id="ranking/queue-brings-gain",
            sentence="The gain grows with the mean number of waiting requests",
            source=source,
            estimator=rank_correlation,
            unit="Spearman correlation",
            holds_from=0.8,
            null=0.0,
            figure="queue-depth",
        ),
    ]


def gain_without_queue(tables: Tables) -> list[float]:
    """Return, per seed, the gain farthest from 1 among runs in which hardly anybody waits."""
    rows = tables["queue_depth"]
    rows = rows[rows["queue"] < 1]
    if rows.empty:
        raise CannotTell("requests wait in every run; lower the rates or raise the slots")
    farthest = (rows["gain"] - 1).abs().groupby(rows["seed"]).idxmax()
    return rows.loc[farthest, "gain"].tolist()


def rank_correlation(tables: Tables) -> list[float]:
    """Return, per seed, Spearman's correlation of the gain with the queue, the mean over traces."""
    rows: pd.DataFrame = tables["queue_depth"]
    found = rows.groupby(["seed", "trace"]).apply(
        lambda part: part["queue"].corr(part["gain"], method="spearman"), include_groups=False
    )
    return found.groupby("seed").mean().tolist()
