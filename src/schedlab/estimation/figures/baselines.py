"""Figures of error against rate."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, curve, legend, looks_of


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
    figure, panels = canvas(1, len(names), height=4.8, sharex=True, sharey=True, squeeze=False)
    for axes, name in zip(panels[0], names, strict=True):
        shown = rows[(rows["system"] == name) & rows["rate"].between(0.03, 0.97)]
        curve(axes, shown, x="rate", y="mse", hue="scheduler", looks=looks)
        axes.set(title=name, xlabel="messages per step", xlim=(0, 0.75))
        axes.set(yscale="log", ylim=(0.03, 5))
    panels[0, 0].set_ylabel("mean squared error")
    legend(figure, columns=2)
    return figure
