"""Nonlinear plants: one step of classical Runge-Kutta between decisions, then the noise.

They have no known optimum; results on them are relative to baselines.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from schedlab.estimation.noise import Mixture, StandardGamma
from schedlab.estimation.plants.plant import Plant

JUMPS = Mixture((0.8, 0.2), (-0.5, 2.0), (0.3, 0.5))  # rare jumps to one side, mean 0


def _runge_kutta(slope: Callable[[Any], Any], x: Any, step: float) -> Any:
    first = slope(x)
    second = slope(x + 0.5 * step * first)
    third = slope(x + 0.5 * step * second)
    fourth = slope(x + step * third)
    return x + step / 6 * (first + 2 * second + 2 * third + fourth)


def _stack(xp: Any, *columns: Any) -> Any:
    return xp.stack(columns, -1)


def _van_der_pol(x: Any, w: Any, xp: Any, *, mu: float, step: float, scale: float) -> Any:
    def slope(x: Any) -> Any:
        place, speed = x[..., 0], x[..., 1]
        return _stack(xp, speed, mu * (1 - place**2) * speed - place)

    quiet = _runge_kutta(slope, x, step)
    return _stack(xp, quiet[..., 0], quiet[..., 1] + scale * w[..., 0])


def van_der_pol(mu: float = 1.0, step: float = 0.2, scale: float = 0.2) -> Plant:
    """Return a Van der Pol oscillator whose speed is kicked by skewed noise."""
    transition = partial(_van_der_pol, mu=mu, step=step, scale=scale)
    return Plant("van_der_pol", transition, StandardGamma(2.0), np.array([1.0, 0.0]), 1)


def _pendulum(x: Any, w: Any, xp: Any, *, damping: float, step: float, scale: float) -> Any:
    def slope(x: Any) -> Any:
        return _stack(xp, x[..., 1], -xp.sin(x[..., 0]) - damping * x[..., 1])

    quiet = _runge_kutta(slope, x, step)
    return _stack(xp, quiet[..., 0], quiet[..., 1] + scale * w[..., 0])


def pendulum(damping: float = 0.2, step: float = 0.2, scale: float = 0.2) -> Plant:
    """Return a damped pendulum, angle (rad) and angular speed, pushed by rare one-sided jumps."""
    transition = partial(_pendulum, damping=damping, step=step, scale=scale)
    return Plant("pendulum", transition, JUMPS, np.array([0.5, 0.0]), 1)


def _unicycle(x: Any, w: Any, xp: Any, *, speed: float, step: float, scale: float) -> Any:
    heading = x[..., 2] + step * scale * w[..., 0]
    return _stack(
        xp,
        x[..., 0] + step * speed * xp.cos(heading),
        x[..., 1] + step * speed * xp.sin(heading),
        heading,
    )


def unicycle(speed: float = 1.0, step: float = 0.5, scale: float = 0.5) -> Plant:
    """Return a unicycle, place (m) and heading (rad), whose turn rate jumps to one side."""
    transition = partial(_unicycle, speed=speed, step=step, scale=scale)
    return Plant("unicycle", transition, JUMPS, np.zeros(3), 1)


def _lorenz(x: Any, w: Any, xp: Any, *, step: float, scale: float) -> Any:
    def slope(x: Any) -> Any:
        a, b, c = x[..., 0], x[..., 1], x[..., 2]
        return _stack(xp, 10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c)

    return _runge_kutta(slope, x, step) + scale * w


def lorenz(step: float = 0.03, scale: float = 0.3) -> Plant:
    """Return the Lorenz system of 1963 with skewed noise on all three states."""
    transition = partial(_lorenz, step=step, scale=scale)
    return Plant("lorenz", transition, StandardGamma(2.0), np.array([1.0, 1.0, 25.0]))
