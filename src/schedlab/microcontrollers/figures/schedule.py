"""Gantt charts of real schedules, the threads behind one, and where a latency comes from."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, INK, PALETTE, canvas, legend
from schedlab.microcontrollers.inference import Inference

PARTS = ("compute", "imbalance", "contention", "queue", "serial")
DOING = ("workgroup", "serial", "send", "receive", "switch", "spin")
LANE = 0.8  # height of a core's bar


def gantt(runs: Mapping[str, Inference]) -> Figure:
    """Draw whole inferences, a panel per scheduler and a lane per core.

    A bar is a workgroup; neighbouring dispatches alternate between two colours, and what is left
    white is hand-over, serial work, or waiting at a barrier.
    """
    longest = max(run.latency_s for run in runs.values())
    lanes = max(run.board.cores for run in runs.values())
    figure, panels = canvas(
        len(runs), 1, height=0.6 + (0.4 + 0.22 * lanes) * len(runs), sharex=True, squeeze=False
    )
    for axes, (label, run) in zip(panels[:, 0], runs.items(), strict=True):
        table = run.table()
        in_ms = 1e3 / run.board.clock_hz
        axes.barh(
            table["core"],
            (table["end"] - table["start"]) * in_ms,
            left=table["start"] * in_ms,
            height=LANE,
            color=np.array(PALETTE[:2])[table["step"] % 2],
            edgecolor="white",
            linewidth=0.3,
        )
        axes.axvline(1e3 * run.latency_s, color=INK, linewidth=1)
        axes.set(yticks=range(run.board.cores), xlim=(0, 1.03e3 * longest))
        axes.set_ylim(run.board.cores - 0.5, -0.5)
        axes.set_title(f"{label}: {1e3 * run.latency_s:.2f} ms", fontsize=9.5)
        axes.set_ylabel("core", fontsize=9)
        axes.grid(visible=False)
    panels[-1, 0].set_xlabel("time since the inference began (ms)")
    return figure


def threads(segments: pd.DataFrame, clock_hz: float, *, begin: float, end: float) -> Figure:
    """Draw what each core does between two times, cycles, as the thread-by-thread model has it.

    Parameters
    ----------
    segments
        Second value of :func:`schedlab.microcontrollers.ariel.run`.
    clock_hz
        Clock of the board.
    begin, end
        Window, cycles.
    """
    shown = segments[(segments["end"] > begin) & (segments["start"] < end)]
    rows = sorted(shown["core"].unique())
    figure, axes = canvas(height=1.4 + 0.5 * len(rows))
    in_us = 1e6 / clock_hz
    for colour, doing in zip(PALETTE, DOING, strict=False):
        part = shown[shown["doing"] == doing]
        if part.empty:
            continue
        left = part["start"].clip(lower=begin)
        width = part["end"].clip(upper=end) - left
        axes.barh(
            part["core"], width * in_us, left=(left - begin) * in_us, height=LANE, color=colour,
            label=doing, edgecolor="white" if doing == "workgroup" else colour, linewidth=0.3,
        )  # fmt: skip
        if doing == "workgroup":
            whole = part[(part["start"] >= begin) & (part["end"] <= end)]
            whole = whole[whole["end"] - whole["start"] > 0.12 * (end - begin)]  # room for a name
            for row in whole.itertuples():
                middle = ((row.start + row.end) / 2 - begin) * in_us
                axes.text(middle, row.core, row.thread, color="white", ha="center", va="center")
    axes.set(yticks=rows, ylabel="core", xlabel=f"time (µs), from {begin * in_us / 1e3:.2f} ms on")
    axes.set_xlim(0, (end - begin) * in_us)
    axes.invert_yaxis()
    axes.grid(visible=False)
    legend(figure, columns=6)
    return figure


def breakdown(table: pd.DataFrame) -> Figure:
    """Draw where each scheduler's latency comes from, as stacked bars in ms."""
    figure, axes = canvas(height=1.2 + 0.34 * len(table))
    left = np.zeros(len(table))
    for colour, part in zip(PALETTE, PARTS, strict=False):
        width = table[f"{part}_ms"].to_numpy()
        axes.barh(table["scheduler"], width, left=left, color=colour, label=part, height=0.62)
        left += width
    for row, (total, gain) in enumerate(zip(left, table["speed_up"], strict=True)):
        axes.text(total, row, f" {gain:.2f}×", va="center", color=GREY, fontsize=9)
    axes.set_xlim(0, 1.1 * left.max())
    axes.set_xlabel("latency (ms)")
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    legend(figure, columns=5)
    return figure
