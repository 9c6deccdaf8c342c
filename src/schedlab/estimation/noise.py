"""Noise laws, each drawn by NumPy or torch alike, with the moments and cells exact solvers need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import special


class Source(Protocol):
    """Where randomness comes from: :class:`numpy.random.Generator`, or a wrapper with these."""

    def random(self, size: Any) -> Any:
        """Return uniform numbers on [0, 1)."""
        ...

    def standard_normal(self, size: Any) -> Any:
        """Return standard normal numbers."""
        ...

    def standard_gamma(self, shape: float, size: Any) -> Any:
        """Return gamma numbers of scale 1."""
        ...


class Noise(Protocol):
    """Any law with this method drives a plant; its draws are independent."""

    def sample(self, source: Source, shape: tuple[int, ...]) -> Any:
        """Return independent draws in the source's kind of array."""
        ...


class ScalarNoise(Noise, Protocol):
    """What exact solvers of scalar plants need beside draws."""

    @property
    def mean(self) -> float:
        """Mean."""
        ...

    @property
    def variance(self) -> float:
        """Variance."""
        ...

    @property
    def skewness(self) -> float:
        """Third standardised moment."""
        ...

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of at most ``x``."""
        ...


@dataclass(frozen=True)
class Mixture:
    """Mixture of normal laws; a deviation of zero makes a component one point.

    Attributes
    ----------
    weights, means, deviations
        One entry per component; weights are positive and sum to 1.
    """

    weights: tuple[float, ...] = (1.0,)
    means: tuple[float, ...] = (0.0,)
    deviations: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not len(self.weights) == len(self.means) == len(self.deviations) >= 1:
            raise ValueError("weights, means and deviations must have equal lengths, at least one")
        if min(self.weights) <= 0 or abs(sum(self.weights) - 1) > 1e-9:
            raise ValueError(f"weights must be positive and sum to 1, got {self.weights}")
        if min(self.deviations) < 0:
            raise ValueError(f"deviations must not be negative, got {self.deviations}")

    @property
    def mean(self) -> float:
        """Mean."""
        return float(np.dot(self.weights, self.means))

    @property
    def variance(self) -> float:
        """Variance."""
        around = np.asarray(self.means) - self.mean
        return float(np.dot(self.weights, around**2 + np.square(self.deviations)))

    @property
    def skewness(self) -> float:
        """Third standardised moment."""
        around = np.asarray(self.means) - self.mean
        third = np.dot(self.weights, around**3 + 3 * around * np.square(self.deviations))
        return float(third / self.variance**1.5)

    def sample(self, source: Source, shape: tuple[int, ...]) -> Any:
        """Return independent draws: a component by a uniform number, then a normal one."""
        chosen, normal = source.random(shape), source.standard_normal(shape)
        mean, deviation = self.means[0], self.deviations[0]
        for i, edge in enumerate(np.cumsum(self.weights)[:-1].tolist(), start=1):
            later = 1.0 * (chosen >= edge)
            mean = mean + later * (self.means[i] - self.means[i - 1])
            deviation = deviation + later * (self.deviations[i] - self.deviations[i - 1])
        return mean + deviation * normal

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of at most ``x``."""
        parts = zip(self.weights, self.means, self.deviations, strict=True)
        return sum(weight * _normal_cdf(np.asarray(x) - mean, sd) for weight, mean, sd in parts)

    def pdf(self, x: np.ndarray) -> np.ndarray:
        """Return the density at ``x``; no deviation may be zero."""
        parts = zip(self.weights, self.means, self.deviations, strict=True)
        return sum(
            weight * np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
            for weight, mean, sd in parts
        )


def _normal_cdf(x: np.ndarray, deviation: float) -> np.ndarray:
    return special.ndtr(x / deviation) if deviation else 1.0 * (x >= 0)


@dataclass(frozen=True)
class StandardGamma:
    """Gamma law, shifted and scaled to mean 0 and variance 1, with a given skewness.

    Skewness 0 is the standard normal law, 2 a shifted exponential one; below 0 it is mirrored.
    All are unimodal.

    Attributes
    ----------
    skewness
        Third standardised moment.
    """

    skewness: float = 2.0

    mean = 0.0
    variance = 1.0

    @property
    def shape(self) -> float:
        """Shape of the gamma law before shifting and scaling; infinite without skewness."""
        return 4 / self.skewness**2 if self.skewness else float("inf")

    def sample(self, source: Source, shape: tuple[int, ...]) -> Any:
        """Return independent draws."""
        if not self.skewness:
            return source.standard_normal(shape)
        raw = source.standard_gamma(self.shape, shape)
        return np.sign(self.skewness).item() * (raw - self.shape) / self.shape**0.5

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of at most ``x``."""
        if not self.skewness:
            return special.ndtr(x)
        sign = np.sign(self.skewness)
        raw = self.shape + sign * np.asarray(x) * self.shape**0.5
        below = special.gammainc(self.shape, np.maximum(raw, 0))
        return below if sign > 0 else 1 - below


@dataclass(frozen=True)
class Empirical:
    """Draws with replacement from observed values.

    Attributes
    ----------
    values
        Observed values, at least two.
    """

    values: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.values) < 2 or not np.isfinite(self.values).all():
            raise ValueError("values must be finite and at least two")

    @property
    def mean(self) -> float:
        """Mean."""
        return float(np.mean(self.values))

    @property
    def variance(self) -> float:
        """Variance."""
        return float(np.var(self.values))

    @property
    def skewness(self) -> float:
        """Third standardised moment."""
        return float(np.mean((np.asarray(self.values) - self.mean) ** 3) / self.variance**1.5)

    def sample(self, source: Source, shape: tuple[int, ...]) -> Any:
        """Return independent draws."""
        values = np.asarray(self.values)
        return values[(np.asarray(source.random(shape)) * len(values)).astype(int)]

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Return the share of values of at most ``x``."""
        return np.searchsorted(np.sort(self.values), x, side="right") / len(self.values)
