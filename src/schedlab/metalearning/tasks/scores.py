"""How well a task is solved: one number per task, larger is better."""

from torch import Tensor


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the share of queries whose largest output is their class.

    Parameters
    ----------
    outputs
        Logits, shape ``(..., n, k, ways)``.
    targets
        Classes, shape ``(..., n, k)``.
    """
    return (outputs.argmax(-1) == targets).float().mean(-1)


def squared_correlation(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return R², the squared Pearson correlation, as the paper scores its assays.

    A task whose outputs or targets do not vary has none; it counts as 0.

    Parameters
    ----------
    outputs, targets
        Shape ``(..., n, k, 1)``.
    """
    x, y = (values.squeeze(-1) for values in (outputs, targets))
    x, y = (values - values.mean(-1, keepdim=True) for values in (x, y))
    scale = x.square().sum(-1) * y.square().sum(-1)
    return (x * y).sum(-1).square() / scale.clamp_min(1e-12)


def negative_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return minus the mean squared error; shapes as for :func:`squared_correlation`."""
    return -(outputs - targets).square().mean((-2, -1))
