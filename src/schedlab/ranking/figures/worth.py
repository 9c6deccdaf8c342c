"""Figures of what a better predictor is worth."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, INK, bars, canvas, curve, legend, looks_of, reference
from schedlab.lab.statistics import interval


def latency_by_tau(
    dial: pd.DataFrame,
    shapes: pd.DataFrame,
    bounds: pd.DataFrame,
    published: Mapping[float, float],
) -> Figure:
    """Draw mean latency against tau, with the two shapes of error and the bounds.

    Parameters
    ----------
    dial, shapes, bounds
        Tables of :mod:`schedlab.ranking.experiment.worth`.
    published
        The paper's latency by tau.
    """
    labels = ["errors everywhere", "shortest 70 % shuffled", "longest 70 % shuffled"]
    looks = looks_of(labels)
    figure, axes = canvas(height=4.2)
    curve(axes, dial.assign(label=labels[0]), x="tau", y="latency_mean", hue="label", looks=looks)
    for label, (_, runs) in zip(labels[1:], shapes.groupby("kind", sort=False), strict=True):
        found = interval(runs["latency_mean"])
        tau, look = runs["tau_measured"].mean(), looks[label]
        style = {"color": look.colour, "marker": look.marker, "markersize": 8, "linestyle": ""}
        axes.plot([tau], [found.estimate], label=label, **style)
        axes.plot([tau, tau], [found.low, found.high], color=look.colour)
    theirs = {"marker": "D", "markerfacecolor": "none", "markeredgecolor": INK, "linestyle": ""}
    axes.plot(list(published), list(published.values()), label="published, figure 2b", **theirs)
    levels = bounds.groupby("scheduler", sort=False)["latency_mean"].mean()
    for name, level in levels.items():
        reference(axes, level, "")
        right = level == levels.max()  # the curve falls, so there is room on the other side
        style = {"textcoords": "offset points", "fontsize": 9, "color": GREY}
        style |= {"xytext": (-3 if right else 3, 3), "ha": "right" if right else "left"}
        axes.annotate(name, (float(right), level), xycoords=axes.get_yaxis_transform(), **style)
    axes.set(xlabel="Kendall's tau of the order", ylabel="mean latency (s/token)", ylim=(0, None))
    legend(figure, columns=2)
    return figure


def end_to_end_bars(real: pd.DataFrame) -> Figure:
    """Draw the mean latency of real requests, a bar per policy."""
    labels = real["scheduler"].unique()
    figure, axes = canvas(height=0.9 + 0.34 * len(labels))
    bars(axes, real, category="scheduler", value="latency_mean", looks=looks_of(labels))
    axes.set_xlabel("mean latency (s/token)")
    return figure
