"""What a scheduler sees: one row of numbers, the same for one plant and for many."""

from typing import Any, NamedTuple

import numpy as np


class Parts(NamedTuple):
    """Views of an observation, over any leading axes.

    Attributes
    ----------
    state
        The plant's state now, ``(..., dimension)``.
    estimate
        What the receiver will hold if nothing is sent, ``(..., dimension)``.
    predicted
        The prediction without noise from the last message, ``(..., dimension)``.
    last
        The last message, ``(..., dimension)``.
    age
        Steps since the last message, 1 right after one, ``(...)``.
    """

    state: Any
    estimate: Any
    predicted: Any
    last: Any
    age: Any


def parts(observation: Any) -> Parts:
    """Return the named views of an observation, NumPy or torch.

    Raises
    ------
    ValueError
        If its width is not four states and an age.
    """
    width = observation.shape[-1]
    if width % 4 != 1 or width < 5:
        raise ValueError(f"an observation has 4 d + 1 numbers for d states, this one {width}")
    d = width // 4
    return Parts(
        *(observation[..., i * d : (i + 1) * d] for i in range(4)), observation[..., 4 * d]
    )


def observe(
    state: np.ndarray, estimate: np.ndarray, predicted: np.ndarray, last: np.ndarray, age: Any
) -> np.ndarray:
    """Return the observations of many plants, shape ``(n, 4 d + 1)``."""
    return np.concatenate([state, estimate, predicted, last, np.asarray(age)[:, None]], axis=1)


def error(seen: Parts) -> Any:
    """Return the state's distance from the prediction without noise, ``(..., dimension)``."""
    return seen.state - seen.predicted
