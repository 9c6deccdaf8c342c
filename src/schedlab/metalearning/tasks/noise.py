"""One model of corrupted tasks, the same for every scheduler.

Two numbers are apart: how many tasks are corrupted, and how badly a corrupted one is. The paper's
public code corrupts query labels when it trains with ATS and support labels when it trains
uniformly, which does not compare like with like; here ``where`` says which, for all.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from schedlab.metalearning.batches import Tasks


@dataclass(frozen=True)
class Noise:
    """How training tasks are corrupted.

    Attributes
    ----------
    share
        Probability that a task is noisy, in [0, 1]; 1 corrupts all.
    strength
        Classification: probability in [0, 1] that a label of a noisy task is replaced by another
        class, so that (ways - 1)/ways makes labels uniformly random. Regression: standard
        deviation of what is added to its targets, in their unit.
    where
        Which labels: ``"support"`` or ``"query"``.
    """

    share: float = 0.0
    strength: float = 0.8
    where: str = "support"

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"noise: share must lie in [0, 1], got {self.share}")
        if self.strength < 0:
            raise ValueError(f"noise: strength must not be negative, got {self.strength}")
        if self.where not in ("support", "query"):
            raise ValueError(f"noise: where must be support or query, got {self.where!r}")

    def corrupt(self, tasks: Tasks, ways: int | None, generator: torch.Generator) -> Tasks:
        """Return the tasks with some of them corrupted.

        A task that is noisy at one share is noisy at every larger one, and in the same way.

        Parameters
        ----------
        tasks
            Clean tasks.
        ways
            Number of classes, or ``None`` in regression.
        generator
            Source of randomness.

        Raises
        ------
        ValueError
            If the strength is no probability although labels are classes.
        """
        noisy = torch.rand(len(tasks), generator=generator) < self.share
        labels = f"y_{self.where}"
        clean = getattr(tasks, labels)
        if ways is None:
            changed = clean + self.strength * torch.randn(clean.shape, generator=generator)
        else:
            changed = flip_labels(clean, ways, self.strength, generator)
        mask = noisy.reshape(-1, *[1] * (clean.ndim - 1))
        return replace(tasks, **{labels: torch.where(mask, changed, clean)}, noisy=noisy)


def flip_labels(labels: Tensor, ways: int, flip: float, generator: torch.Generator) -> Tensor:
    """Return labels of which each is replaced, with probability ``flip``, by another class.

    Raises
    ------
    ValueError
        If ``flip`` is no probability.
    """
    if not 0 <= flip <= 1:
        raise ValueError(f"noise: strength must be a probability for labels, got {flip}")
    shift = torch.randint(1, ways, labels.shape, generator=generator)
    flipped = torch.rand(labels.shape, generator=generator) < flip
    return torch.where(flipped, (labels + shift) % ways, labels)
