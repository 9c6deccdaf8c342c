"""Figures of the convergence bench."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from schedlab.lab.figures import GREY, INK, canvas, curve, legend, looks_of


def convergence(table: pd.DataFrame, solvers: Sequence[str], grids: Sequence[str]) -> Figure:
    """Draw error against evaluations on every grid, with the slopes of whole orders."""
    figure, panels = canvas(1, len(grids), height=4.4, sharey=True)
    looks = looks_of(list(solvers))
    for axes, grid in zip(panels, grids, strict=True):
        part = table[(table["grid"] == grid) & table["solver"].isin(solvers)]
        curve(axes, part, x="nfe", y="rmse", hue="solver", looks=looks)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(grid)
        axes.set_xlabel("NFE")
        axes.set_xticks(sorted(table["intervals"].unique())[::2])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
        _slopes(axes, part["nfe"].max())
    panels[0].set_ylabel("RMS distance from the exact sample")
    legend(figure, columns=3)
    return figure


def _slopes(axes: Axes, last: int) -> None:
    """Draw short lines with the slopes of orders 1 to 4 at the bottom left."""
    x = np.array([last / 14, last / 7])
    for order in (1, 2, 3, 4):
        y = 2e-7 * (x / x[0]) ** -order
        axes.plot(x, y, color=GREY, linewidth=1)
        axes.annotate(
            str(order),
            (x[1], y[1]),
            xytext=(2, 0),
            textcoords="offset points",
            color=GREY,
            fontsize=8,
            va="center",
        )


def measured_orders(table: pd.DataFrame, grids: Sequence[str]) -> Figure:
    """Draw the measured order of every solver beside the one it declares."""
    solvers = list(dict.fromkeys(table["solver"]))
    figure, axes = canvas(height=4.8)
    looks = looks_of([f"{grid}, {start}" for grid in grids for start in table["start"].unique()])
    for (grid, start), part in table.groupby(["grid", "start"], sort=False):
        if grid not in grids:
            continue
        mean = part.groupby("solver")["order"].mean()
        look = looks[f"{grid}, {start}"]
        axes.plot(
            mean.to_numpy(),
            [solvers.index(name) for name in mean.index],
            linestyle="none",
            marker=look.marker,
            color=look.colour,
            markersize=6,
            markerfacecolor=look.colour if start != "exact start" else "white",
            label=f"{grid}, {start}",
        )
    declared = table.groupby("solver")["declared"].first()
    for position, name in enumerate(solvers):
        axes.plot(
            [declared[name]] * 2,
            [position - 0.4, position + 0.4],
            color=INK,
            linewidth=2,
            label="declared" if position == 0 else None,
        )
    axes.set_yticks(range(len(solvers)), solvers)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("order of convergence")
    legend(figure, columns=2)
    return figure
