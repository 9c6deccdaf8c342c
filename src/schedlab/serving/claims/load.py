"""What the paper claims of SLAI against Sarathi-Serve, and what the load sweep says to it.

Figures are those of *Optimal Scheduling Algorithms for LLM Inference: Theory and Practice*
(Bari, Hegde, de Veciana; arXiv 2508.01002): the abstract gives two, its plots directions.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf

from schedlab.lab.claims import CannotTell, Claim, Tables
from schedlab.serving.claims.estimators import arm_of, on_tables, relative_change, worst_tbt
from schedlab.serving.claims.labels import (
    SARATHI_FCFS,
    SARATHI_SPF,
    SLAI,
    SLAI_FCFS,
    SLAI_SPF,
    VLLM,
)

LIKE_THE_PAPERS = ("slai-fit", "sharegpt4-8k-llama2")
"""Lengths on which the paper's figures can be asked for: its own trace, and the fit to it."""


def load_claims(
    *, workload: str, near_capacity: Sequence[float], limits_s: dict[str, float], own: Iterable[str]
) -> list[Claim]:
    """Return the claims that one load sweep can decide.

    Parameters
    ----------
    workload
        Set of request lengths. On other lengths than the paper's the claims are questions of
        transfer, without a published figure.
    near_capacity
        Rates at which schedulers are compared, requests/s.
    limits_s
        TBT limit of each class of users, s.
    own
        Labels of schedulers that are not published; each gets a row of its own.
    """
    rates = tuple(near_capacity)
    claims = [
        *_latency_claims(rates),
        *_limit_claims(limits_s),
        _capacity_claim(),
        *[_own_claim(label, rates) for label in own],
    ]
    if workload in LIKE_THE_PAPERS:
        return claims
    return [_transferred(claim, workload) for claim in claims]


def _latency_claims(rates: tuple[float, ...]) -> list[Claim]:
    def lower(
        name: str, sentence: str, source: str, treated: str, baseline: str, **more: object
    ) -> Claim:
        estimator = on_tables(relative_change, "ttft_p50_s", treated, baseline, rates)
        return Claim(
            id=f"serving/{name}",
            sentence=sentence,
            source=source,
            estimator=estimator,
            unit="relative",
            **({"holds_to": 0.0, "null": 0.0, "figure": "ttft-against-load"} | more),
        )

    figures = "median TTFT against load (figures)"
    return [
        lower(
            "slai-median-ttft",
            "Near capacity SLAI lowers the median TTFT against Sarathi-Serve",
            "abstract",
            SLAI,
            SARATHI_FCFS,
            published=-0.53,
            holds_from=-0.70,
            holds_to=-0.35,
        ),
        lower(
            "dynamic-offset-helps",
            "The dynamic offset lowers SLAI's median TTFT against a fixed offset of 10",
            figures,
            SLAI,
            SLAI_SPF,
        ),
        lower(
            "slai-spf-below-sarathi-spf",
            "With shortest prompts first on both sides, SLAI's median TTFT is the lower",
            figures,
            SLAI_SPF,
            SARATHI_SPF,
        ),
        lower(
            "slai-fcfs-below-sarathi-fcfs",
            "With first come first served on both sides, SLAI's median TTFT is the lower",
            figures,
            SLAI_FCFS,
            SARATHI_FCFS,
        ),
        Claim(
            id="serving/spf-costs-the-tail",
            sentence="Shortest prompts first raises the 99th percentile of TTFT near capacity",
            source="p99 TTFT against load (figure)",
            estimator=on_tables(
                relative_change, "ttft_p99_s", SARATHI_SPF, SARATHI_FCFS, rates[-1:]
            ),
            unit="relative",
            holds_from=0.0,
            null=0.0,
            figure="ttft-tail-against-load",
        ),
    ]


def _limit_claims(limits_s: dict[str, float]) -> list[Claim]:
    kept = [
        Claim(
            id=f"serving/slai-keeps-tbt-{users}",
            sentence=f"SLAI keeps the 99th percentile of TBT of {users} users to {limit:g} s",
            source="abstract; p99 TBT against load (figures)",
            estimator=on_tables(worst_tbt, users, (SLAI_FCFS, SLAI_SPF, SLAI)),
            unit="s",
            holds_to=limit,
            figure="tbt-against-load",
        )
        for users, limit in limits_s.items()
    ]
    broken = Claim(
        id="serving/vllm-breaks-tbt",
        sentence="vLLM's whole prompts push the 99th percentile of TBT of free users past "
        f"{limits_s['free']:g} s",
        source="p99 TBT against load (figures)",
        estimator=on_tables(worst_tbt, "free", (VLLM,)),
        unit="s",
        holds_from=limits_s["free"],
        figure="tbt-against-load",
    )
    return [*kept, broken]


def _capacity_claim() -> Claim:
    return Claim(
        id="serving/slai-capacity",
        sentence="SLAI carries more load than Sarathi-Serve at a median TTFT below 0.5 s",
        source="abstract",
        estimator=capacity_gain,
        published=0.26,
        unit="relative",
        holds_from=0.15,
        holds_to=0.35,
        null=0.0,
        figure="capacity",
    )


def _own_claim(label: str, rates: tuple[float, ...]) -> Claim:
    return Claim(
        id=f"serving/own-{_slug(label)}-median-ttft",
        sentence=f"{label} has a lower median TTFT than Sarathi-Serve near capacity",
        source="not published: a scheduler of one's own",
        estimator=on_tables(relative_change, "ttft_p50_s", label, SARATHI_FCFS, rates),
        unit="relative",
        holds_to=0.0,
        null=0.0,
        figure="ttft-against-load",
    )


def _transferred(claim: Claim, data: str) -> Claim:
    """Return the claim as a question to other data: its direction or limit, without a figure."""
    direction = {}
    if claim.null is not None:
        ends = (-inf, claim.null) if claim.side < 0 else (claim.null, inf)
        direction = dict(zip(("holds_from", "holds_to"), ends, strict=True))
    return replace(
        claim,
        id=f"{claim.id}-{_slug(data)}",
        sentence=f"{claim.sentence}, on {data}",
        source=f"{claim.source}; transferred to {data}",
        published=None,
        **direction,
    )


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def capacity_gain(tables: Tables) -> list[float]:
    """Return, per seed, SLAI's capacity over that of Sarathi-Serve, minus 1."""
    arms = [arm_of(tables["capacity"], label).set_index("seed") for label in (SLAI, SARATHI_FCFS)]
    if any((arm["limited_by"] == "right").any() for arm in arms):
        raise CannotTell("the objective still held at the highest rate that was searched")
    return (arms[0]["capacity"] / arms[1]["capacity"] - 1).tolist()
