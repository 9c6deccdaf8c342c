"""Receivers without a belief: they extrapolate, and may add what silence says on average."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from schedlab.estimation.estimators.interface import Estimator


class Hold(Estimator):
    """Keep the last message: the receiver that send-on-delta has in mind."""

    def predict(self, last: np.ndarray, age: np.ndarray) -> np.ndarray:
        """Return the last messages."""
        return last


class Predictor(Estimator):
    """Extrapolate without noise, as if silence were missing data.

    Attributes
    ----------
    plant
        Anything with ``roll_out`` and ``quiet_step``.
    """

    def __init__(self, plant: Any) -> None:
        self.plant = plant

    def predict(self, last: np.ndarray, age: np.ndarray) -> np.ndarray:
        """Return the extrapolations."""
        return self.plant.roll_out(last, age)

    def propose(self) -> np.ndarray:
        """Go one step on from the step before, which saves the whole roll-out."""
        self.age = self.age + 1
        self.proposal = self.plant.quiet_step(self.estimate)
        return self.proposal

    def reset(self, start: np.ndarray) -> None:
        """Begin with known states."""
        super().reset(start)
        self.estimate = self.last

    def listen(self, states: np.ndarray, sent: np.ndarray) -> np.ndarray:
        """Take messages; elsewhere keep the extrapolation."""
        self.estimate = super().listen(states, sent)
        return self.estimate


class Biased(Estimator):
    """Extrapolate and add a bias by age: the silence-aware receiver of a linear plant.

    Under a scheduler that looks at the error of prediction and the age only, the mean of the
    belief in a silent spell is ``A^age x_last + b_age``.

    Attributes
    ----------
    plant
        Anything with ``roll_out``.
    biases
        By age, from age 1 on, shape ``(ages,)`` or ``(ages, d)``; the last holds beyond.
    """

    def __init__(self, plant: Any, biases: Sequence[float] | np.ndarray) -> None:
        table = np.asarray(biases, dtype=float)
        self.biases = table[:, None] if table.ndim == 1 else table
        if self.biases.ndim != 2 or not len(self.biases):
            raise ValueError(f"biases need one entry per age, got shape {table.shape}")
        self.plant = plant
        self.base = Predictor(plant)

    def predict(self, last: np.ndarray, age: np.ndarray) -> np.ndarray:
        """Return the biased extrapolations."""
        return self.plant.roll_out(last, age) + self._bias(age)

    def reset(self, start: np.ndarray) -> None:
        """Begin with known states."""
        super().reset(start)
        self.base.reset(start)

    def propose(self) -> np.ndarray:
        """Go one step on."""
        self.proposal = self.base.propose() + self._bias(self.base.age)
        return self.proposal

    def listen(self, states: np.ndarray, sent: np.ndarray) -> np.ndarray:
        """Take messages; elsewhere keep the biased extrapolation."""
        self.base.listen(states, sent)
        return np.where(sent[:, None], states, self.proposal)

    def _bias(self, age: np.ndarray) -> np.ndarray:
        return self.biases[np.minimum(age, len(self.biases)) - 1]
