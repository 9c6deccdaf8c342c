"""Metrics of runs: latency percentiles by class, service-level objectives, capacity."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import optimize

from schedlab.serving.histogram import TimeHistogram
from schedlab.serving.records import Run

PERCENTILES = (50, 90, 99)


def summarize(run: Run) -> pd.DataFrame:
    """Return one row per class of requests, and one for ``all``.

    Columns: ``class, requests, ttft_mean_s, ttft_p50_s, ttft_p90_s, ttft_p99_s, tbt_mean_s,
    tbt_p50_s, tbt_p90_s, tbt_p99_s, tbt_max_s, tbt_limit_s`` (the tightest of the class) and
    ``preemptions``. TBT percentiles are over all samples of the class, not over requests.
    TTFT is NaN if a horizon left requests without a first token: what they would add is unknown.
    """
    groups = [("all", run.requests), *run.requests.groupby("class", sort=True)]
    return pd.DataFrame([_summary(run, name, group) for name, group in groups])


def _summary(run: Run, name: str, group: pd.DataFrame) -> dict[str, object]:
    tbt = run.tbt_s(None if name == "all" and len(group) == len(run.requests) else name)
    return {
        "class": name,
        "requests": len(group),
        **_distribution("ttft", group["ttft_s"].to_numpy()),
        **_distribution("tbt", tbt),
        "tbt_max_s": tbt.max() if tbt.size else np.nan,
        "tbt_limit_s": group["tbt_limit_s"].min(),
        "preemptions": int(group["preemptions"].sum()),
    }


def _distribution(name: str, values: np.ndarray | TimeHistogram) -> dict[str, float]:
    if not values.size:
        return {f"{name}_mean_s": np.nan} | {f"{name}_p{q}_s": np.nan for q in PERCENTILES}
    points = _percentiles(values, PERCENTILES)
    return {f"{name}_mean_s": values.mean()} | {
        f"{name}_p{q}_s": point for q, point in zip(PERCENTILES, points, strict=True)
    }


def _percentiles(values: np.ndarray | TimeHistogram, points: Sequence[float]) -> np.ndarray:
    if isinstance(values, TimeHistogram):
        return values.percentiles(points)
    return np.percentile(values, points)


def summarize_batches(run: Run) -> dict[str, float]:
    """Return means over batches and totals of a run.

    Keys: ``batches, mean_batch_time_s, mean_prefill_tokens, mean_decode_tokens,
    peak_kv_use, preemptions, busy`` (share of time), ``tokens_per_s`` (while busy) and
    ``requests_per_s`` (finished, until the last one did). Of several replicas, ``busy`` is the
    mean number that are busy, and ``tokens_per_s`` holds for one.
    """
    batches, busy_s = run.batches, run.batches["duration_s"].sum()
    end_s = run.requests["finish_s"].max()
    tokens = batches["prefill_tokens"] + batches["decode_tokens"]
    return {
        "batches": len(batches),
        "mean_batch_time_s": batches["duration_s"].mean(),
        "mean_prefill_tokens": batches["prefill_tokens"].mean(),
        "mean_decode_tokens": batches["decode_tokens"].mean(),
        "peak_kv_use": batches["used_blocks"].max() / run.total_blocks,
        "preemptions": int(batches["preemptions"].sum()),
        "busy": busy_s / end_s,
        "tokens_per_s": tokens.sum() / busy_s,
        "requests_per_s": int(run.requests["finish_s"].notna().sum()) / end_s,
    }


def goodput(run: Run, ttft_limit_s: float) -> float:
    """Return requests/s that met the TTFT limit, and their own TBT limit in 99 % of tokens."""
    table = run.requests
    # A request without a limit, or with a single token, has nothing to miss there.
    late = table["tbt_p99_s"] > table["tbt_limit_s"]
    good = (table["ttft_s"] <= ttft_limit_s) & table["finish_s"].notna() & ~late
    return float(good.sum() / table["finish_s"].max())


@dataclass(frozen=True)
class SLO:
    """A service-level objective on a whole run.

    Attributes
    ----------
    ttft_p50_s
        Largest median time to first token.
    tbt
        Whether the 99th percentile of TBT of each class must also keep to its limit.
    """

    ttft_p50_s: float = 0.5
    tbt: bool = True

    def __post_init__(self) -> None:
        if not self.ttft_p50_s > 0:
            raise ValueError(f"ttft_p50_s must be > 0, got {self.ttft_p50_s!r}")

    def __call__(self, run: Run) -> bool:
        """Return whether a run meets the objective."""
        if run.requests["ttft_s"].fillna(np.inf).median() >= self.ttft_p50_s:
            return False
        if not self.tbt:
            return True
        limits = run.requests.groupby("class")["tbt_limit_s"].min().dropna()
        return all(_p99(run.tbt_s(name)) <= limit for name, limit in limits.items())


def _p99(samples: np.ndarray | TimeHistogram) -> float:
    return float(_percentiles(samples, [99])[0]) if samples.size else 0.0


@dataclass(frozen=True)
class Capacity:
    """The largest rate that meets an objective, as far as it was searched.

    Attributes
    ----------
    rate
        Largest rate tried that meets the objective; ``left`` itself if none does.
    limited_by
        ``"slo"`` if the objective fails just above; ``"left"`` or ``"right"`` if the capacity
        lies below or above all rates that were allowed.
    trials
        Every rate tried and whether it met the objective: ``rate, meets``.
    """

    rate: float
    limited_by: str
    trials: pd.DataFrame = field(repr=False)


def capacity(
    run_at: Callable[[float], Run],
    slo: Callable[[Run], bool],
    left: float,
    right: float,
    tolerance: float = 0.025,
) -> Capacity:
    """Find the largest rate that meets an objective by bisection.

    Parameters
    ----------
    run_at
        Runs the system at a rate, under common random numbers.
    slo
        Whether a run meets the objective, for instance an :class:`SLO`.
    left, right
        Rates between which to search.
    tolerance
        Stop when the interval is shorter than this share of the rate.

    Raises
    ------
    ValueError
        If the bounds or the tolerance make no sense.
    """
    if not 0 < left < right or not 0 < tolerance < 1:
        raise ValueError(
            "capacity needs 0 < left < right and 0 < tolerance < 1, "
            f"got {left}, {right} and {tolerance}"
        )
    trials: dict[float, bool] = {}

    def sign(rate: float) -> float:
        if rate not in trials:
            trials[rate] = bool(slo(run_at(rate)))
        return -1.0 if trials[rate] else 1.0

    limited_by = "slo"
    if sign(left) > 0:
        limited_by = "left"
    elif sign(right) < 0:
        limited_by = "right"
    else:
        optimize.bisect(sign, left, right, xtol=1e-12, rtol=tolerance)
    rate = max((rate for rate, meets in trials.items() if meets), default=left)
    table = pd.DataFrame(sorted(trials.items()), columns=["rate", "meets"])
    return Capacity(float(rate), limited_by, table)
