"""Intervals over seeds: how far a handful of runs can carry a statement."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

SMALLEST_BOOTSTRAP = 6  # with fewer values resampling has too little to draw from
RESAMPLES = 9999


@dataclass(frozen=True)
class Interval:
    """Mean of some values and a confidence interval for it.

    Attributes
    ----------
    estimate
        Mean; NaN when there are no values.
    low, high
        Ends of the interval, infinite when there are fewer than two values.
    n
        Number of values.
    """

    estimate: float
    low: float
    high: float
    n: int


def interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Return the mean of per-seed values with a confidence interval.

    From six values on it is a percentile bootstrap whose percentiles are widened as Hesterberg
    (2015, *What Teachers Should Know About the Bootstrap*, section 4.2) proposes, since a plain
    one is too narrow for small samples: by a factor ``sqrt((n - 1) / n)`` because resampling
    divides by ``n``, and because it takes normal rather than t quantiles. Below six values no
    resampling helps, as its means never leave the range of the values, and Student's t interval
    stands in. Order, shift and scale of the values do not matter: the interval moves along.

    Parameters
    ----------
    values
        One value per seed. Comparisons are paired before: pass differences or ratios taken
        within a seed, not the two arms.
    level
        Confidence level, between 0 and 1.

    Raises
    ------
    ValueError
        If a value is not finite, the values are not a plain sequence, or the level is not
        between 0 and 1.

    Examples
    --------
    >>> interval([1.0, 2.0, 3.0])
    Interval(estimate=2.0, low=-0.484..., high=4.484..., n=3)
    """
    sample = _checked(values, level)
    if sample.size < 2:
        return Interval(
            float(sample[0]) if sample.size else math.nan, -math.inf, math.inf, len(sample)
        )
    if sample[0] == sample[-1]:
        return Interval(*[float(sample[0])] * 3, sample.size)
    mean, deviation = float(sample.mean()), float(sample.std(ddof=1))
    spread = (sample - mean) / deviation
    low, high = (
        _student(spread, level) if sample.size < SMALLEST_BOOTSTRAP else _bootstrap(spread, level)
    )
    return Interval(mean, mean + deviation * low, mean + deviation * high, sample.size)


def _checked(values: Sequence[float], level: float) -> np.ndarray:
    sample = np.asarray(values, dtype=float)
    if sample.ndim != 1:
        raise ValueError(f"expected one value per seed, got an array of shape {sample.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if bad := int(np.count_nonzero(~np.isfinite(sample))):
        raise ValueError(
            f"{bad} of {sample.size} values are not finite; drop or repair these seeds knowingly"
        )
    return np.sort(sample)


def _student(spread: np.ndarray, level: float) -> tuple[float, float]:
    reach = stats.t.ppf((1 + level) / 2, spread.size - 1) / math.sqrt(spread.size)
    return -float(reach), float(reach)


def _bootstrap(spread: np.ndarray, level: float) -> tuple[float, float]:
    n = spread.size
    tail = stats.norm.cdf(-math.sqrt(n / (n - 1)) * stats.t.ppf((1 + level) / 2, n - 1))
    found = stats.bootstrap(
        (spread,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=RESAMPLES if n <= 200 else 1000,
        confidence_level=1 - 2 * float(tail),
        method="percentile",
        rng=np.random.default_rng(0),  # fixed: the same values always give the same interval
    ).confidence_interval
    return float(found.low), float(found.high)
