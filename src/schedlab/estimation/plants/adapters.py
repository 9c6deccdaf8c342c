"""Plants from what others have: any callable, or a system of python-control."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from schedlab.estimation.noise import Noise
from schedlab.estimation.plants.linear import linear
from schedlab.estimation.plants.plant import Plant


@dataclass(frozen=True)
class RowByRow:
    """A transition from a function of one state and one noise vector."""

    function: Callable[[np.ndarray, np.ndarray], Any]

    def __call__(self, x: Any, w: Any, xp: Any = np) -> Any:
        """Return the next states, one at a time."""
        rows = zip(x.reshape(-1, x.shape[-1]), w.reshape(-1, w.shape[-1]), strict=True)
        return xp.stack([xp.asarray(self.function(*row)) for row in rows]).reshape(x.shape)


@dataclass(frozen=True)
class AllAtOnce:
    """A transition from a function over any leading axes."""

    function: Callable[[Any, Any], Any]

    def __call__(self, x: Any, w: Any, xp: Any = np) -> Any:
        """Return the next states."""
        return self.function(x, w)


def from_callable(
    function: Callable[[Any, Any], Any],
    noise: Noise,
    start: Any,
    *,
    noise_dimension: int = 0,
    name: str = "",
) -> Plant:
    """Return a plant from any ``f(x, w)``.

    A function that also takes many states at once, along leading axes, is called that way;
    whether it does is tried on three states around ``start``.

    Parameters
    ----------
    function
        Returns the next state, of the shape of ``x``.
    noise
        Law of each component of ``w``.
    start
        ``x_{-1}``, a vector.
    noise_dimension
        Components of ``w``, by default as many as states.
    name
        What tables call it, by default the function's name.

    Raises
    ------
    ValueError
        If the next state does not have the shape of the state.
    """
    origin = np.atleast_1d(np.asarray(start, dtype=float))
    words = name or getattr(function, "__name__", "plant")
    size = noise_dimension or origin.size
    x = origin + 0.01 * np.arange(3 * origin.size).reshape(3, origin.size)
    w = 0.01 * np.arange(3.0 * size).reshape(3, size)
    single = [np.asarray(function(*row)) for row in zip(x, w, strict=True)]
    if single[0].shape != origin.shape:
        raise ValueError(
            f"plant {words!r}: from a state of shape {origin.shape} it went to one of shape "
            f"{single[0].shape}"
        )
    whole = _agrees(function, x, w, np.stack(single))
    return Plant(words, (AllAtOnce if whole else RowByRow)(function), noise, origin, size)


def _agrees(function: Any, x: np.ndarray, w: np.ndarray, expected: np.ndarray) -> bool:
    try:
        found = np.asarray(function(x, w))
    except Exception:  # whatever a function for single states raises on several
        return False
    return found.shape == expected.shape and bool(np.allclose(found, expected))


@dataclass(frozen=True)
class ControlStep:
    """One step of a python-control system with the noise as its input."""

    system: Any

    def __call__(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Return the next state."""
        return np.asarray(self.system.dynamics(0.0, x, w), dtype=float)


def from_control(system: Any, noise: Noise, *, start: Any = None, name: str = "") -> Plant:
    """Return a plant from a discrete-time system of python-control; its input is the noise.

    Parameters
    ----------
    system
        ``control.ss(A, B, C, D, dt)`` or ``control.nlsys(..., dt=dt)`` with ``dt`` above 0.
    noise
        Law of each input.
    start
        ``x_{-1}``, by default zero.
    name
        What tables call it, by default the system's own name.

    Raises
    ------
    ValueError
        If the system is in continuous time.
    """
    if not system.dt:
        raise ValueError(
            f"system {system.name!r} is in continuous time; sample it first: "
            "control.sample_system(system, Ts)"
        )
    words = name or system.name
    if hasattr(system, "A"):
        matrix, inputs = np.asarray(system.A), np.asarray(system.B)
        return linear(matrix, noise, input_matrix=inputs, start=start, name=words)
    origin = np.zeros(system.nstates) if start is None else start
    return from_callable(
        ControlStep(system), noise, origin, noise_dimension=system.ninputs, name=words
    )
