"""Noise levels, in the two coordinates that samplers use."""

import math
from collections.abc import Iterable
from typing import NamedTuple


class Level(NamedTuple):
    """How much signal and noise a sample ``x = alpha * x0 + sigma * epsilon`` holds.

    Every rule of this package is written in these two numbers alone. With ``alpha² + sigma² = 1``
    it is the rule in the coordinates of DDPM ("variance preserving"); with ``alpha = 1`` it is the
    same rule in those of Karras et al. ("variance exploding"). So DDIM and Euler are one rule.

    Attributes
    ----------
    alpha, sigma
        Scale of the data and of the noise, at least 0.
    """

    alpha: float
    sigma: float

    @property
    def ratio(self) -> float:
        """Noise over signal, the ``sigma`` of Karras et al.; infinite without signal."""
        return self.sigma / self.alpha if self.alpha else math.inf

    @property
    def log_snr(self) -> float:
        """Half the logarithmic signal-to-noise ratio, the ``lambda`` of DPM-Solver."""
        return (
            -math.log(self.ratio)
            if self.sigma and self.alpha
            else math.copysign(math.inf, self.alpha - self.sigma)
        )

    @property
    def norm(self) -> float:
        """What divides a sample to give the unit-variance input that a network was trained on."""
        return math.hypot(self.alpha, self.sigma)

    @property
    def mirrored(self) -> "Level":
        """Signal and noise exchanged; turns a rule on data predictions into one on noise."""
        return Level(self.sigma, self.alpha)


def preserving(ratios: Iterable[float]) -> list[Level]:
    """Return levels with ``alpha² + sigma² = 1`` from ratios of noise to signal."""
    return [Level(1 / math.hypot(1.0, r), r / math.hypot(1.0, r)) for r in ratios]


def exploding(ratios: Iterable[float]) -> list[Level]:
    """Return levels with ``alpha = 1`` from ratios of noise to signal."""
    return [Level(1.0, float(r)) for r in ratios]


def of_alpha_bar(alpha_bar: float) -> Level:
    """Return the level at a cumulative product of ``1 - beta``, DDPM's alpha-bar."""
    return Level(math.sqrt(alpha_bar), math.sqrt(max(0.0, 1 - alpha_bar)))
