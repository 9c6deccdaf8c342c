"""What the compiler makes of a network, by target: grids, and bytes of flash."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import HATCHES, MARKERS, PALETTE, canvas, legend
from schedlab.microcontrollers import costs

KINDS = {"text_bytes": "kernels", "constants_bytes": "weights"}


def grids(table: pd.DataFrame) -> Figure:
    """Draw the workgroups of every dispatch, a panel per model and a marker per target.

    Parameters
    ----------
    table
        Of :func:`schedlab.microcontrollers.experiment.kernels.graphs`.
    """
    models, targets = table["model"].unique(), table["target"].unique()
    top = table["workgroups"].max()
    ticks = [4**k for k in range(10) if 4**k <= 2 * top]
    height = 0.9 + 1.15 * len(models)
    figure, panels = canvas(len(models), 1, height=height, squeeze=False, sharex=True)
    for axes, model in zip(panels.flat, models, strict=True):
        for k, target in enumerate(targets):
            rows = table[(table["model"] == model) & (table["target"] == target)]
            places = rows["dispatch"] + 1 + 0.16 * (k - (len(targets) - 1) / 2)
            style = {"color": PALETTE[k], "marker": MARKERS[k], "linestyle": "none"}
            axes.plot(places, rows["workgroups"], label=target, **style)
        axes.set(ylabel="workgroups", ylim=(0.7, 2 * top), yscale="log")
        axes.set_yticks(ticks, map(str, ticks))
        axes.minorticks_off()
        axes.set_title(costs.title(model), fontsize=9, loc="left")
    axes.set_xticks(range(1, table["dispatch"].max() + 2))
    axes.set_xlabel("dispatch, in program order")
    legend(figure, columns=2)
    return figure


def flash(sizes: pd.DataFrame) -> Figure:
    """Draw the bytes of kernels and weights of each model on each target.

    Parameters
    ----------
    sizes
        Of :func:`schedlab.microcontrollers.experiment.kernels.size_table`.
    """
    places = sizes["model"].map(costs.title) + " · " + sizes["target"]
    figure, axes = canvas(height=1.0 + 0.27 * len(places))
    left = np.zeros(len(places))
    for k, (column, label) in enumerate(KINDS.items()):
        kilobytes = sizes[column].to_numpy() / 1000
        axes.barh(places, kilobytes, left=left, color=PALETTE[k], hatch=HATCHES[k], label=label)
        left += kilobytes
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8.5)
    axes.set_xlabel("flash (kB)")
    legend(figure)
    return figure
