"""What the paper claims of the value of a prediction."""

from scipy import stats

from schedlab.lab.claims import Claim, Estimator, Tables
from schedlab.ranking.claims.labels import FCFS
from schedlab.ranking.claims.served import ratio, rows_of


def worth_claims() -> list[Claim]:
    """Return what the stage on the value of a prediction can decide."""
    return [*_dial_claims(), *_shape_claims(), _real_claim()]


def _dial_claims() -> list[Claim]:
    return [
        Claim(
            id="ranking/tau-monotone",
            sentence="The better the order, measured by tau, the lower the mean latency",
            source="figure 2b",
            estimator=spearman,
            unit="Spearman correlation",
            holds_to=-0.95,
            null=0.0,
            figure="tau",
        ),
        Claim(
            id="ranking/tau-range",
            sentence="A perfect order has 0.2 to 0.45 times the mean latency of no order, in a "
            "burst of ShareGPT requests",
            source="figure 2b, read off",
            estimator=_dial(1.0, 0.0),
            published=0.39 / 1.26,
            unit="times",
            holds_from=0.2,
            holds_to=0.45,
            figure="tau",
        ),
    ]


def _shape_claims() -> list[Claim]:
    return [
        Claim(
            id="ranking/tau-insufficient",
            sentence="At the same tau, errors among the shortest 70 % cost 1.15 times the latency "
            "of errors among the longest 70 %, or more",
            source="section 6, limitations",
            estimator=_shapes("latency_mean", lambda short, long: short / long),
            published=1.8,
            unit="times",
            holds_from=1.15,
            null=1.0,
            figure="tau",
        ),
        Claim(
            id="ranking/tau-of-shapes",
            sentence="Both have the same tau, to 0.02",
            source="section 6, limitations",
            estimator=_shapes("tau_measured", lambda short, long: short - long),
            published=0.0,
            unit="difference",
            holds_from=-0.02,
            holds_to=0.02,
            figure="tau",
        ),
    ]


def _real_claim() -> Claim:
    return Claim(
        id="ranking/end-to-end",
        sentence="On real ShareGPT requests FCFS has 1.5 times the mean latency of a ranker that "
        "was trained on other prompts, or more",
        source="table 1 asks the same of the paper's predictor and traces",
        estimator=ratio("latency_mean", FCFS, "ListMLE", table="real"),
        unit="times",
        holds_from=1.5,
        null=1.0,
        figure="end-to-end",
    )


def spearman(tables: Tables) -> list[float]:
    """Return, per seed, Spearman's correlation of latency with tau."""
    return [
        float(stats.spearmanr(part["tau"], part["latency_mean"]).statistic)
        for _, part in tables["dial"].groupby("seed", sort=True)
    ]


def _dial(over: float, under: float) -> Estimator:
    def measure(tables: Tables) -> list[float]:
        arms = [rows_of(tables, "dial", None, tau=tau)["latency_mean"] for tau in (over, under)]
        return (arms[0] / arms[1]).tolist()

    return measure


def _shapes(metric: str, compare: object) -> Estimator:
    def measure(tables: Tables) -> list[float]:
        arms = [
            rows_of(tables, "shapes", None, kind=end)[metric] for end in ("shortest", "longest")
        ]
        return compare(*arms).tolist()

    return measure
