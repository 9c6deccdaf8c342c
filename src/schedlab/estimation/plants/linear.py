"""Linear plants, scalar and vector."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from schedlab.estimation.noise import Noise
from schedlab.estimation.plants.plant import Plant


@dataclass(frozen=True)
class Linear:
    """The transition ``A x + B w``.

    Attributes
    ----------
    matrix
        ``A``, square.
    input_matrix
        ``B``; ``None`` for the identity.
    """

    matrix: np.ndarray
    input_matrix: np.ndarray | None = None

    def __call__(self, x: Any, w: Any, xp: Any = np) -> Any:
        """Return the next states over any leading axes."""
        if self.input_matrix is not None:
            w = w @ xp.asarray(self.input_matrix.T, dtype=x.dtype)
        if self.matrix.size == 1:
            return float(self.matrix[0, 0]) * x + w
        return x @ xp.asarray(self.matrix.T, dtype=x.dtype) + w


def linear(
    matrix: Any, noise: Noise, *, input_matrix: Any = None, start: Any = None, name: str = "linear"
) -> Plant:
    """Return the plant ``x_{t+1} = A x_t + B w_t``.

    Parameters
    ----------
    matrix
        ``A``: a number, or a square matrix.
    noise
        Law of each component of ``w``.
    input_matrix
        ``B``, by default the identity.
    start
        ``x_{-1}``, by default zero.
    name
        What tables call it.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    a = np.atleast_2d(np.asarray(matrix, dtype=float))
    if a.shape[0] != a.shape[1] or not np.isfinite(a).all():
        raise ValueError(f"matrix must be square and finite, got shape {a.shape}")
    b = None if input_matrix is None else np.atleast_2d(np.asarray(input_matrix, dtype=float))
    if b is not None and b.shape[0] != a.shape[0]:
        raise ValueError(f"input_matrix must have {a.shape[0]} rows, got shape {b.shape}")
    origin = np.zeros(a.shape[0]) if start is None else np.asarray(start, dtype=float)
    if origin.shape != (a.shape[0],):
        raise ValueError(f"start must have {a.shape[0]} entries, got shape {origin.shape}")
    return Plant(name, Linear(a, b), noise, origin, 0 if b is None else b.shape[1])


def is_linear(plant: Any) -> bool:
    """Tell whether a plant's transition is linear."""
    return isinstance(getattr(plant, "transition", None), Linear)
