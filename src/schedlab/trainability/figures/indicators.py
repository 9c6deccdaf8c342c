"""Figures of the indicators."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, legend, looks_of
from schedlab.trainability.indicators import NAMES
from schedlab.trainability.labels import METHODS


def scatter(by_task: pd.DataFrame) -> Figure:
    """Draw accuracy against each single-cause indicator, one point per seed and task."""
    figure, panels = canvas(3, 2, height=8.4, sharey=True)
    looks = looks_of(by_task["method"])
    for axes, (name, words) in zip(panels.flat, NAMES.items(), strict=True):
        for method, part in by_task.groupby("method", sort=False):
            look = looks[method]
            axes.plot(
                part[name],
                part["accuracy"],
                look.marker,
                color=look.colour,
                alpha=0.8,
                label=METHODS[method],
            )
        axes.set_xlabel(words)
    for row in panels:
        row[0].set_ylabel("training accuracy")
    legend(figure, columns=4)
    return figure


def predictions(table: pd.DataFrame) -> Figure:
    """Draw accuracy as each bound predicts it against accuracy as it was."""
    bounds = list(dict.fromkeys(table["bound"]))
    figure, panels = canvas(1, len(bounds), height=3.6, sharey=True)
    looks = looks_of(table["method"])
    ends = [table["accuracy"].min(), table["accuracy"].max()]
    for axes, bound in zip(panels, bounds, strict=True):
        for method, part in table[table["bound"] == bound].groupby("method", sort=False):
            look = looks[method]
            style = {"color": look.colour, "label": METHODS[method]}
            axes.plot(part["accuracy"], part["predicted"], look.marker, **style)
        axes.plot(ends, ends, color="#5f6973", linewidth=0.8)
        axes.set(xlabel="accuracy", title=bound)
    panels[0].set_ylabel("predicted accuracy")
    legend(figure, columns=4)
    return figure
