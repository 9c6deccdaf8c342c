"""The Kalman filter, with silence either missing or, under a stochastic trigger, a measurement."""

import numpy as np

from schedlab.estimation.estimators.interface import Estimator
from schedlab.estimation.plants.linear import is_linear
from schedlab.estimation.plants.plant import Plant


class Kalman(Estimator):
    """Mean and covariance of a linear plant's state given messages.

    Attributes
    ----------
    plant
        Linear; of its noise only the variance is used.
    message_noise
        Variance of every component of a message, 0 for exact ones.
    strength
        Of the stochastic trigger that the sender uses, whose silence multiplies the Gaussian
        belief by ``exp(-strength |e|² / 2)``; 0 takes silence for missing data.
    covariance
        Of every plant's belief, shape ``(n, d, d)``.
    """

    def __init__(self, plant: Plant, *, message_noise: float = 0.0, strength: float = 0.0) -> None:
        if not is_linear(plant):
            raise ValueError(f"plant {plant.name!r} is not linear; use a particle filter")
        if min(message_noise, strength) < 0:
            raise ValueError("message_noise and strength must not be negative")
        step = plant.transition
        inputs = np.eye(plant.dimension) if step.input_matrix is None else step.input_matrix
        self.matrix = step.matrix
        self.process = plant.noise.variance * inputs @ inputs.T
        self.message_noise, self.strength = message_noise, strength

    def reset(self, start: np.ndarray) -> None:
        """Begin with known states."""
        self.mean = np.array(start, dtype=float)
        self.covariance = np.zeros((*self.mean.shape, self.mean.shape[1]))

    def propose(self) -> np.ndarray:
        """Predict; a belief symmetric about its mean keeps that mean through silence."""
        self.mean = self.mean @ self.matrix.T
        self.covariance = self.matrix @ self.covariance @ self.matrix.T + self.process
        return self.mean

    def listen(self, states: np.ndarray, sent: np.ndarray) -> np.ndarray:
        """Correct by the messages, and by silence if the trigger is stochastic."""
        variance = np.where(sent, self.message_noise, _inverse(self.strength))[:, None, None]
        identity = np.eye(self.mean.shape[1])
        innovation = np.where(sent[:, None], states - self.mean, 0.0)
        informative = np.isfinite(variance)
        finite = np.where(informative, variance, 1.0)
        gain = np.linalg.solve(self.covariance + finite * identity, self.covariance)
        gain = np.where(informative, np.swapaxes(gain, 1, 2), 0.0)
        self.mean = self.mean + np.einsum("nij,nj->ni", gain, innovation)
        self.covariance = (identity - gain) @ self.covariance
        return self.mean


def _inverse(strength: float) -> float:
    return 1 / strength if strength else np.inf
