"""Figures of training, and the grid of images that all figures of samples are made of."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import INK, canvas, curve, legend

GAP = 1  # white pixels between two images


def mosaic(images: np.ndarray, columns: int) -> np.ndarray:
    """Lay out images ``(n, pixels)`` in rows of ``columns``, with white between them."""
    side = round(images.shape[1] ** 0.5)
    rows = -(-len(images) // columns)
    sheet = np.ones((rows * (side + GAP) - GAP, columns * (side + GAP) - GAP))
    for place, image in enumerate(images):
        top, left = (side + GAP) * np.array(divmod(place, columns))
        sheet[top : top + side, left : left + side] = -image.reshape(side, side)
    return sheet


def show(axes: Axes, images: np.ndarray, columns: int, title: str = "") -> None:
    """Draw images ``(n, pixels)`` as dark ink on white, values -1 to 1."""
    axes.imshow(mosaic(images, columns), cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=9.5, fontweight="normal")


def sample_grid(samples: Mapping[str, np.ndarray], columns: int = 10) -> Figure:
    """Draw images by name ``(n, pixels)``, two panels in a row."""
    rows, most = -(-len(samples) // 2), max(map(len, samples.values()))
    figure, panels = canvas(rows, 2, height=rows * (0.3 + 3.1 * most / columns**2), squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, (name, images) in zip(panels.flat, samples.items(), strict=False):
        show(axes, images, columns, name)
    return figure


def strips(rows: Mapping[str, np.ndarray], heads: Sequence[str] = ()) -> Figure:
    """Draw one row of images per name, with words above the columns.

    Parameters
    ----------
    rows
        Images ``(n, pixels)`` by the name of their row.
    heads
        Words above the images of the first row.
    """
    row = 0.1 + min(0.55, 5.5 / max(map(len, rows.values())))
    figure, panels = canvas(len(rows), 1, height=row * len(rows) + 0.3, squeeze=False)
    for axes, (name, images) in zip(panels[:, 0], rows.items(), strict=True):
        show(axes, images, len(images))
        axes.text(-0.01, 0.5, name, transform=axes.transAxes, ha="right", va="center", fontsize=9.5)
    step = round(next(iter(rows.values())).shape[1] ** 0.5) + GAP
    for place, head in enumerate(heads):
        centre = (place + 0.5) * step - GAP
        panels[0, 0].text(centre, -2, head, ha="center", va="bottom", fontsize=9, color=INK)
    return figure


def loss_curve(losses: pd.DataFrame) -> Figure:
    """Draw the training loss, mean and interval over seeds."""
    figure, axes = canvas(height=2.8)
    curve(axes, losses.assign(what="v-prediction"), x="step", y="loss", hue="what")
    axes.set(xlabel="optimiser step", ylabel="mean square error of v", yscale="log")
    legend(figure)
    return figure
