"""A histogram of times whose bins are narrow relative to their size."""

from collections.abc import Iterable, Sequence

import numpy as np

MANTISSA_BITS = 13
"""Bits of a time's binary fraction that choose its bin: bins are 2**-13 = 0.012 % wide."""
SHORTEST_S, LONGEST_S = 2.0**-20, 2.0**20
"""About a microsecond and twelve days; what lies beyond counts in the outermost bin."""


def _bin(times_s: np.ndarray) -> np.ndarray:
    # The bits of a positive float, read as an integer, grow with the float.
    bits = np.ascontiguousarray(times_s, dtype=float).view(np.int64)
    return bits >> (52 - MANTISSA_BITS)


class TimeHistogram:
    """Counts of times, enough for any percentile to 0.012 %; mean and maximum are exact.

    Attributes
    ----------
    size
        Number of times.
    """

    def __init__(self) -> None:
        self._first, last = _bin(np.array([SHORTEST_S, LONGEST_S]))
        self._counts = np.zeros(last - self._first + 1, dtype=np.int64)
        self._total_s, self._longest_s = 0.0, -np.inf
        self.size = 0

    def add(self, times_s: np.ndarray) -> None:
        """Count more times."""
        bins = _bin(np.clip(times_s, SHORTEST_S, LONGEST_S)) - self._first
        self._counts += np.bincount(bins, minlength=len(self._counts))
        self.size += times_s.size
        self._total_s += times_s.sum()
        self._longest_s = max(self._longest_s, times_s.max(initial=-np.inf))

    def merge(self, other: "TimeHistogram") -> None:
        """Count what another histogram counted."""
        self._counts += other._counts
        self.size += other.size
        self._total_s += other._total_s
        self._longest_s = max(self._longest_s, other._longest_s)

    def mean(self) -> float:
        """Return the mean, NaN without any time."""
        return self._total_s / self.size if self.size else np.nan

    def max(self) -> float:
        """Return the longest time."""
        return self._longest_s

    def percentiles(self, points: Sequence[float]) -> np.ndarray:
        """Return percentiles: the lower ends of the bins that the ranks fall into."""
        ranks = np.ceil(np.asarray(points) / 100 * (self.size - 1)).astype(np.int64)
        bins = np.searchsorted(np.cumsum(self._counts), ranks, side="right")
        return ((bins + self._first) << (52 - MANTISSA_BITS)).view(float)


def total(histograms: Iterable[TimeHistogram]) -> TimeHistogram:
    """Return one histogram of all times in several."""
    whole = TimeHistogram()
    for part in histograms:
        whole.merge(part)
    return whole
