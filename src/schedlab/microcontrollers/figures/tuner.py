"""When a coarser grid pays, and what fits in memory."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, curve, legend, reference


def crossover(table: pd.DataFrame) -> Figure:
    """Draw latency over the default grid's against the cost of a hand-over, a line per network."""
    rows = table[table["grid"] != "default"]
    means = rows.groupby(["model", "job_cycles", "seed"], sort=False)["over_default"].mean()
    shown = (100 * means).rename("percent").reset_index()
    figure, axes = canvas(height=4.0)
    curve(axes, shown, x="job_cycles", y="percent", hue="model")
    axes.set_xscale("symlog", linthresh=250)
    axes.set_xlabel("cost of a hand-over (cycles)")
    axes.set_ylabel("latency of the coarser grid,\nagainst the default grid (%)")
    reference(axes, 0.0, "default grid")
    legend(figure, columns=3)
    return figure


def memory(table: pd.DataFrame) -> Figure:
    """Draw the share of flash and RAM that each network fills on each board; red does not fit."""
    networks, boards = table["model"].nunique(), table["board"].nunique()
    figure, panels = canvas(1, 2, height=1.0 + 0.3 * max(networks, boards), sharey=True)
    _shares(panels[0], table, "flash_share", "flash filled (%)")
    _shares(panels[1], table, "ram_share", "RAM filled (%)")
    return figure


def _shares(axes: Axes, table: pd.DataFrame, column: str, title: str) -> None:
    order = {"index": table["model"].unique(), "columns": table["board"].unique()}
    cells = table.pivot_table(index="model", columns="board", values=column)
    grid = 100 * cells.reindex(**order)
    axes.imshow(grid.clip(upper=100), cmap="Blues", vmin=0, vmax=130, aspect="auto")
    for (row, at), share in np.ndenumerate(grid.to_numpy()):
        if np.isfinite(share):
            colour = "black" if share <= 100 else "#b00020"
            axes.text(at, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(grid.shape[1]), grid.columns, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(grid.shape[0]), grid.index, fontsize=8.5)
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0)
    axes.grid(visible=False)
