"""A plant, and the problem of watching it from afar."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from schedlab.estimation.noise import Noise, Source

Transition = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Plant:
    """A plant ``x_{t+1} = f(x_t, w_t)`` with independent noise (problem statement of CALM).

    Attributes
    ----------
    name
        What tables call it.
    transition
        ``f(x, w, xp)`` over any leading axes, for states ``x`` of shape ``(..., dimension)`` and
        noise ``w`` of shape ``(..., noise_dimension)``; ``xp`` is the array library, NumPy or
        torch.
    noise
        Law of every component of ``w``.
    start
        The state before the first decision, ``x_{-1}``, which both sides know.
    noise_dimension
        Components of ``w``; by default as many as states.
    """

    name: str
    transition: Transition
    noise: Noise
    start: np.ndarray = field(default_factory=lambda: np.zeros(1))
    noise_dimension: int = 0

    def __post_init__(self) -> None:
        start = np.atleast_1d(np.asarray(self.start, dtype=float))
        if start.ndim != 1 or not np.isfinite(start).all():
            raise ValueError(f"plant {self.name!r}: start must be a finite vector, got {start}")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "noise_dimension", self.noise_dimension or start.size)

    @property
    def dimension(self) -> int:
        """Number of states."""
        return self.start.size

    def step(self, x: Any, source: Source, xp: Any = np) -> Any:
        """Return the next states of many plants."""
        w = self.noise.sample(source, (*x.shape[:-1], self.noise_dimension))
        return self.transition(x, w, xp)

    def quiet_step(self, x: Any, xp: Any = np) -> Any:
        """Return the next states without noise."""
        w = xp.zeros((*x.shape[:-1], self.noise_dimension), dtype=x.dtype)
        return self.transition(x, w, xp)

    def roll_out(self, last: Any, age: Any, xp: Any = np) -> Any:
        """Return the prediction without noise: ``age`` steps from ``last``.

        Parameters
        ----------
        last
            Last messages, shape ``(n, dimension)``.
        age
            Steps since, whole numbers of shape ``(n,)``.
        xp
            NumPy or torch.
        """
        return roll_out(self.quiet_step, last, age, xp)

    def paths(self, source: Source, count: int, steps: int) -> np.ndarray:
        """Draw trajectories, shape ``(steps + 1, count, dimension)``, from ``start`` on."""
        states = np.empty((steps + 1, count, self.dimension))
        states[0] = self.start
        for t in range(steps):
            states[t + 1] = self.step(states[t], source)
        return states


def roll_out(quiet_step: Callable[[Any, Any], Any], last: Any, age: Any, xp: Any) -> Any:
    """Return where ``age`` quiet steps from ``last`` lead, row by row."""
    x, found = last, last
    for k in range(1, int(age.max()) + 1 if len(age) else 1):
        x = quiet_step(x, xp)
        found = xp.where((age == k)[:, None], x, found)
    return found


@dataclass(frozen=True)
class Problem:
    """A plant, what errors and messages cost, and how the future is discounted.

    The cost is ``J = E sum_t discount^t (|x_t - xhat_t|^2_weight + price * sent_t)`` (cost of
    CALM's problem statement); tables give ``(1 - discount) J``, a cost per step.

    Attributes
    ----------
    plant
        What moves.
    price
        Cost of a message, above 0.
    weight
        Weight of errors, a positive semi-definite matrix; by default the identity.
    discount
        Per step, between 0 and 1.
    """

    plant: Any
    price: float
    weight: np.ndarray | None = None
    discount: float = 0.95

    def __post_init__(self) -> None:
        if not self.price > 0:
            raise ValueError(f"price of a message must be above 0, got {self.price}")
        if not 0 < self.discount < 1:
            raise ValueError(f"discount must lie between 0 and 1, got {self.discount}")
        size = self.plant.dimension
        weight = np.eye(size) if self.weight is None else np.asarray(self.weight, dtype=float)
        if weight.shape != (size, size) or np.linalg.eigvalsh(weight).min() < -1e-12:
            raise ValueError(f"weight must be positive semi-definite, {size} by {size}")
        object.__setattr__(self, "weight", weight)

    def squared_error(self, x: np.ndarray, estimate: np.ndarray) -> np.ndarray:
        """Return the weighted squared error over leading axes."""
        error = x - estimate
        if error.shape[-1] == 1:
            return self.weight[0, 0] * error[..., 0] ** 2
        return np.einsum("...i,ij,...j->...", error, self.weight, error)
