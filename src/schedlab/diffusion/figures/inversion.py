"""Figures of inversion on the mixture."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, curve, legend, looks_of, reference

METHODS = {"ddim": "DDIM inversion", "fixed_point": "fixed point", "newton": "guided Newton"}


def round_trips(table: pd.DataFrame, rounds: int) -> Figure:
    """Draw the error of a round trip against steps, one panel a method."""
    looks = looks_of(list(dict.fromkeys(table["scheduler"])))
    figure, panels = canvas(1, len(METHODS), height=4.4, sharey=True)
    for axes, (method, title) in zip(panels, METHODS.items(), strict=True):
        part = table[(table["method"] == method) & table["iterations"].isin((0, rounds))]
        curve(axes, part, x="steps", y="rmse", hue="scheduler", looks=looks)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(title)
        _ticks(axes, table)
        axes.set_xlabel("steps")
    panels[0].set_ylabel("RMS error of the round trip")
    legend(figure)
    return figure


def sizes(table: pd.DataFrame, scheduler: str, rounds: int) -> Figure:
    """Draw the size of the seeds that the methods find for one scheduler."""
    part = table[(table["scheduler"] == scheduler) & table["iterations"].isin((0, rounds))]
    part = part.assign(method=part["method"].map(METHODS))
    figure, axes = canvas(height=3.4)
    curve(axes, part, x="steps", y="size", hue="method", looks=looks_of(list(METHODS.values())))
    axes.set_xscale("log")
    _ticks(axes, table)
    axes.set_xlabel(f"steps of {scheduler}")
    axes.set_ylabel("RMS of the seeds")
    reference(axes, 1.0, "standard normal seeds")
    legend(figure)
    return figure


def _ticks(axes: Axes, table: pd.DataFrame) -> None:
    """Mark the numbers of steps that were run."""
    axes.set_xticks(sorted(table["steps"].unique()))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
