"""What a predictor is trained for: an order, a length, or a class of lengths.

An objective turns output lengths into labels, judges a model's outputs by them, and turns outputs
into scores that grow as the answer is expected to get shorter.
"""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from schedlab.ranking.losses import LIST_LOSSES

LONGEST = 8192
"""L_max of the paper: longer answers count as this long, tokens."""


class Objective(Protocol):
    """What a trained predictor needs to know; ``state`` is what saving it has to keep."""

    state: dict[str, np.ndarray]

    def fit(self, lengths: np.ndarray) -> "Objective":
        """Learn from the training lengths what labels there are."""

    @property
    def outputs(self) -> int:
        """Numbers that the model must put out for a prompt."""

    def labels(self, lengths: np.ndarray) -> Tensor:
        """Return the label of each training length."""

    def loss(self, outputs: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of one list; ``outputs`` has shape (n, number of outputs)."""

    def scores(self, outputs: Tensor) -> Tensor:
        """Return one score per row of ``outputs``."""

    def accuracy(self, outputs: Tensor, lengths: np.ndarray) -> float:
        """Return the share of right classes; NaN where there are no classes."""


class Order:
    """An order of the lengths, by one of :data:`schedlab.ranking.losses.LIST_LOSSES`.

    The label of the paper's section 4.2, ``floor(L_max / g) - floor(min(l, L_max) / g)``: buckets
    of ``g`` tokens make it robust to the noise of sampling.

    Parameters
    ----------
    loss
        Name of the loss.
    bucket
        g, tokens.
    """

    outputs = 1

    def __init__(self, loss: str, bucket: int) -> None:
        self.list_loss, self.bucket, self.state = LIST_LOSSES[loss], bucket, {}

    def fit(self, lengths: np.ndarray) -> "Order":
        """Learn nothing: labels are the same for all data."""
        return self

    def labels(self, lengths: np.ndarray) -> Tensor:
        """Return the bucket of each length, counted from the longest."""
        buckets = np.minimum(lengths, LONGEST) // self.bucket
        return torch.from_numpy(LONGEST // self.bucket - buckets)

    def loss(self, outputs: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of one list."""
        return self.list_loss(outputs[:, 0], labels, generator)

    def scores(self, outputs: Tensor) -> Tensor:
        """Return the outputs as they are."""
        return outputs[:, 0]

    def accuracy(self, outputs: Tensor, lengths: np.ndarray) -> float:
        """Return NaN: an order has no classes."""
        return float("nan")


class Regression:
    """Least squares on minus the logarithm of the length, centred over the training set."""

    outputs = 1

    def __init__(self) -> None:
        self.state: dict[str, np.ndarray] = {}

    def fit(self, lengths: np.ndarray) -> "Regression":
        """Remember the mean, so that a model without intercept can fit."""
        self.state = {"mean": np.array([-np.log(lengths).mean()])}
        return self

    def labels(self, lengths: np.ndarray) -> Tensor:
        """Return minus the logarithm of each length, less the mean."""
        return torch.from_numpy(-np.log(lengths) - self.state["mean"]).float()

    def loss(self, outputs: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean squared error."""
        return mse_loss(outputs[:, 0], labels)

    def scores(self, outputs: Tensor) -> Tensor:
        """Return the expected minus log-length."""
        return outputs[:, 0] + float(self.state["mean"][0])

    def accuracy(self, outputs: Tensor, lengths: np.ndarray) -> float:
        """Return NaN: a regression has no classes."""
        return float("nan")


class Classes:
    """A class of lengths, by cross entropy; the score is minus the most likely class.

    As in the authors' code the score is not the expected but the most likely class, so that many
    requests tie. Classes that no training prompt has are left out of the model; it would never
    predict them.

    Parameters
    ----------
    bucket
        Width of a class: tokens, or per cent of the training lengths.
    percentiles
        Whether classes hold equal shares of the training set rather than equal ranges of tokens.
    """

    def __init__(self, bucket: int, *, percentiles: bool = False) -> None:
        self.bucket, self.percentiles = bucket, percentiles
        self.state: dict[str, np.ndarray] = {}

    def fit(self, lengths: np.ndarray) -> "Classes":
        """Learn where classes end, and which of them occur."""
        if self.percentiles:
            ends = np.unique(np.percentile(lengths, np.arange(self.bucket, 100, self.bucket)))
        else:
            ends = np.arange(self.bucket, LONGEST, self.bucket)
        present = np.unique(np.searchsorted(ends, lengths, side="right"))
        self.state = {"ends": ends, "present": present}
        return self

    @property
    def outputs(self) -> int:
        """Number of classes that occur."""
        return len(self.state["present"])

    def classes(self, lengths: np.ndarray) -> np.ndarray:
        """Return the true class of each length, 0 the shortest, whether it occurred or not."""
        return np.searchsorted(self.state["ends"], lengths, side="right")

    def labels(self, lengths: np.ndarray) -> Tensor:
        """Return the place of each length's class among those that occur."""
        return torch.from_numpy(np.searchsorted(self.state["present"], self.classes(lengths)))

    def loss(self, outputs: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean cross entropy."""
        return cross_entropy(outputs, labels)

    def scores(self, outputs: Tensor) -> Tensor:
        """Return minus the most likely class."""
        return -torch.from_numpy(self.state["present"])[outputs.argmax(dim=1).cpu()].double()

    def accuracy(self, outputs: Tensor, lengths: np.ndarray) -> float:
        """Return the share of lengths whose class was the most likely one."""
        return float((-self.scores(outputs).numpy() == self.classes(lengths)).mean())


CLASSES = {"classes": False, "percentiles": True}
LOSSES = (*LIST_LOSSES, "regression", *CLASSES)
"""What a predictor can be trained for, by the names that ``params.yaml`` uses."""


def objective(loss: str, bucket: int) -> Objective:
    """Return the objective of a name and a bucket width.

    Parameters
    ----------
    loss
        One of :data:`LOSSES`.
    bucket
        Tokens that a label does not tell apart: g of the paper for an order, the width of a class
        for ``classes`` (there per cent for ``percentiles``); without meaning for ``regression``.

    Raises
    ------
    ValueError
        If the name is unknown or the width impossible.
    """
    if loss not in LOSSES:
        raise ValueError(f"unknown loss {loss!r}; allowed are {', '.join(LOSSES)}")
    most = 50 if loss == "percentiles" else LONGEST
    if not isinstance(bucket, int) or not 1 <= bucket <= most:
        raise ValueError(f"bucket must be a whole number from 1 to {most}, got {bucket!r}")
    if loss in CLASSES:
        return Classes(bucket, percentiles=CLASSES[loss])
    return Regression() if loss == "regression" else Order(loss, bucket)
