"""Tasks of equal size, stacked: what worlds hand out and learners take in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tasks:
    """A stack of tasks, each a support set to adapt on and a query set to be judged by.

    Leading axes are ``n`` tasks as a world gives them, or ``seeds, n`` as a training loop stacks
    them.

    Attributes
    ----------
    x_support, x_query
        Inputs, shape ``(..., n, k, *shape)``, float32.
    y_support, y_query
        Class numbers from 0, shape ``(..., n, k)``, or real targets, shape ``(..., n, k, 1)``.
    noisy
        Whether a task's labels were corrupted, shape ``(..., n)``. No scheduler but an oracle
        may look.
    classes
        Global number of each of a task's classes, shape ``(..., n, ways)``; None in regression.
    group
        A number for pictures: family of a task; shape ``(..., n)`` or None.
    """

    x_support: Tensor
    y_support: Tensor
    x_query: Tensor
    y_query: Tensor
    noisy: Tensor
    classes: Tensor | None = None
    group: Tensor | None = None

    def __len__(self) -> int:
        """Return the number of tasks along the first axis."""
        return len(self.noisy)

    def take(self, index: Tensor) -> Tasks:
        """Return some of the tasks.

        Parameters
        ----------
        index
            Shape ``(b,)`` for a stack of tasks, ``(seeds, b)`` for stacks of several seeds, each
            of which picks its own.
        """
        if index.ndim == 1:
            return self._each(lambda values: values[index])
        return self._each(lambda values: pick(values, index))

    def split(self, size: int) -> list[Tasks]:
        """Return the tasks of several seeds in pieces of at most ``size`` tasks."""
        count = self.noisy.shape[1]
        pieces = [slice(start, start + size) for start in range(0, count, size)]
        return [self._each(lambda values, p=piece: values[:, p]) for piece in pieces]

    def to(self, device: torch.device | str) -> Tasks:
        """Return the tasks on another device."""
        return self._each(lambda values: values.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Tasks:
        return Tasks(*(None if v is None else change(v) for v in _values(self)))


def pick(values: Tensor, index: Tensor) -> Tensor:
    """Return what each seed picks: ``values[s, index[s]]`` for every seed ``s``.

    Parameters
    ----------
    values
        Shape ``(seeds, n, ...)``.
    index
        Shape ``(seeds, b)``.

    Returns
    -------
    Shape ``(seeds, b, ...)``.
    """
    # On a CPU selecting rows takes a quarter of the time of indexing by them.
    seeds, n = values.shape[:2]
    rows = (index + n * torch.arange(seeds).unsqueeze(1)).flatten()
    return values.flatten(0, 1).index_select(0, rows).unflatten(0, index.shape)


def stack(members: Sequence[Tasks]) -> Tasks:
    """Return the tasks of several seeds with an axis for the seeds in front.

    Raises
    ------
    ValueError
        If the seeds' tasks differ in size.
    """
    columns = list(zip(*map(_values, members), strict=True))
    if unequal := [c for c in columns if c[0] is not None and len({v.shape for v in c}) > 1]:
        sizes = " and ".join(sorted({str(tuple(v.shape)) for v in unequal[0]}))
        raise ValueError(f"tasks of seeds differ in size: {sizes}; give every seed equal ones")
    return Tasks(*(None if column[0] is None else torch.stack(column) for column in columns))


def _values(tasks: Tasks) -> list[Tensor | None]:
    return [getattr(tasks, field.name) for field in fields(tasks)]
