"""Figures of error against rate, and of rules ranked by cost."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import bars, canvas, curve, legend, looks_of


def error_against_rate(curves: pd.DataFrame) -> Figure:
    """Draw the error over all steps against the rate, a panel per system, a line per rule.

    Parameters
    ----------
    curves
        Table of :func:`schedlab.estimation.experiment.baselines.error_against_rate`.
    """
    rows = curves.fillna({"setting": 0.0})
    keys = ["system", "scheduler", "setting"]
    rows = rows.assign(rate=rows.groupby(keys)["rate"].transform("mean"))
    names = rows["system"].unique()
    looks = looks_of(rows["scheduler"])
    figure, panels = canvas(len(names), 1, height=2.7 * len(names) + 1, sharex=True, squeeze=False)
    for axes, name in zip(panels[:, 0], names, strict=True):
        shown = rows[(rows["system"] == name) & rows["rate"].between(0.03, 0.97)]
        curve(axes, shown, x="rate", y="mse", hue="scheduler", looks=looks)
        axes.set(title=name, ylabel="mean squared error", xlim=(0, 0.8), ylim=(0, 2.0))
    panels[-1, 0].set_xlabel("messages per step")
    legend(figure, columns=2)
    return figure


def ranking(ranked: pd.DataFrame) -> Figure:
    """Draw the cost of every rule at its best setting, cheapest on top.

    Parameters
    ----------
    ranked
        Table of :func:`schedlab.estimation.experiment.baselines.ranking`.
    """
    labels = ranked["scheduler"].unique()
    figure, axes = canvas(height=0.8 + 0.42 * len(labels))
    plain = {label: look for label in labels for look in looks_of(["one"]).values()}
    bars(axes, ranked, category="scheduler", value="cost", looks=plain)
    axes.set_xlabel("cost per step")
    return figure
