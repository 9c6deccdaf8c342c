"""Figures of inversion on the mixture."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, canvas, curve, legend, looks_of


def round_trips(table: pd.DataFrame, rounds: int) -> Figure:
    """Draw the error of a round trip against steps, one panel a method."""
    looks = looks_of(list(dict.fromkeys(table["scheduler"])))
    figure, panels = canvas(2, 2, height=5.2, sharex=True, sharey=True)
    methods = list(dict.fromkeys(table["method"]))
    for axes, method in zip(panels.flat, methods, strict=True):
        part = table[(table["method"] == method) & table["iterations"].isin((0, rounds))]
        curve(axes, part, x="steps", y="rmse", hue="scheduler", looks=looks)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(method)
        _ticks(axes, table)
    for axes in panels[:, 0]:
        axes.set_ylabel("RMS error of a round trip")
    for axes in panels[1]:
        axes.set_xlabel("steps")
    legend(figure)
    return figure


def sizes(table: pd.DataFrame, scheduler: str, rounds: int) -> Figure:
    """Draw the size of the seeds that the methods find for one scheduler."""
    part = table[(table["scheduler"] == scheduler) & table["iterations"].isin((0, rounds))]
    figure, axes = canvas(height=3.2)
    curve(axes, part, x="steps", y="size", hue="method")
    axes.set_xscale("log")
    _ticks(axes, table)
    axes.set_xlabel(f"steps of {scheduler}")
    axes.set_ylabel("RMS of the seeds")
    axes.axhline(1.0, color=GREY, linewidth=1, linestyle=(0, (2, 2)), label="standard normal")
    legend(figure)
    return figure


def _ticks(axes: Axes, table: pd.DataFrame) -> None:
    """Mark the numbers of steps that were run."""
    axes.set_xticks(sorted(table["steps"].unique()))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
