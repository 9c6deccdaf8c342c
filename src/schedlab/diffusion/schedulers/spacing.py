"""Which timesteps a run visits, and at which noise ratios."""

import math
from collections.abc import Mapping

import numpy as np
from scipy import stats

SPACINGS = ("linspace", "leading", "trailing")
RHO = 7.0  # exponent of Karras et al., equation 5


def timesteps(
    spacing: str,
    steps: int,
    train_steps: int,
    offset: int = 0,
    *,
    last: int | None = None,
    extra: int = 0,
    rounded: bool = True,
) -> np.ndarray:
    """Return the timesteps of a run, from noise to data, as diffusers lays them.

    Parameters
    ----------
    spacing
        ``"linspace"``, ``"leading"`` or ``"trailing"``, table 2 of Lin et al. 2023.
    steps
        How many.
    train_steps
        Timesteps of training.
    offset
        Added to ``"leading"`` ones.
    last
        Number of the training timesteps to use, where the noisiest are left out.
    extra
        1 to lay one more and leave out the last, as solvers in the log-SNR do.
    rounded
        Whether ``"linspace"`` is rounded to whole timesteps.

    Raises
    ------
    ValueError
        If the spacing is unknown or there are more steps than timesteps.
    """
    if not 1 <= steps <= train_steps:
        raise ValueError(f"num_inference_steps: expected 1 to {train_steps}, got {steps}")
    last = last or train_steps
    match spacing:
        case "linspace":
            dense = np.linspace(0, last - 1, steps + extra, dtype=None if rounded else np.float32)
            grid = (dense.round() if rounded else dense)[::-1]
        case "leading":
            grid = (np.arange(steps + extra) * (last // (steps + extra)))[::-1]
        case "trailing":
            return np.arange(last, 0, -train_steps / steps).round() - 1
        case _:
            raise ValueError(
                f"timestep_spacing: {spacing!r} is unknown; allowed are {', '.join(SPACINGS)}"
            )
    shift = offset if spacing == "leading" else 0
    return grid[: len(grid) - extra].astype(np.float64) + shift


def sigmas(kind: str, high: float, low: float, steps: int, rho: float = RHO) -> np.ndarray:
    """Return noise ratios from high to low: karras, exponential, beta or lu.

    Karras et al. 2022, equation 5; uniform in the logarithm; quantiles of Beta(0.6, 0.6), Lee et
    al. 2024; uniform log-SNR as DPM-Solver lays it.
    """
    ramp = np.linspace(0, 1, steps)
    match kind:
        case "karras":
            return (high ** (1 / rho) + ramp * (low ** (1 / rho) - high ** (1 / rho))) ** rho
        case "exponential":
            return np.exp(np.linspace(math.log(high), math.log(low), steps))
        case "beta":
            return low + stats.beta.ppf(1 - ramp, 0.6, 0.6) * (high - low)
    return np.exp(math.log(high) + ramp * (math.log(low) - math.log(high)))


def timestep_of(ratios: np.ndarray, log_ratios: np.ndarray) -> np.ndarray:
    """Return the fractional timesteps of noise ratios, interpolated in their logarithm."""
    at = np.log(np.maximum(ratios, 1e-10))
    known = log_ratios.astype(np.float64)
    low = np.clip(np.searchsorted(known, at, side="right") - 1, 0, known.size - 2)
    share = np.clip((known[low] - at) / (known[low] - known[low + 1]), 0, 1)
    return (1 - share) * low + share * (low + 1)


SHAPES = {
    "use_karras_sigmas": "karras",
    "use_lu_lambdas": "lu",
    "use_exponential_sigmas": "exponential",
    "use_beta_sigmas": "beta",
}


def sigma_shape(config: Mapping[str, object]) -> str:
    """Return which shape of sigmas the options ask for, or nothing.

    Raises
    ------
    ValueError
        If they ask for two, or for the sigmas of flow matching.
    """
    if config.get("use_flow_sigmas"):
        raise ValueError("use_flow_sigmas: flow matching is not among these solvers")
    asked = [option for option in SHAPES if config.get(option)]
    if len(asked) > 1:
        raise ValueError(f"only one of {' and '.join(asked)} can be set")
    return SHAPES[asked[0]] if asked else ""
