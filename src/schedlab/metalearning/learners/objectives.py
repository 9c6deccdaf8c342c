"""What learners lower on a set, with its gradient with respect to the outputs in closed form."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class Objective(Protocol):
    """A mean over the samples of a set."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return one loss per set, ``(..., n)``, from outputs ``(..., n, k, outputs)``."""

    def residual(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the gradient of each set's loss with respect to its outputs."""

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the outputs as scores read them."""


class CrossEntropy:
    """−log of the probability given to the true class."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return one loss per set."""
        chosen = outputs.log_softmax(-1).gather(-1, targets.unsqueeze(-1))
        return -chosen.squeeze(-1).mean(-1)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the outputs, whose largest is the class."""
        return outputs

    def residual(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return (p − y) / k."""
        one_hot = F.one_hot(targets, outputs.shape[-1])
        return (outputs.softmax(-1) - one_hot) / outputs.shape[-2]


class SquaredError:
    """Mean squared error.

    Parameters
    ----------
    slope
        Of the leaky rectifier through which the published code passes the regressor's output;
        1 leaves the output as it is.
    """

    def __init__(self, slope: float = 1.0) -> None:
        self.slope = slope

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return one loss per set."""
        return (self.predict(outputs) - targets).square().mean((-2, -1))

    def residual(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return 2 (f − y) f′ / k."""
        error = 2 * (self.predict(outputs) - targets) / (targets.shape[-2] * targets.shape[-1])
        return error if self.slope == 1 else error * torch.where(outputs > 0, 1, self.slope)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the outputs as they are compared with targets."""
        return outputs if self.slope == 1 else F.leaky_relu(outputs, self.slope)


OBJECTIVES = {"classification": CrossEntropy, "regression": SquaredError}
"""What is lowered in each kind of world."""
