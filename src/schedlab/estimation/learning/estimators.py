"""Silence-aware estimators of all members at once: a table of biases, or a perceptron."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from schedlab.estimation.learning.networks import Perceptrons
from schedlab.estimation.learning.settings import TrainingSettings


@dataclass(frozen=True)
class Context:
    """What standardises the inputs of the networks.

    Attributes
    ----------
    error
        Standard deviation of a one-step prediction error, ``(d,)``.
    centre, spread
        Mean and standard deviation of the state, ``(d,)``.
    relative
        Whether states are relative to the noise-free prediction, so that only age matters.
    """

    error: Tensor
    centre: Tensor
    spread: Tensor
    relative: bool

    def standard(self, state: Tensor) -> Tensor:
        """Return states in standard units."""
        return (state - self.centre) / self.spread


@dataclass(frozen=True)
class Silences:
    """States that were not sent, in tensors padded to equal length.

    Attributes
    ----------
    last, age
        Last message ``(members, samples, d)`` and age ``(members, samples)``.
    residual
        State minus noise-free prediction, ``(members, samples, d)``.
    silent
        Which samples count, ``(members, samples)``.
    """

    last: Tensor
    age: Tensor
    residual: Tensor
    silent: Tensor


class BiasTable:
    """``xhat = g0(x_last, k) + b_k``, all there is to learn of a linear plant.

    Parameters
    ----------
    biases
        ``(members, ages, d)``; older silences share the last age.
    fewest
        Silences of an age below which its bias is left as it is.
    """

    def __init__(self, biases: Tensor, fewest: int) -> None:
        self.biases = biases
        self.fewest = fewest

    def correction(self, last: Tensor, age: Tensor) -> Tensor:
        """Return what is added to the prediction, ``(members, plants, d)``."""
        row = self._row(age)
        return self.biases.gather(1, row.unsqueeze(-1).expand(-1, -1, self.biases.shape[-1]))

    def fit(self, found: Silences, learning: Tensor) -> Tensor:
        """Set biases to the conditional means given silence; return who had data enough.

        Parameters
        ----------
        found
            What silence looked like.
        learning
            Members whose estimator may change, bool ``(members,)``.
        """
        row, weight = self._row(found.age), found.silent.float()
        wide = row.unsqueeze(-1).expand_as(found.residual)
        count = torch.zeros(self.biases.shape[:2]).scatter_add_(1, row, weight)
        total = torch.zeros_like(self.biases)
        total.scatter_add_(1, wide, found.residual * weight.unsqueeze(-1))
        known = (count >= self.fewest) & learning.unsqueeze(1)
        mean = total / count.clamp(min=1).unsqueeze(-1)
        self.biases = torch.where(known.unsqueeze(-1), mean, self.biases)
        return found.silent.sum(1) >= self.fewest

    def state(self) -> list[Tensor]:
        """Return the learned tensors, members first."""
        return [self.biases]

    def _row(self, age: Tensor) -> Tensor:
        return (age - 1).clamp(max=self.biases.shape[1] - 1)


class ResidualNetwork:
    """``xhat = g0(x_last, k) + h(x_last, 1/k, log k)``, for any plant whose messages are states.

    Parameters
    ----------
    dimension
        Of the state.
    context
        What standardises the inputs.
    settings
        Of the training.
    generators
        One a member, for weights and minibatches.
    """

    def __init__(
        self,
        dimension: int,
        context: Context,
        settings: TrainingSettings,
        generators: Sequence[torch.Generator],
    ) -> None:
        inputs = 2 if context.relative else 2 + dimension
        widths = [inputs, *settings.estimator_hidden, dimension]
        self.network = Perceptrons(widths, generators, last_gain=0.01)
        self.context, self.settings, self.generators = context, settings, generators

    def correction(self, last: Tensor, age: Tensor) -> Tensor:
        """Return what is added to the prediction, ``(members, plants, d)``."""
        return self.network(estimator_inputs(last, age, self.context)) * self.context.error

    def fit(self, found: Silences, learning: Tensor) -> Tensor:
        """Minimise the squared error on silent samples; return who had data enough."""
        enough = found.silent.sum(1) >= self.settings.fewest_silences
        moving = (enough & learning).float()
        inputs = estimator_inputs(found.last, found.age, self.context)
        target = found.residual / self.context.error
        rows = [torch.where(s)[0] if s.any() else torch.zeros(1, dtype=int) for s in found.silent]
        # Adam anew each round: without momentum, a member without gradient does not move.
        optimiser = torch.optim.Adam(self.network.parameters(), self.settings.estimator_rate)
        for _ in range(self.settings.estimator_steps):
            index = self._drawn(rows).unsqueeze(-1)
            off = self.network(inputs.gather(1, index.expand(-1, -1, inputs.shape[-1])))
            off = off - target.gather(1, index.expand(-1, -1, target.shape[-1]))
            optimiser.zero_grad(set_to_none=True)
            (off.square().sum(-1).mean(1) * moving).sum().backward()
            optimiser.step()
        return enough

    def _drawn(self, rows: Sequence[Tensor]) -> Tensor:
        size = (self.settings.estimator_minibatch,)
        picks = zip(rows, self.generators, strict=True)
        return torch.stack([r[torch.randint(len(r), size, generator=g)] for r, g in picks])

    def state(self) -> list[Tensor]:
        """Return the learned tensors, members first."""
        return [p.detach() for p in self.network.parameters()]


def estimator_inputs(last: Tensor, age: Tensor, context: Context) -> Tensor:
    """Return ``(1/k, log k)``, after the standardised last message unless only age matters."""
    k = age.float()
    clock = torch.stack([1 / k, k.log()], dim=-1)
    return clock if context.relative else torch.cat([context.standard(last), clock], dim=-1)
