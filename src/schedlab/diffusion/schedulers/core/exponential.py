"""DPM-Solver and DPM-Solver++: exponential integrators in the logarithmic signal-to-noise ratio.

Both papers solve ``x_t = keep * x_s + integral of exp(λ) m(λ) dλ`` by a Taylor polynomial of the
prediction ``m``, of the data (++) or of the noise. The noise form is the data form with
signal and noise exchanged, :attr:`Level.mirrored`, so each rule is written once, for data.
"""

import itertools
import math
from collections.abc import Sequence

from schedlab.diffusion.schedulers.core.levels import Level
from schedlab.diffusion.schedulers.core.moves import Move

TRUE_SECOND_DERIVATIVE = 2.0  # a second divided difference is half of it


def multistep(
    levels: Sequence[Level],
    target: Level,
    *,
    solver_type: str = "midpoint",
    corrected: bool = False,
) -> Move:
    """Return the move of DPM-Solver++ 1, 2M or 3M on data predictions at ``levels``, newest first.

    Lu et al., *DPM-Solver++*, Algorithm 2 and appendix; the order is the number of levels.

    Parameters
    ----------
    levels
        Where the predictions were made.
    target
        Where to go.
    solver_type
        ``"midpoint"`` or ``"heun"``, for order 2.
    corrected
        Whether order 3 takes the true second derivative. The authors' code and diffusers take
        half of it, which leaves the method with order 2.
    """
    here = levels[0]
    h = target.log_snr - here.log_snr
    if not h:  # a step of no length, with which Karras sigmas end at sigma_min
        levels = levels[:1]
    phi = _phi(-h, len(levels))
    steps = [(a.log_snr - b.log_snr) / h for a, b in itertools.pairwise(levels)]
    taylor = [phi[0]]
    if len(levels) == 2:
        slope = _slope(phi, solver_type) / steps[0]
        taylor = [phi[0] + slope, -slope]
    elif len(levels) == 3:
        taylor = _third_order(phi, *steps, TRUE_SECOND_DERIVATIVE if corrected else 1.0)
    return _move(here, target, taylor)


def singlestep(levels: Sequence[Level], target: Level, *, solver_type: str = "midpoint") -> Move:
    """Return the move of DPM-Solver++ 2S or 3S from the oldest of ``levels`` over all of them.

    Lu et al., *DPM-Solver*, Algorithms 1 and 2, with the inner points on the caller's grid.
    """
    *inner, start = levels
    h = target.log_snr - start.log_snr
    phi = _phi(-h, 3)
    r = [(level.log_snr - start.log_snr) / h for level in inner]
    if len(levels) == 2:
        slope = _slope(phi, solver_type) / r[0]
        return _move(start, target, (slope, phi[0] - slope))
    if solver_type == "midpoint":
        return _move(start, target, (phi[1] / r[0], 0.0, phi[0] - phi[1] / r[0]))
    gap = r[0] - r[1]
    newest = (phi[2] * 2 - phi[1] * r[1]) / (r[0] * gap)
    middle = (phi[1] * r[0] - phi[2] * 2) / (r[1] * gap)
    return _move(start, target, (newest, middle, phi[0] - newest - middle))


def _third_order(phi: Sequence[float], r0: float, r1: float, factor: float) -> list[float]:
    """Return the weights of three predictions from their divided differences."""
    slope, bend = phi[1], factor * phi[2]
    both = slope * r0 / (r0 + r1) + bend / (r0 + r1)
    first, second = (slope + both) / r0, both / r1
    return [phi[0] + first, -first - second, second]


def _slope(phi: Sequence[float], solver_type: str) -> float:
    """Return the weight of the first derivative in a second-order step."""
    return phi[0] / 2 if solver_type == "midpoint" else phi[1]


def _move(start: Level, target: Level, taylor: Sequence[float]) -> Move:
    weights = tuple(-target.alpha * w for w in taylor)
    return Move(target.sigma / start.sigma, weights)


def _phi(z: float, count: int) -> list[float]:
    """Return ``exp(z) - 1`` and its successors ``(previous / z) - 1 / k!``, as the papers do."""
    values = [math.expm1(z)]
    for k in range(1, count):
        values.append(values[-1] / z - 1 / math.factorial(k) if z else 0.0)
    return values
