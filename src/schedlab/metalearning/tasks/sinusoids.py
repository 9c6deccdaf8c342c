"""Regression to sine curves, the family on which meta-learning is commonly explained.

Every task is a function ``amplitude * sin(x + phase)``, known exactly, so that what noise costs can
be measured without an estimate of what was attainable. An input is the point x, scaled to [-1, 1],
and a constant beside it: on x alone a network without biases bends nowhere but at 0, and learning
where to bend is all that it would do in its first thousands of steps.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from schedlab.metalearning.batches import Tasks
from schedlab.metalearning.tasks.noise import Noise
from schedlab.metalearning.tasks.scores import negative_error
from schedlab.metalearning.tasks.world import check_sizes, random_stream

AMPLITUDES = (0.1, 5.0)
INPUTS = 5.0  # x is drawn from [-5, 5]
BANDS = 4  # of the amplitude, as groups for pictures


@dataclass
class Sinusoids:
    """Tasks of fitting a sine curve; a :class:`~.world.World`.

    Attributes
    ----------
    seed
        Of the budget, the validation tasks and the test tasks.
    shots, queries
        Points to adapt on and to be judged by.
    noise
        How training tasks are corrupted.
    budget
        How many curves training knows; ``None`` for all there are.
    validation_tasks, test_tasks
        How many of each.
    """

    seed: int
    shots: int = 10
    queries: int = 10
    noise: Noise = field(default_factory=lambda: Noise(strength=4.0))
    budget: int | None = None
    validation_tasks: int = 24
    test_tasks: int = 200

    objective = "regression"
    shape = (2,)
    outputs = 1
    score_name = "minus mean squared error"
    score = staticmethod(negative_error)

    def __post_init__(self) -> None:
        """Draw the curves of the budget and the fixed tasks."""
        check_sizes(shots=self.shots, queries=self.queries, budget=self.budget or 1)
        check_sizes(validation_tasks=self.validation_tasks, test_tasks=self.test_tasks)
        known = random_stream(self.seed, "budget")
        self.curves = None if self.budget is None else random_curves(self.budget, known)
        self.validation = self._fixed(self.validation_tasks, "validation")
        self.test = self._fixed(self.test_tasks, "test")

    def pool(self, n: int, generator: torch.Generator) -> Tasks:
        """Return ``n`` candidates for training, some of them corrupted."""
        return self.noise.corrupt(self.clean(n, generator), None, generator)

    def clean(self, n: int, generator: torch.Generator) -> Tasks:
        """Return the same candidates without corruption."""
        if self.curves is None:
            return self._draw(random_curves(n, generator), generator)
        picked = torch.randint(len(self.curves), (n,), generator=generator)
        return self._draw(self.curves[picked], generator)

    def _fixed(self, n: int, name: str) -> Tasks:
        stream = random_stream(self.seed, "world", name)
        return self._draw(random_curves(n, stream), stream)

    def _draw(self, curves: Tensor, generator: torch.Generator) -> Tasks:
        points = torch.rand(len(curves), self.shots + self.queries, 1, generator=generator)
        x = 2 * points - 1
        inputs, targets = torch.cat([x, torch.ones_like(x)], -1), sine(curves, INPUTS * x)
        low, high = AMPLITUDES
        return Tasks(
            inputs[:, : self.shots],
            targets[:, : self.shots],
            inputs[:, self.shots :],
            targets[:, self.shots :],
            noisy=torch.zeros(len(curves), dtype=torch.bool),
            group=(BANDS * (curves[:, 0] - low) / (high - low)).long().clamp(0, BANDS - 1),
        )


def random_curves(n: int, generator: torch.Generator) -> Tensor:
    """Return amplitudes in [0.1, 5] and phases in [0, π], shape ``(n, 2)``."""
    low, high = AMPLITUDES
    drawn = torch.rand(n, 2, generator=generator)
    return drawn * torch.tensor([high - low, math.pi]) + torch.tensor([low, 0.0])


def sine(curves: Tensor, x: Tensor) -> Tensor:
    """Return the curves' values at ``x`` of shape ``(n, k, 1)``."""
    amplitude, phase = curves[:, 0, None, None], curves[:, 1, None, None]
    return amplitude * torch.sin(x + phase)
