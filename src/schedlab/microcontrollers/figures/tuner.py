"""When a coarser grid pays, what tuning brings, what fits in memory, and the cache before flash."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, INK, PALETTE, bars, canvas, curve, legend, reference

FLASH = ("weights", "kernels", "firmware")
RAM = ("tensors", "stacks and slots")


def crossover(table: pd.DataFrame) -> Figure:
    """Draw latency over the default grid's against the cost of a hand-over, a line per network."""
    rows = table[table["grid"] != "default"]
    per_network = rows.groupby(["model", "job_cycles", "seed"], sort=False)["over_default"].mean()
    shown = (100 * per_network).rename("percent").reset_index()
    figure, axes = canvas(height=4.4)
    curve(axes, shown, x="job_cycles", y="percent", hue="model")
    axes.set_xscale("symlog", linthresh=250)
    reference(axes, 0.0, "default grid")
    axes.set(
        xlabel="cost of a hand-over (cycles)",
        ylabel="latency of the coarser grid,\nagainst default (%)",
    )
    legend(figure, columns=3)
    return figure


def gains(table: pd.DataFrame) -> Figure:
    """Draw what the best candidate saves against Ariel's queue with the default grid."""
    rows = table.assign(
        where=table["model"] + " · " + table["board"], percent=100 * table["gain"], seed=0
    )
    figure, axes = canvas(height=0.9 + 0.36 * len(rows))
    bars(axes, rows, category="where", value="percent", looks=_plain(rows["where"]))
    for k, row in enumerate(rows.itertuples()):
        axes.text(
            row.percent, k, f"  {row.scheduler}, {row.grid}", va="center", fontsize=8, color=GREY
        )
    axes.set_xlim(0, 1.6 * max(rows["percent"].max(), 1))
    axes.set_xlabel("latency saved against Ariel's queue with the default grid (%)")
    return figure


def _plain(labels: pd.Series) -> dict:
    from schedlab.lab.figures import Look

    return {label: Look(PALETTE[0], "o", "-", "") for label in labels}


def memory(table: pd.DataFrame) -> Figure:
    """Draw flash and RAM of every network on every board, stacked, with what the board has."""
    rows = table.assign(where=table["model"] + " · " + table["board"])
    figure, panels = canvas(1, 2, height=1.5 + 0.24 * len(rows), sharey=True)
    _stack(panels[0], rows, FLASH, "flash_kib", PALETTE)
    _stack(panels[1], rows, RAM, "sram_kib", PALETTE[3:])
    panels[0].set_yticks(range(len(rows)), rows["where"], fontsize=7.5)
    panels[0].invert_yaxis()
    panels[0].set_xlabel("flash (KiB)")
    panels[1].set_xlabel("RAM (KiB)")
    legend(figure, columns=3)
    return figure


def _stack(
    axes: Axes, rows: pd.DataFrame, parts: tuple[str, ...], room: str, colours: tuple[str, ...]
) -> None:
    left = np.zeros(len(rows))
    for colour, part in zip(colours, parts, strict=False):
        axes.barh(range(len(rows)), rows[part], left=left, color=colour, label=part, height=0.7)
        left += rows[part].to_numpy()
    axes.plot(rows[room], range(len(rows)), "|", color=INK, markersize=7, label="the board has")
    axes.set_xscale("log", base=2)
    axes.set_xlim(16, 1.3 * rows[room].max())
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")


def cliff(table: pd.DataFrame) -> Figure:
    """Draw cycles per multiply-accumulate, measured by others and modelled, for each network."""
    figure, axes = canvas(height=3.6)
    for k, (board, part) in enumerate(table.groupby("board", sort=False)):
        axes.plot(part["network"], part["cycles_per_mac"], "os"[k % 2], color=PALETTE[k],
                  label=f"{board}, measured")  # fmt: skip
        axes.plot(part["network"], part["modelled"], color=PALETTE[k], linewidth=1,
                  linestyle="--", label=f"{board}, model")  # fmt: skip
    axes.set(ylabel="cycles per multiply-accumulate", ylim=(0, None))
    legend(figure, columns=2)
    return figure
