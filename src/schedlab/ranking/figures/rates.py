"""Figures of starvation control and of the gain against the depth of the queue."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from schedlab.lab.figures import Look, canvas, legend, looks_of, reference
from schedlab.lab.statistics import interval


def starvation_pareto(table: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw the mean of the longest waits against mean latency, a panel per trace.

    Parameters
    ----------
    table
        Table of :func:`schedlab.ranking.experiment.rates.starvation` at one rate.
    looks
        Look of the policies without control; each q gets one of its own.
    """
    traces = table["trace"].unique()
    quanta = [f"control, q = {q}" for q in sorted(set(table["quantum"]) - {0})]
    both = dict(zip(quanta, list(looks_of([*looks, *quanta]).values())[len(looks) :], strict=True))
    figure, panels = canvas(1, len(traces), height=4.2, squeeze=False)
    for axes, trace in zip(panels[0], traces, strict=True):
        part = table[table["trace"] == trace]
        plain = part[part["quantum"] == 0]
        for label, arm in plain.groupby("scheduler", sort=False):
            _points(axes, arm, label, looks[label])
        for quantum, arm in part[part["quantum"] > 0].groupby("quantum"):
            label = f"control, q = {quantum}"
            _points(axes, arm, label, both[label], named=label == quanta[0])
        axes.set(xlabel="mean latency (s/token)", title=trace, xlim=(0, None), ylim=(0, None))
    panels[0][0].set_ylabel("mean of the longest waits (s)")
    legend(figure, columns=4)
    return figure


def _points(axes: Axes, arm: pd.DataFrame, label: str, look: Look, *, named: bool = False) -> None:
    """Draw the arm's settings of T as points with intervals, joined and perhaps named."""
    rows = []
    for after, runs in arm.groupby("promote_after"):
        across, up = interval(runs["latency_mean"]), interval(runs["waiting_mean_s"])
        rows.append((across.estimate, up.estimate))
        style = {"color": look.colour, "linewidth": 1}
        axes.plot([across.low, across.high], [up.estimate] * 2, **style)
        axes.plot([across.estimate] * 2, [up.low, up.high], **style)
        if named:
            place = {"textcoords": "offset points", "xytext": (7, -3), "fontsize": 8}
            halo = [withStroke(linewidth=2.5, foreground="white")]  # readable on a line
            axes.annotate(f"T = {after}", rows[-1], path_effects=halo, zorder=4, **place)
    across, up = zip(*rows, strict=True)
    style = {"color": look.colour, "marker": look.marker, "linestyle": look.line}
    axes.plot(across, up, label=label, **style)


def gain_by_queue(table: pd.DataFrame) -> Figure:
    """Draw ranking's gain over FCFS against the mean queue of FCFS, a point per run."""
    looks = looks_of([f"{slots} slots" for slots in sorted(table["slots"].unique())])
    traces = table["trace"].unique()
    figure, panels = canvas(1, len(traces), height=4.0, squeeze=False, sharey=True)
    for axes, trace in zip(panels[0], traces, strict=True):
        part = table[table["trace"] == trace]
        for slots, runs in part.groupby("slots"):
            look = looks[f"{slots} slots"]
            style = {"color": look.colour, "marker": look.marker, "linestyle": ""}
            axes.plot(runs["queue"], runs["gain"], label=f"{slots} slots", alpha=0.7, **style)
        axes.set_xscale("symlog", linthresh=1)
        axes.set(xlabel="mean requests waiting under FCFS", title=trace, xlim=(0, None))
        reference(axes, 1.0, "no gain")
    panels[0][0].set(ylabel="latency of FCFS / of ranking", yscale="log")
    legend(figure, columns=4)
    return figure
