"""Figures of what bounds an order."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, canvas, legend, looks_of
from schedlab.lab.statistics import interval


def perfect_classes(table: pd.DataFrame, reached: Mapping[str, float]) -> Figure:
    """Draw the tau of classifiers that never err, a group of marks per division into classes.

    Parameters
    ----------
    table
        Table of :func:`schedlab.ranking.experiment.limits.perfect_classes`.
    reached
        Tau of the paper's ranker by workload, drawn as level lines.
    """
    divisions, looks = list(table["classes"].unique()), looks_of(table["workload"].unique())
    figure, axes = canvas()
    for place, (workload, part) in enumerate(table.groupby("workload", sort=False)):
        look, shift = looks[workload], 0.12 * (place - (len(looks) - 1) / 2)
        taus = part.groupby("classes", sort=False)["tau"].apply(lambda t: interval(t).estimate)
        axes.plot(
            [divisions.index(name) + shift for name in taus.index],
            taus,
            linestyle="none",
            marker=look.marker,
            color=look.colour,
            markersize=9,
            label=workload,
        )
        if workload in reached:
            axes.axhline(reached[workload], color=look.colour, linewidth=1, linestyle=look.line)
    axes.annotate(
        "lines: the paper's ranker",
        (0.99, 0.5),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="top",
        color=GREY,
        fontsize=9,
    )
    axes.set_xticks(range(len(divisions)), divisions)
    axes.set(xlabel="width of a class", ylabel="Kendall's tau of perfect classes", ylim=(0, 1.04))
    legend(figure)
    return figure
