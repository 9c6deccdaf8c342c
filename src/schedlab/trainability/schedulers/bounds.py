"""The critical step sizes of *A Unified Noise-Curvature View of Loss of Trainability*.

All functions take and return plain numbers, one layer at a time. A bound that nothing limits is
infinite, as for a gradient without noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable

LEAST_VARIANCE = 1e-12  # denominators below it count as it, as in the authors' code
LEAST_SHARPNESS = 1e-12  # ε of eq. (1)


def gradient_noise_step(batch_size: int, gradient_sq: float, variance: float) -> float:
    """Return α_g* = B ‖g‖² / σ² (section 3): the step at which noise outweighs descent.

    The descent condition on a quadratic of curvature L is α ≤ 2 α_g*/L; like the paper's
    scheduler this leaves the factor 2/L out.
    """
    return _ratio(batch_size * gradient_sq, variance)


def critical_step(
    batch_size: int, gradient_sq: float, variance: float, volatility: float, beta: float
) -> float:
    """Return α̃* = B ‖g‖² / (σ² + β ‖g‖² Vol), the combined threshold of eqs. (2) and (3).

    Identically 1/α̃* = 1/α_g* + β Vol/B.
    """
    return _ratio(
        batch_size * gradient_sq, max(variance + beta * gradient_sq * volatility, LEAST_VARIANCE)
    )


def curvature_step(mean: float, deviation_sq: float, contraction: float = 1.0) -> float:
    """Return τ = 2 c μ / (μ² + σ²) (appendix A.3): the step that still contracts the top mode.

    Parameters
    ----------
    mean, deviation_sq
        Mean μ of the normalised sharpness in the window, and squared deviation σ² from it.
    contraction
        c: what share of the linear term the quadratic one may reach.
    """
    return _ratio(2 * contraction * mean, mean**2 + deviation_sq)


def volatility_step(volatility: float, kappa: float = 1.0) -> float:
    """Return 1/(κ Vol), to which :func:`curvature_step` tends where σ² is far above μ².

    The paper gives κ no value.
    """
    return _ratio(1.0, kappa * volatility)


def cantelli_step(mean: float, deviation_sq: float, risk: float) -> float:
    """Return the cap of appendix A.5: the step that is unstable with probability ``risk`` at most.

    Cantelli's inequality bounds P(α λ̄ ≥ 2) ≤ δ by α ≤ 2 / (μ + σ √((1 − δ)/δ)).
    """
    return _ratio(2.0, mean + math.sqrt(deviation_sq * (1 - risk) / risk))


def _ratio(numerator: float, denominator: float) -> float:
    if denominator > 0:
        return numerator / denominator
    return math.inf if numerator > 0 else 0.0


VOLATILITIES: dict[str, Callable[[float, float], float]] = {
    "relative": lambda x, mean: (x - mean) ** 2 / (mean + LEAST_SHARPNESS),
    "variance": lambda x, mean: (x - mean) ** 2,
    "sharpness": lambda x, mean: x,
    "fourth": lambda x, mean: (x**2 / (mean + LEAST_SHARPNESS)) ** 2 if mean > 0 else 0.0,
    "none": lambda x, mean: 0.0,
}
"""Vol of eq. (2) from the newest sharpness and the window's mean.

``relative`` is eq. (1) as the paper's appendix and code compute it, with the instantaneous squared
deviation for the variance. The others are what the released code's runs used in its place, there
called ``svar``, ``ss`` and ``sqm``; ``none`` leaves gradient noise alone.
"""
