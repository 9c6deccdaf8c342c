"""Workloads: which requests arrive, when, and what their users were promised.

Everything random comes in three streams of one seed (arrivals, lengths, classes), so that
schedulers compared under one seed serve the same requests, and loads compared under one seed
differ only in how densely the same requests arrive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, isfinite

import numpy as np
import pandas as pd

from schedlab.lab.seeds import generator


@dataclass(frozen=True)
class RequestClass:
    """Users with one promise.

    Attributes
    ----------
    name
        Name of the class.
    share
        Probability that a request belongs to it.
    tbt_limit_s
        Longest time between two tokens that was promised.
    """

    name: str
    share: float
    tbt_limit_s: float


PAYING_AND_FREE = (RequestClass("paying", 0.05, 0.1), RequestClass("free", 0.95, 0.5))
"""The two classes of the SLAI paper."""


def build_requests(
    lengths: pd.DataFrame,
    n: int,
    rate: float,
    seed: int,
    *,
    classes: Sequence[RequestClass] = PAYING_AND_FREE,
    truncate_at: float | None = 3.0,
) -> pd.DataFrame:
    """Draw a request table: lengths without replacement, Poisson arrivals, classes.

    The first requests of a longer workload are those of a shorter one.

    Parameters
    ----------
    lengths
        Columns ``prompt_tokens`` and ``output_tokens``.
    n
        Number of requests.
    rate
        Nominal arrival rate, requests/s.
    seed
        Root seed.
    classes
        Shares must sum to 1.
    truncate_at
        Longest gap between arrivals in mean gaps, None for no limit. The authors cut at 3,
        which raises the true rate, see :func:`true_rate`.

    Returns
    -------
    pandas.DataFrame
        ``request_id, arrival_s, prompt_tokens, output_tokens, class, tbt_limit_s``.
    """
    if not 1 <= n <= len(lengths):
        raise ValueError(
            f"requests must be between 1 and the {len(lengths)} lengths of the data set, got {n}"
        )
    rows = generator(seed, "serving", "lengths").permutation(len(lengths))[:n]
    arrivals = poisson_arrivals(n, rate, seed, truncate_at=truncate_at)
    return _request_table(lengths.iloc[rows], arrivals, seed, classes)


def replay_requests(
    trace: pd.DataFrame,
    seed: int,
    *,
    rate: float | None = None,
    classes: Sequence[RequestClass] = PAYING_AND_FREE,
) -> pd.DataFrame:
    """Return the requests of a trace at the times when they came, with drawn classes.

    Parameters
    ----------
    trace
        Columns ``arrived_at`` (s), ``prompt_tokens`` and ``output_tokens``.
    seed
        Root seed of the classes.
    rate
        Mean arrival rate to stretch or squeeze the times to, requests/s; None to keep them.
    classes
        Shares must sum to 1.

    Returns
    -------
    pandas.DataFrame
        As :func:`build_requests`, in order of arrival.
    """
    if "arrived_at" not in trace:
        raise ValueError(f"trace: a column 'arrived_at' is needed to replay, got {list(trace)}")
    trace = trace.sort_values("arrived_at", kind="stable")
    return _request_table(trace, replayed_arrivals(trace["arrived_at"], rate), seed, classes)


def _request_table(
    lengths: pd.DataFrame, arrivals: np.ndarray, seed: int, classes: Sequence[RequestClass]
) -> pd.DataFrame:
    members = draw_classes(len(lengths), seed, classes)
    table = lengths[["prompt_tokens", "output_tokens"]].reset_index(drop=True)
    table.insert(0, "request_id", np.arange(len(lengths)))
    table.insert(1, "arrival_s", arrivals)
    table["class"] = [classes[i].name for i in members]
    table["tbt_limit_s"] = [classes[i].tbt_limit_s for i in members]
    return table


def poisson_arrivals(
    n: int, rate: float, seed: int, *, truncate_at: float | None = 3.0
) -> np.ndarray:
    """Return arrival times: unit exponential gaps, cut at ``truncate_at``, divided by the rate."""
    if not (isfinite(rate) and rate > 0):
        raise ValueError(f"rate must be a finite number of requests/s > 0, got {rate!r}")
    if truncate_at is not None and not truncate_at > 0:
        raise ValueError(f"truncate_at must be > 0 or None, got {truncate_at!r}")
    gaps = generator(seed, "serving", "arrivals").standard_exponential(n)
    if truncate_at is not None:
        gaps = np.minimum(gaps, truncate_at)
    return np.cumsum(gaps) / rate


def all_at_once(n: int) -> np.ndarray:
    """Return arrival times of requests that are all there at the beginning."""
    return np.zeros(n)


def burst_arrivals(n: int, size: int, gap_s: float) -> np.ndarray:
    """Return arrival times in bursts of ``size`` requests, ``gap_s`` apart, the first at 0."""
    if size < 1 or not gap_s >= 0:
        raise ValueError(f"bursts need size >= 1 and gap_s >= 0, got {size!r} and {gap_s!r}")
    return np.arange(n) // size * float(gap_s)


def replayed_arrivals(times_s: Sequence[float], rate: float | None = None) -> np.ndarray:
    """Return recorded arrival times from 0 on, stretched to a mean rate if one is given."""
    times = np.asarray(times_s, dtype=float)
    if not times.size or not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise ValueError("arrival times to replay must be finite numbers that do not decrease")
    times = times - times[0]
    if rate is None:
        return times
    if not (isfinite(rate) and rate > 0 and times[-1] > 0):
        raise ValueError(f"times of one moment cannot be stretched to a rate of {rate!r}")
    return times * ((len(times) - 1) / times[-1] / rate)


def true_rate(rate: float, truncate_at: float | None = 3.0) -> float:
    """Return the rate that requests really arrive at when gaps are cut.

    The mean of ``min(X, k)`` of a unit exponential X is ``1 - exp(-k)``.
    """
    return rate if truncate_at is None else rate / -expm1(-truncate_at)


def draw_classes(n: int, seed: int, classes: Sequence[RequestClass]) -> np.ndarray:
    """Return the class of each request as an index into ``classes``."""
    shares = np.array([each.share for each in classes])
    if not len(classes) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
        raise ValueError(f"the shares of the classes must be >= 0 and sum to 1, got {shares}")
    uniform = generator(seed, "serving", "classes").random(n)
    return np.searchsorted(np.cumsum(shares)[:-1], uniform, side="right")
