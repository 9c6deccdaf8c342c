"""Figures of latency and capacity against load."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, bars, canvas, curve, legend, reference
from schedlab.serving.figures.looks import looks_in


def latency_against_load(
    latency: pd.DataFrame,
    metric: str,
    *,
    label: str,
    bound: float,
    objective: tuple[float, str] | None = None,
    top: float | None = None,
) -> Figure:
    """Draw one latency metric of all users against the arrival rate, a line per scheduler.

    Parameters
    ----------
    latency
        Table of :func:`schedlab.serving.experiment.load.latency_against_load`.
    metric
        Column to draw, in s.
    label
        Words for the vertical axis, with unit.
    bound
        Rate beyond which no scheduler is stable (Theorem 1), requests/s.
    objective
        Value and name of a limit to draw.
    top
        Upper end of the vertical axis.
    """
    table = latency[latency["class"] == "all"]
    figure, axes = canvas(height=4.6)
    curve(axes, table, x="rate", y=metric, hue="scheduler", looks=looks_in(latency))
    axes.set(xlabel="arrival rate (requests/s)", ylabel=label)
    axes.set_ylim(0, top)
    _throughput_bound(axes, bound)
    if objective:
        reference(axes, *objective)
    legend(figure, columns=2)
    return figure


def tbt_against_load(latency: pd.DataFrame) -> Figure:
    """Draw the 99th percentile of the time between tokens against load, a panel per class."""
    classes = [name for name in latency["class"].unique() if name != "all"]
    figure, panels = canvas(1, len(classes), height=4.6, sharex=True, squeeze=False)
    for axes, name in zip(panels[0], classes, strict=True):
        table = latency[latency["class"] == name]
        curve(axes, table, x="rate", y="tbt_p99_s", hue="scheduler", looks=looks_in(latency))
        reference(axes, float(table["tbt_limit_s"].iloc[0]), "promised")
        axes.set(xlabel="arrival rate (requests/s)", title=f"{name} users", yscale="log")
    panels[0][0].set_ylabel("p99 time between tokens (s)")
    legend(figure, columns=2)
    return figure


def capacity_bars(capacity: pd.DataFrame, bound: float) -> Figure:
    """Draw the highest rate that meets the objectives, a bar per scheduler, and Theorem 1."""
    labels = capacity["scheduler"].unique()
    figure, axes = canvas(height=0.8 + 0.45 * len(labels))
    bars(axes, capacity, category="scheduler", value="capacity", looks=looks_in(capacity))
    _throughput_bound(axes, bound)
    axes.set_xlabel("highest rate that meets all objectives (requests/s)")
    return figure


def _throughput_bound(axes: Axes, bound: float) -> None:
    """Mark Theorem 1 on the axis of rates: as a line, or by an arrow if it lies far outside."""
    _, right = axes.get_xlim()
    if bound < 1.3 * right:
        reference(axes, bound, "Theorem 1", axis="x")
    else:
        words = f"Theorem 1: unstable beyond {bound:.2f} requests/s →"
        style = {"color": GREY, "fontsize": 9, "ha": "right", "va": "bottom"}
        axes.annotate(words, (1, 1.01), xycoords="axes fraction", **style)
