"""Pictures of the tasks themselves."""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from schedlab.lab.figures import INK, PALETTE, canvas
from schedlab.metalearning.batches import Tasks
from schedlab.metalearning.tasks.images import ImageSet

PARTS = ("training", "validation", "test")
INKED = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "none"}


def letters(source: ImageSet, columns: int = 12, rows: int = 6) -> Figure:
    """Draw some classes of each split: a row is a class, a column one of its pictures.

    Parameters
    ----------
    source
        Pictures of one channel.
    columns, rows
        Pictures of a class, and classes of each split.
    """
    figure, panels = canvas(1, 3, height=1.9)
    for part, axes in enumerate(panels):
        classes = torch.nonzero(source.split == part).flatten()
        chosen = classes[torch.linspace(0, len(classes) - 1, rows).long()]
        axes.imshow(1 - sheet(source.images[chosen, :columns, 0]), **INKED)
        axes.set_title(f"{PARTS[part]}: {len(classes)} classes", fontsize=9.5)
        axes.set_axis_off()
    return figure


def episodes(tasks: Tasks, ways: int) -> Figure:
    """Draw the support sets of a clean and a noisy task, a row for each label.

    Parameters
    ----------
    tasks
        Candidates with at least one of each kind, pictures of one channel.
    ways
        Number of labels.
    """
    shown = [int(torch.nonzero(tasks.noisy == noisy)[0]) for noisy in (False, True)]
    widest = max(int(torch.bincount(tasks.y_support[task]).max()) for task in shown)
    figure, panels = canvas(1, 2, height=2.7)
    for axes, task, title in zip(panels, shown, ("a clean task", "a noisy task"), strict=True):
        images, labels = tasks.x_support[task, :, 0], tasks.y_support[task]
        rows = [images[labels == label] for label in range(ways)]
        _support(axes, rows, widest)
        axes.set_title(title, fontsize=10)
    return figure


def _support(axes: Axes, rows: list[Tensor], width: int) -> None:
    full = [torch.cat([r, torch.zeros(width - len(r), *r.shape[1:])]) for r in rows]
    axes.imshow(1 - sheet(torch.stack(full)), **INKED)
    side = rows[0].shape[-1]
    axes.set_yticks([side * (row + 0.5) for row in range(len(rows))], range(1, len(rows) + 1))
    axes.set_xticks([])
    axes.set_ylabel("label")
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def sheet(images: Tensor) -> np.ndarray:
    """Return pictures ``(rows, columns, height, width)`` side by side as one."""
    rows, columns, height, width = images.shape
    return images.permute(0, 2, 1, 3).reshape(rows * height, columns * width).numpy()


def curves(tasks: Tasks) -> Figure:
    """Draw the points of a clean and a corrupted sine task.

    Parameters
    ----------
    tasks
        Candidates with at least one of each kind.
    """
    figure, panels = canvas(1, 2, height=2.6, sharey=True)
    for axes, noisy in zip(panels, (False, True), strict=True):
        task = int(torch.nonzero(tasks.noisy == noisy)[0])
        for name, colour, marker in (("query", INK, "."), ("support", PALETTE[1], "o")):
            x = 5 * getattr(tasks, f"x_{name}")[task, :, 0]
            y = getattr(tasks, f"y_{name}")[task, :, 0]
            axes.plot(x, y, marker, color=colour, label=name, markersize=5)
        axes.set(title="a corrupted task" if noisy else "a clean task", xlabel="x")
    panels[0].set_ylabel("target")
    panels[0].legend(frameon=False)
    return figure
