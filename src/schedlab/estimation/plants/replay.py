"""Recorded trajectories as a plant: sending changes nothing, so replaying them is exact."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from schedlab.estimation.noise import Source
from schedlab.estimation.plants.plant import Transition, roll_out


def hold(x: Any, w: Any, xp: Any = np) -> Any:
    """Return the state unchanged: the plainest model of a recording."""
    return x


@dataclass(frozen=True)
class Replay:
    """Windows cut from recordings.

    Attributes
    ----------
    name
        What tables call it.
    windows
        Shape ``(windows, length, dimension)``; the first state of each is known to both sides.
    model
        Transition by which the receiver extrapolates, called with noise 0; by default it holds
        the last state.
    """

    name: str
    windows: np.ndarray
    model: Transition = field(default=hold)

    def __post_init__(self) -> None:
        windows = np.asarray(self.windows, dtype=float)
        if windows.ndim != 3 or 0 in windows.shape or windows.shape[1] < 2:
            raise ValueError(
                f"replay {self.name!r}: windows must have shape (windows, length of at least 2, "
                f"dimension), got {windows.shape}"
            )
        if not np.isfinite(windows).all():
            raise ValueError(f"replay {self.name!r}: windows hold values that are not finite")
        object.__setattr__(self, "windows", windows)

    @property
    def dimension(self) -> int:
        """Number of states."""
        return self.windows.shape[2]

    @property
    def steps(self) -> int:
        """Longest path it can give."""
        return self.windows.shape[1] - 1

    def quiet_step(self, x: Any, xp: Any = np) -> Any:
        """Return what the model extrapolates one step on."""
        return self.model(x, 0.0 * x, xp)

    def roll_out(self, last: Any, age: Any, xp: Any = np) -> Any:
        """Return the model's prediction ``age`` steps from ``last``."""
        return roll_out(self.quiet_step, last, age, xp)

    def paths(self, source: Source, count: int, steps: int) -> np.ndarray:
        """Draw windows, shape ``(steps + 1, count, dimension)``; all once if ``count`` is that.

        Raises
        ------
        ValueError
            If they are shorter than ``steps``.
        """
        if steps > self.steps:
            raise ValueError(
                f"replay {self.name!r}: {steps} steps asked, its windows have {self.steps}"
            )
        total = len(self.windows)
        drawn = np.asarray(source.random((count,)))
        chosen = np.arange(total) if count == total else (drawn * total).astype(int)
        return self.windows[chosen, : steps + 1].swapaxes(0, 1).copy()
