"""What can be said of ranks inside SLAI: questions of ours, as no paper combines the two."""

from schedlab.lab.claims import Claim, Estimator, Tables
from schedlab.ranking.claims.served import rows_of

SLAI, ALONE = "SLAI (SPF)", "Ranking alone"
INSIDE, WHOLE = "SLAI, ranked prompts", "SLAI, ranked prompts and decodes"
SOURCE = "a combination of two papers, in neither"


def slai_claims(rates: list[float], limits_s: dict[str, float]) -> list[Claim]:
    """Return what the stage can decide.

    Parameters
    ----------
    rates
        Arrival rates to compare at, requests/s.
    limits_s
        Time between tokens that each class of users was promised, s.
    """

    def change(metric: str, treated: str, baseline: str) -> Estimator:
        return compared(metric, treated, baseline, rates)

    lower = {"unit": "relative", "holds_to": 0.0, "null": 0.0, "source": SOURCE}
    return [
        Claim(
            id="ranking/slai-latency",
            sentence="Ranks in place of prompt lengths lower SLAI's mean latency per token",
            estimator=change("latency_mean", INSIDE, SLAI),
            figure="slai",
            **lower,
        ),
        Claim(
            id="ranking/slai-median-ttft",
            sentence="They lower its median time to the first token too",
            estimator=change("ttft_p50_s", INSIDE, SLAI),
            figure="slai",
            **lower,
        ),
        Claim(
            id="ranking/slai-decodes",
            sentence="Ranks among the decodes as well lower the mean latency further",
            estimator=change("latency_mean", WHOLE, INSIDE),
            figure="slai",
            **lower,
        ),
        Claim(
            id="ranking/slai-waiting",
            sentence="Inside SLAI longest waits are shorter on average than under ranking alone",
            estimator=change("waiting_mean_s", INSIDE, ALONE),
            figure="slai",
            **lower,
        ),
        Claim(
            id="ranking/slai-limits",
            sentence="With ranked prompts SLAI still keeps the 99th percentile of every class's "
            "time between tokens within its limit",
            source=SOURCE,
            estimator=_most_over_limit(INSIDE, limits_s, rates),
            unit="of the limit",
            holds_to=1.0,
            figure="slai",
        ),
        Claim(
            id="ranking/alone-breaks-limits",
            sentence="Ranking alone keeps some users waiting between tokens for longer than their "
            "limit in more than 1 % of cases",
            source=SOURCE,
            estimator=_most_over_limit(ALONE, limits_s, rates),
            unit="of the limit",
            holds_from=1.0,
            figure="slai",
        ),
    ]


def compared(metric: str, treated: str, baseline: str, rates: list[float]) -> Estimator:
    """Return an estimator of treated / baseline - 1, the mean over rates."""

    def measure(tables: Tables) -> list[float]:
        changes = []
        for rate in rates:
            arms = [rows_of(tables, "slai", s, rate=rate)[metric] for s in (treated, baseline)]
            changes.append(arms[0] / arms[1] - 1)
        return (sum(changes) / len(changes)).tolist()

    return measure


def _most_over_limit(label: str, limits_s: dict[str, float], rates: list[float]) -> Estimator:
    """Return an estimator of the largest p99 of TBT over its limit, over rates and classes."""

    def measure(tables: Tables) -> list[float]:
        shares = [
            rows_of(tables, "slai", label, rate=rate)[f"tbt_p99_{name}_s"] / limit
            for rate in rates
            for name, limit in limits_s.items()
        ]
        return [max(values) for values in zip(*shares, strict=True)]

    return measure
