"""A particle filter that takes silence for what it is: a measurement."""

import numpy as np

from schedlab.estimation.estimators.interface import Estimator
from schedlab.estimation.observation import observe
from schedlab.estimation.plants.plant import Plant
from schedlab.estimation.schedulers.interface import Scheduler


class ParticleFilter(Estimator):
    """Particles through the plant, weighted by the probability of silence, resampled.

    The scheduler may look at state, last message, prediction and age; not at the estimate, which
    would have to be known before the silence that it depends on.

    Attributes
    ----------
    plant
        Any with ``step`` and ``quiet_step``.
    scheduler
        What the sender is known to use; ``None`` takes silence for missing data.
    rng
        Source of randomness.
    particles
        Per plant.
    """

    def __init__(
        self,
        plant: Plant,
        scheduler: Scheduler | None,
        rng: np.random.Generator,
        *,
        particles: int = 200,
    ) -> None:
        if particles < 2:
            raise ValueError(f"particles: expected at least 2, got {particles}")
        self.plant, self.scheduler, self.rng, self.particles = plant, scheduler, rng, particles

    def reset(self, start: np.ndarray) -> None:
        """Begin with known states."""
        self.last = np.array(start, dtype=float)
        self.predicted, self.age = self.last, np.zeros(len(self.last), dtype=int)
        self.cloud = np.repeat(self.last[:, None], self.particles, axis=1)

    def propose(self) -> np.ndarray:
        """Go one step on; return the means of the beliefs after silence."""
        self.age = self.age + 1
        self.predicted = self.plant.quiet_step(self.predicted)
        self.cloud = self.plant.step(self.cloud, self.rng)
        self.weights = self._silent_weights()
        self.proposal = np.einsum("np,npd->nd", self.weights, self.cloud)
        return self.proposal

    def listen(self, states: np.ndarray, sent: np.ndarray) -> np.ndarray:
        """Collapse onto the messages; resample where there was none."""
        self.last = np.where(sent[:, None], states, self.last)
        self.predicted = np.where(sent[:, None], states, self.predicted)
        self.age = np.where(sent, 0, self.age)
        survivors = np.take_along_axis(self.cloud, self._resampled()[..., None], axis=1)
        self.cloud = np.where(sent[:, None, None], states[:, None], survivors)
        return np.where(sent[:, None], states, self.proposal)

    def _silent_weights(self) -> np.ndarray:
        """Return weights of shape ``(n, particles)``; equal ones where all particles would send."""
        n, p, d = self.cloud.shape
        if self.scheduler is None:
            return np.full((n, p), 1 / p)
        common = [np.repeat(part, p, axis=0) for part in (self.predicted, self.last)]
        states = self.cloud.reshape(n * p, d)
        seen = observe(states, common[0], *common, np.repeat(self.age, p))
        silent = self.scheduler.silent_probability(seen).reshape(n, p)
        total = silent.sum(axis=1, keepdims=True)
        return np.where(total > 0, silent, 1.0) / np.where(total > 0, total, p)

    def _resampled(self) -> np.ndarray:
        """Return systematic draws of particle numbers, shape ``(n, particles)``."""
        n, p = self.weights.shape
        edges = np.cumsum(self.weights, axis=1)
        marks = (np.arange(p) + self.rng.random((n, 1))) / p
        # One sorted search for all plants: plant i owns the interval from i to i + 1.
        offset = np.arange(n)[:, None]
        flat = np.searchsorted((edges + offset).ravel(), (marks + offset).ravel(), side="right")
        return np.clip(flat.reshape(n, p) - offset * p, 0, p - 1)
