"""What reading silence is worth on real trajectories, told as it is."""

from functools import partial

import pandas as pd

from schedlab.estimation.experiment.recorded import MET, MISSING, READ, SLOPE
from schedlab.lab.claims import CannotTell, Claim, Tables

SOURCE = "reconstruction of CALM; real trajectories, blocks bootstrapped"
GET = (
    "add openacc to estimation.recorded.laptop.recordings in params.yaml, run python -m "
    "schedlab.data fetch openacc-speed-10hz, then dvc repro estimation@recorded"
)
NAMES = {"glucose": "glucose readings", "openacc": "vehicle speeds (OpenACC)"}


def recorded_claims(prices: dict[str, list[float]]) -> list[Claim]:
    """Return what replays can decide.

    Parameters
    ----------
    prices
        Prices of a message by recording.
    """
    vehicles = [
        *_against_missing(prices["openacc"], MISSING, "", "fitted to all ages"),
        *_against_missing(prices["openacc"], MET, "-as-met", "fitted to ages as the loop meets"),
    ]
    return [*vehicles, *_against_slope(), *_glucose()]


def _against_missing(prices: list[float], other: str, ending: str, words: str) -> list[Claim]:
    return [
        Claim(
            id=f"estimation/openacc-silence-read-{i}{ending}",
            sentence=f"On vehicle speeds at price {price:g} a learned receiver that reads silence "
            f"costs at least 8 % less than one that takes it for missing, {words}",
            source=SOURCE,
            estimator=partial(change, "openacc", READ, other, price),
            unit="relative",
            holds_to=-0.08,
            null=0.0,
            figure="recorded-costs",
            decide_with=GET,
            scales=("laptop", "paper"),
            reconstruction=True,
        )
        for i, price in enumerate(prices, start=1)
    ]


def _against_slope() -> list[Claim]:
    return [
        Claim(
            id=f"estimation/{name}-no-worse-than-extrapolation",
            sentence=f"On {NAMES[name]} it costs at most 3 % more than plain extrapolation with a "
            "tuned threshold; a gain over that is not claimed",
            source=SOURCE,
            estimator=partial(change, name, READ, SLOPE, None),
            unit="relative",
            holds_to=0.03,
            figure="recorded-costs",
            decide_with=GET if name == "openacc" else "",
            scales=("laptop", "paper"),
            reconstruction=True,
        )
        for name in NAMES
    ]


def _glucose() -> list[Claim]:
    return [
        Claim(
            id=f"estimation/glucose-silence-read{ending}",
            sentence="On glucose readings a learned receiver that reads silence costs less than "
            f"one that takes it for missing, {words}",
            source=SOURCE,
            estimator=partial(change, "glucose", READ, other, None),
            unit="relative",
            holds_to=0.0,
            null=0.0,
            figure="recorded-costs",
            scales=("laptop", "paper"),
            reconstruction=True,
        )
        for other, ending, words in (
            (MISSING, "", "fitted to all ages"),
            (MET, "-as-met", "fitted to ages as the loop meets"),
        )
    ]


def change(
    recording: str, policy: str, other: str, price: float | None, tables: Tables
) -> list[float]:
    """Return, per block, the difference of costs over the other's mean cost.

    The mean over blocks is then the change of the whole; with several prices it is their mean.
    """
    rows = tables["costs"]
    rows = rows[rows["recording"] == recording]
    if price is not None:
        rows = rows[rows["price"] == price]
    if rows.empty:
        raise CannotTell(f"the run has not replayed {NAMES[recording]}")
    parts = [_at_one_price(part, policy, other) for _, part in rows.groupby("price")]
    return pd.concat(parts, axis=1).mean(axis=1).tolist()


def _at_one_price(rows: pd.DataFrame, policy: str, other: str) -> pd.Series:
    ours, theirs = (
        rows[rows["policy"] == name].set_index("seed")["cost"] for name in (policy, other)
    )
    return (ours - theirs) / theirs.mean()
