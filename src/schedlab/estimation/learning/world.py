"""Thousands of plants in parallel, as tensors of shape (members, plants, ...)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from schedlab.estimation.plants import Linear, Problem


@dataclass(frozen=True)
class View:
    """What can be seen of all plants before the decision.

    Attributes
    ----------
    state, predicted, last
        State, noise-free roll-out since the last message, and that message,
        ``(members, plants, d)``. Of a linear plant all are relative to the roll-out, which is
        exact, since nothing depends on the origin, and keeps unstable plants bounded.
    age
        Steps since the last message, at least 1, ``(members, plants)``, int64.
    """

    state: Tensor
    predicted: Tensor
    last: Tensor
    age: Tensor


class World:
    """Plants that run in step; the caller decides who sends.

    Parameters
    ----------
    problem
        Plant and cost.
    rngs
        A random stream per member.
    plants
        Parallel plants of each member.
    """

    def __init__(self, problem: Problem, rngs: Sequence[np.random.Generator], plants: int) -> None:
        self.plant = problem.plant
        self.rngs = list(rngs)
        self.plants = plants
        self.relative = isinstance(self.plant.transition, Linear)
        self.restart()

    def restart(self) -> None:
        """Put every plant one step after its start, which both sides know."""
        shape = (len(self.rngs), self.plants)
        start = torch.as_tensor(np.asarray(self.plant.start), dtype=torch.float32)
        origin = torch.zeros_like(start) if self.relative else start
        self.last = origin.expand(*shape, -1).clone()
        self.age = torch.zeros(shape, dtype=torch.int64)
        self.state, self.predicted = self.last, self.last
        self.advance(torch.ones(shape, dtype=torch.bool), self.draw(1)[0])

    def view(self) -> View:
        """Return what can be seen now."""
        return View(self.state, self.predicted, self.last, self.age)

    def draw(self, steps: int) -> Tensor:
        """Return process noise for some steps, ``(steps, members, plants, m)``."""
        shape = (steps, self.plants, self.plant.noise_dimension)
        drawn = [self.plant.noise.sample(rng, shape) for rng in self.rngs]
        return torch.from_numpy(np.stack(drawn, axis=1).astype(np.float32))

    def advance(self, sent: Tensor, noise: Tensor) -> None:
        """Let a step pass.

        Parameters
        ----------
        sent
            Who communicates its state now, bool ``(members, plants)``.
        noise
            One step of :meth:`draw`.
        """
        told = sent.unsqueeze(-1)
        self.age = torch.where(sent, 1, self.age + 1)
        if self.relative:
            self.state = self._next(torch.where(told, 0.0, self.state), noise)
            return
        self.last = torch.where(told, self.state, self.last)
        known = torch.where(told, self.state, self.predicted)
        self.predicted = self._next(known, torch.zeros_like(noise))
        self.state = self._next(self.state, noise)

    def _next(self, state: Tensor, noise: Tensor) -> Tensor:
        return self.plant.transition(state, noise, torch)
