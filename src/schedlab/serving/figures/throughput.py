"""Figures of RAD and the throughput bound."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import bars, canvas, curve, legend, looks_of, reference
from schedlab.serving.figures.looks import looks_in


def backlog_over_time(backlog: pd.DataFrame) -> Figure:
    """Draw the requests in the system over time, a line per load around the bound."""
    table = backlog.assign(label=(100 * backlog["load"]).map("{:.0f} % of the bound".format))
    figure, axes = canvas(height=4.2)
    curve(axes, table, x="time_s", y="requests", hue="label", looks=looks_of(table["label"]))
    for line in axes.lines:
        line.set_marker("")
    axes.set(xlabel="time (s)", ylabel="requests in the system", ylim=(0, None))
    legend(figure, columns=3)
    return figure


def share_of_bound(throughput: pd.DataFrame) -> Figure:
    """Draw each scheduler's saturated throughput as a share of the bound, a panel per mix."""
    mixes = throughput["mix"].unique()
    labels = throughput["scheduler"].unique()
    figure, panels = canvas(1, len(mixes), height=0.9 + 0.4 * len(labels), squeeze=False)
    for axes, mix in zip(panels[0], mixes, strict=True):
        part = throughput[throughput["mix"] == mix]
        bars(axes, part, category="scheduler", value="share", looks=looks_in(throughput))
        axes.set(xlabel="share of the bound", title=mix, xlim=(0, 1.05))
        reference(axes, 1.0, "", axis="x")
    for axes in panels[0][1:]:
        axes.set_yticklabels([])
    return figure


def share_by_cycle(cycles: pd.DataFrame) -> Figure:
    """Draw RAD's saturated throughput as a share of the bound, a bar per cycle length."""
    labels = cycles["scheduler"].unique()
    figure, axes = canvas(height=0.8 + 0.45 * len(labels))
    bars(axes, cycles, category="scheduler", value="share", looks=looks_in(cycles))
    reference(axes, 1.0, "", axis="x")
    axes.set_xlabel("share of the bound")
    return figure


def tile_staircase(staircase: pd.DataFrame, tiling: pd.DataFrame) -> Figure:
    """Draw tokens per second against tokens in the batch, and what saturated runs reached.

    Parameters
    ----------
    staircase
        Columns ``cost_model, tokens, tokens_per_s``; up to three models are told apart.
    tiling
        Table of :func:`schedlab.serving.experiment.throughput.tiling`.
    """
    figure, axes = canvas(height=4.2)
    shades = ("#5f6973", "#9aa3ab", "#c3c9ce")
    for shade, name in zip(shades, staircase["cost_model"].unique(), strict=False):
        model = staircase[staircase["cost_model"] == name]
        label = name.removesuffix("-staircase").upper()
        axes.plot(model["tokens"], model["tokens_per_s"], color=shade, marker=".", label=label)
    table = tiling.assign(tokens=tiling["budget"] + tiling["extra"])
    more = table["scheduler"] + ", 8 tokens more"
    table["label"] = table["scheduler"].where(table["extra"] == 0, more)
    size = 15.0  # the first is the largest, so that equal points show
    for label, look in looks_of(table["label"]).items():
        reached = table[table["label"] == label].groupby("tokens")["tokens_per_s"].mean()
        style = {"color": look.colour, "markersize": size, "markeredgecolor": "white"}
        axes.plot(reached, look.marker, label=label, **style)
        size *= 0.6
    axes.set(xlabel="tokens in a batch", ylabel="tokens per second", ylim=(0, None))
    legend(figure, columns=2)
    return figure
