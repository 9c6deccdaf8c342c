"""What the paper claims of SLAI against Sarathi-Serve, and what the load sweep says to it.

Figures are those of *Optimal Scheduling Algorithms for LLM Inference: Theory and Practice*
(Bari, Hegde, de Veciana; arXiv 2508.01002): the abstract gives two, its plots directions.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import inf

import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables

VLLM = "vLLM"
SARATHI_FCFS = "Sarathi-Serve (FCFS)"
SARATHI_SPF = "Sarathi-Serve (SPF)"
SLAI_FCFS = "SLAI (FCFS, fixed 10)"
SLAI_SPF = "SLAI (SPF, fixed 10)"
SLAI = "SLAI (SPF, dynamic)"
SLAI_PRIORITY = "SLAI (SPF with priority, dynamic)"
OFFSET = "SLAI (offset {:g})"

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
        estimator = partial_on_tables(relative_change, "ttft_p50_s", treated, baseline, rates)
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
            estimator=partial_on_tables(
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
            estimator=partial_on_tables(worst_tbt, users, (SLAI_FCFS, SLAI_SPF, SLAI)),
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
        estimator=partial_on_tables(worst_tbt, "free", (VLLM,)),
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
        estimator=partial_on_tables(relative_change, "ttft_p50_s", label, SARATHI_FCFS, rates),
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
    arms = [_arm(rows, label).set_index(["seed", "rate"])[metric] for label in (treated, baseline)]
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
    arms = pd.concat([_arm(rows, label) for label in labels])
    return arms.groupby("seed")["tbt_p99_s"].max().tolist()


def offset_claims(limits_s: dict[str, float], blocks: int, scarce_blocks: int) -> list[Claim]:
    """Return what can be said of SLAI's offset and of user priority.

    The paper's own text on the offset was not found; two readers report it, and what they report
    is asked here without a figure.

    Parameters
    ----------
    limits_s
        TBT limit of each class of users, s.
    blocks, scarce_blocks
        KV-cache blocks of the two machines.
    """
    source = "discussion of the offset, as readers of the paper report it"

    def change(metric: str, treated: str, baseline: str, **where: object) -> Estimator:
        return partial_on_tables(relative_change, metric, treated, baseline, **where)

    upward = {"unit": "relative", "holds_from": 0.0, "null": 0.0}
    return [
        Claim(
            id="serving/larger-offset-raises-ttft",
            sentence="A larger offset favours decodes: from 5 to 20 the median TTFT rises",
            source=source,
            estimator=change(
                "ttft_p50_s", OFFSET.format(20), OFFSET.format(5), table="offsets", blocks=blocks
            ),
            figure="offset-ttft",
            **upward,
        ),
        Claim(
            id="serving/no-offset-breaks-tbt",
            sentence="Without an offset the 99th percentile of TBT of free users exceeds "
            f"{limits_s['free']:g} s",
            source=source,
            estimator=partial_on_tables(
                worst_tbt, "free", (OFFSET.format(0),), table="offsets", blocks=blocks
            ),
            unit="s",
            holds_from=limits_s["free"],
            figure="offset-tbt",
        ),
        Claim(
            id="serving/large-offset-is-sarathi",
            sentence="With an offset of 20 every decode is due at once and SLAI's mean TTFT is "
            "Sarathi-Serve's, shortest prompts first",
            source="consequence of eq. (8)",
            estimator=change(
                "ttft_mean_s", OFFSET.format(20), SARATHI_SPF, table="offsets", blocks=blocks
            ),
            unit="relative",
            holds_from=0.0,
            holds_to=0.0,
            figure="offset-ttft",
        ),
        Claim(
            id="serving/over-deferral",
            sentence="With scarce memory a small offset holds blocks so long that the mean TTFT "
            "exceeds Sarathi-Serve's",
            source=source,
            estimator=change(
                "ttft_mean_s", OFFSET.format(0), SARATHI_FCFS, table="offsets", blocks=scarce_blocks
            ),
            figure="offset-ttft",
            **upward,
        ),
        Claim(
            id="serving/priority-serves-paying-users",
            sentence="User priority lowers the paying users' median TTFT near capacity",
            source="median TTFT of paying users against load (figure)",
            estimator=change("ttft_p50_s", SLAI_PRIORITY, SLAI, table="priority", users="paying"),
            unit="relative",
            holds_to=0.0,
            null=0.0,
            figure="priority",
        ),
    ]


def partial_on_tables(
    measure: Callable[..., list[float]], *args: object, **where: object
) -> Estimator:
    """Return an estimator that calls ``measure`` with the stage's tables."""
    return lambda tables: measure(*args, **where, tables=tables)


def capacity_gain(tables: Tables) -> list[float]:
    """Return, per seed, SLAI's capacity over that of Sarathi-Serve, minus 1."""
    arms = [_arm(tables["capacity"], label).set_index("seed") for label in (SLAI, SARATHI_FCFS)]
    if any((arm["limited_by"] == "right").any() for arm in arms):
        raise CannotTell("the objective still held at the highest rate that was searched")
    return (arms[0]["capacity"] / arms[1]["capacity"] - 1).tolist()


def _arm(table: pd.DataFrame, label: str) -> pd.DataFrame:
    arm = table[table["scheduler"] == label]
    if arm.empty:
        raise CannotTell(f"the run has no scheduler labelled {label!r}")
    return arm
