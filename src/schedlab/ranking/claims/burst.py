"""What the paper claims of requests that are all there at the beginning."""

from schedlab.lab.claims import Claim, Tables
from schedlab.ranking.claims.labels import CLASSES, FCFS, MLFQ, PERCEPTION, RANKING, SRTF
from schedlab.ranking.claims.served import ratio, value, worst

PLACES = [(model, trace) for model in ("8B", "70B") for trace in ("ShareGPT", "LMSYS")]


def burst_claims() -> list[Claim]:
    """Return what the burst stage can decide."""
    return [
        *_example_claims(),
        *_ratio_claims(),
        *_order_claims(),
        *_preemption_claims(),
        *_data_set_claims(),
        *_overhead_claims(),
    ]


def _example_claims() -> list[Claim]:
    return [
        Claim(
            id=f"ranking/figure-1-{name}",
            sentence=f"Three requests of 10, 2 and 1 tokens, one slot: {words} takes {exact:.2f} "
            "s/token on average",
            source="figure 1",
            estimator=value("latency_mean", scheduler, table="example"),
            published=exact,
            unit="s/token",
            holds_from=exact - 1e-9,
            holds_to=exact + 1e-9,
        )
        for name, words, scheduler, exact in (
            ("fcfs", "first come first served", "FCFS", 20 / 3),
            ("shortest", "shortest first", "Shortest first", 3.8 / 3),
        )
    ]


def _ratio_claims() -> list[Claim]:
    cases = (  # trace, metric, published, at least
        ("ShareGPT", "latency_mean", 1.15 / 0.56, 1.8),
        ("LMSYS", "latency_mean", 1.73 / 0.38, 3.0),
        ("ShareGPT", "latency_p90", 1.60 / 0.67, 1.8),
        ("LMSYS", "latency_p90", 4.86 / 0.52, 4.0),
    )
    words = {"latency_mean": "mean latency", "latency_p90": "90th percentile of latency"}
    return [
        Claim(
            id=f"ranking/burst-{trace.lower()}-{metric.removeprefix('latency_')}",
            sentence=f"In a burst of {trace} requests FCFS has {least:g} times the {words[metric]} "
            "of ranking, or more",
            source="table 1, Llama-3-8B",
            estimator=ratio(metric, FCFS, RANKING, table="burst", model="8B", trace=trace),
            published=published,
            unit="times",
            holds_from=least,
            null=1.0,
            figure="burst",
        )
        for trace, metric, published, least in cases
    ]


def _order_claims() -> list[Claim]:
    return [
        Claim(
            id="ranking/burst-order",
            sentence="True lengths never do worse than ranking, and ranking never worse than FCFS, "
            "for either model and trace, on any seed",
            source="tables 1 and 3, figure 2a",
            estimator=ordered,
            unit="of seeds",
            holds_from=1.0,
            holds_to=1.0,
            figure="burst",
        ),
        Claim(
            id="ranking/batch-bounds",
            sentence="No batch of any policy has more than 256 requests, 768 tokens or the blocks "
            "that there are",
            source="settings of the authors' experiments",
            estimator=least_within_bounds,
            unit="of batches",
            holds_from=1.0,
            holds_to=1.0,
        ),
        Claim(
            id="ranking/burst-classes",
            sentence="Ten classes of 820 tokens leave the mean latency within 20 % of FCFS",
            source="table 1",
            estimator=worst(
                [
                    ratio("latency_mean", CLASSES, FCFS, table="burst", model="8B", trace=trace)
                    for trace in ("ShareGPT", "LMSYS")
                ],
                farthest_from_one,
            ),
            unit="times",
            holds_from=0.8,
            holds_to=1.2,
            figure="burst",
        ),
    ]


def _preemption_claims() -> list[Claim]:
    def slowest(over: str, under: str) -> object:
        every = [
            ratio("latency_mean", over, under, table="burst", model=model, trace=trace)
            for model, trace in PLACES
        ]
        return worst(every)

    lower = {"unit": "times", "holds_to": 1.0, "null": 1.0, "figure": "burst"}
    return [
        Claim(
            id="ranking/burst-mlfq",
            sentence="Ranking has a lower mean latency than MLFQ, for either model and trace",
            source="table 1",
            estimator=slowest(RANKING, MLFQ),
            **lower,
        ),
        Claim(
            id="ranking/burst-perception",
            sentence="Ranking has a lower mean latency than Perception Only, for either model and "
            "trace",
            source="table 1; direction only, as swapping costs decide the size",
            estimator=slowest(RANKING, PERCEPTION),
            **lower,
        ),
    ]


def least_within_bounds(tables: Tables) -> list[float]:
    """Return, per seed, the smallest share of batches within their bounds over all runs."""
    return tables["burst"].groupby("seed")["within_bounds"].min().tolist()


def ordered(tables: Tables) -> list[float]:
    """Return, per seed, whether SRTF <= ranking <= FCFS in mean latency for all runs."""
    means = tables["burst"].pivot_table(
        index=["seed", "model", "trace"], columns="scheduler", values="latency_mean"
    )
    holds = (means[SRTF] <= means[RANKING]) & (means[RANKING] <= means[FCFS])
    return holds.groupby("seed").all().astype(float).tolist()


def farthest_from_one(values: tuple[float, ...]) -> float:
    """Return the value that is farthest from 1."""
    return max(values, key=lambda each: abs(each - 1))


def _data_set_claims() -> list[Claim]:
    cases = (("LMSYS", 197.38 / 30.48, 2.5), ("ShareGPT", 343.29 / 143.18, 1.4))
    claims = [
        Claim(
            id=f"ranking/data-set-{trace.lower()}",
            sentence=f"Generating a data set from {trace} prompts, FCFS takes {least:g} times as "
            "long as ranking to the first tenth, or more, scoring included",
            source="table 2, Llama-3-8B",
            estimator=ratio("first_s", FCFS, RANKING, table="data_set", model="8B", trace=trace),
            published=published,
            unit="times",
            holds_from=least,
            null=1.0,
        )
        for trace, published, least in cases
    ]
    spread = [
        ratio("makespan_s", label, FCFS, table="data_set", model=model, trace=trace)
        for label in (RANKING, CLASSES)
        for model, trace in PLACES
    ]
    return [
        *claims,
        Claim(
            id="ranking/data-set-makespan",
            sentence="The whole data set takes the same time to 8 % under FCFS, classes and "
            "ranking",
            source="work conservation",
            estimator=worst(spread, farthest_from_one),
            unit="times",
            holds_from=0.92,
            holds_to=1.08,
        ),
    ]


def _overhead_claims() -> list[Claim]:
    def largest(model: str) -> object:
        traces = ("ShareGPT", "LMSYS")
        return worst([value("share", None, table="overhead", model=model, trace=t) for t in traces])

    return [
        Claim(
            id=f"ranking/predictor-overhead-{model.lower()}",
            sentence=f"The predictor of Llama-3-{model} takes at most 2 % of the time",
            source="table 4",
            estimator=largest(model),
            published=published,
            unit="of the time",
            holds_to=0.02,
        )
        for model, published in (("8B", 0.0111), ("70B", 0.0169))
    ]
