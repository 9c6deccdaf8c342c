"""Figures of served requests: policies side by side, and the paper's numbers among them."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import INK, Look, bars, canvas, curve, legend


def policy_bars(
    table: pd.DataFrame,
    metric: str,
    *,
    label: str,
    looks: Mapping[str, Look],
    published: pd.DataFrame | None = None,
) -> Figure:
    """Draw one metric, a bar per policy, a panel per model and trace; published values as marks.

    Parameters
    ----------
    table
        Columns ``model, trace, scheduler, seed`` and the metric.
    metric
        Column to draw.
    label
        Words for the horizontal axes, with unit.
    looks
        Look of each policy.
    published
        The same columns without ``seed``; where it has no row, no mark is set.
    """
    models, traces = table["model"].unique(), table["trace"].unique()
    labels = list(table["scheduler"].unique())
    height = len(models) * (0.55 + 0.28 * len(labels))
    figure, panels = canvas(len(models), len(traces), height=height, squeeze=False, sharex="col")
    for row, model in zip(panels, models, strict=True):
        for axes, trace in zip(row, traces, strict=True):
            part = table[(table["model"] == model) & (table["trace"] == trace)]
            bars(axes, part, category="scheduler", value=metric, looks=looks)
            axes.set_title(f"{trace}, {model}")
            if published is not None:
                theirs = published[(published["model"] == model) & (published["trace"] == trace)]
                _mark(axes, labels, theirs.set_index("scheduler")[metric])
        for axes in row[1:]:
            axes.set_yticklabels([])
    for axes in panels[-1]:
        axes.set_xlabel(label)
    return figure


def _mark(axes: Axes, labels: list[str], values: pd.Series) -> None:
    known = values[values.index.isin(labels)]
    rows = [labels.index(name) for name in known.index]
    style = {"marker": "D", "markersize": 6, "markerfacecolor": "white", "markeredgecolor": INK}
    axes.plot(known, rows, linestyle="", label="published", **style)


def curves(
    table: pd.DataFrame,
    *,
    x: str,
    metric: str,
    labels: Mapping[str, str],
    looks: Mapping[str, Look],
    published: pd.DataFrame | None = None,
    logarithmic: str = "",
) -> Figure:
    """Draw one metric against another column, a line per policy, a panel per trace.

    Parameters
    ----------
    table
        Columns ``scheduler, trace, seed``, that of ``x``, and the metric.
    x, metric
        Columns to draw.
    labels
        Words for the axes by column.
    looks
        Look of each policy.
    published
        The paper's values, drawn as hollow marks.
    logarithmic
        ``"x"``, ``"y"`` or ``"xy"``.
    """
    traces = table["trace"].unique()
    figure, panels = canvas(1, len(traces), height=4.2, squeeze=False, sharey=True)
    for axes, trace in zip(panels[0], traces, strict=True):
        part = table[table["trace"] == trace]
        curve(axes, part, x=x, y=metric, hue="scheduler", looks=looks)
        if published is not None:
            _published_points(axes, published[published["trace"] == trace], x, metric, looks)
        axes.set(xlabel=labels[x], title=str(trace))
        if "y" in logarithmic:
            axes.set_yscale("log")
        if "x" in logarithmic:
            measured = sorted(table[x].unique())
            axes.set_xscale("log")
            axes.set_xticks(measured, [f"{at:g}" for at in measured])
            axes.set_xticks([], minor=True)
    panels[0][0].set_ylabel(labels[metric])
    if published is not None:
        hollow = {"marker": "o", "markerfacecolor": "none", "markersize": 8}
        panels[0][0].plot([], [], markeredgecolor=INK, linestyle="", label="published", **hollow)
    legend(figure, columns=3)
    return figure


def _published_points(
    axes: Axes, theirs: pd.DataFrame, x: str, metric: str, looks: Mapping[str, Look]
) -> None:
    for scheduler, points in theirs.groupby("scheduler", sort=False):
        if scheduler in looks:
            look = looks[scheduler]
            style = {"markerfacecolor": "none", "markeredgecolor": look.colour, "markersize": 8}
            axes.plot(points[x], points[metric], marker=look.marker, linestyle="", **style)
