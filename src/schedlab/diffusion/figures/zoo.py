"""Figures of the scheduler zoo."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from schedlab.lab.figures import GREY, canvas, curve, legend, looks_of, reference

FLOOR = 1e-9  # where a difference of nothing is drawn


def parity_by_class(table: pd.DataFrame, limit: float) -> Figure:
    """Draw every combination's difference from diffusers, as installed and in double precision."""
    table = table[table["defined"]]
    names = list(dict.fromkeys(table["name"]))
    figure, axes = canvas(height=3.8)
    for position, name in enumerate(names):
        part = table[table["name"] == name]
        for column, shift, colour, label in (
            ("relative", 0.16, GREY, "as installed"),
            ("in_double", -0.16, "#0173b2", "its coefficients in double precision"),
        ):
            axes.scatter(
                part[column].clip(lower=FLOOR),
                [position + shift] * len(part),
                s=7,
                color=colour,
                alpha=0.35,
                linewidths=0,
                rasterized=True,
            )
            if position == 0:  # in the legend full and large, as one pale dot is hard to tell
                axes.plot([], [], "o", color=colour, label=label)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), [name.removesuffix("Scheduler") for name in names])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("largest difference of a step, relative to the largest value in it")
    reference(axes, limit, "limit", axis="x")
    legend(figure, columns=2)
    return figure


def error_by_budget(table: pd.DataFrame, labels: list[str]) -> Figure:
    """Draw error against evaluations of the network, one line a scheduler."""
    figure, axes = canvas(height=4.8)
    shown = table[table["scheduler"].isin(labels)]
    curve(axes, shown, x="nfe", y="rmse", hue="scheduler", looks=looks_of(labels))
    _logarithmic(axes, "evaluations of the network (NFE)", "RMS distance from the exact sample")
    legend(figure, columns=3)
    return figure


def guard(table: pd.DataFrame, labels: list[str], guard_ends: int) -> Figure:
    """Draw solvers around the number of steps at which their guard stops."""
    figure, axes = canvas(height=3.2)
    shown = table[table["scheduler"].isin(labels)]
    curve(axes, shown, x="nfe", y="rmse", hue="scheduler", looks=looks_of(labels))
    _logarithmic(axes, "steps", "RMS error")
    reference(axes, guard_ends, f"guard ends at {guard_ends}", axis="x")
    legend(figure, columns=1)
    return figure


def _logarithmic(axes: Axes, x: str, y: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xticks([5, 10, 20, 50, 100])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
