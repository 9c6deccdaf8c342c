"""Figures of the shared channel."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.estimation.experiment.channel import POLICIES
from schedlab.lab.figures import canvas, curve, legend, looks_of

LOOKS = looks_of(POLICIES)


def contention(table: pd.DataFrame) -> Figure:
    """Draw error, messages of a loop and latency against the number of loops.

    Parameters
    ----------
    table
        Of :func:`schedlab.estimation.experiment.channel.contention`.
    """
    figure, panels = canvas(1, 3, height=3.4)
    words = ("squared error", "messages per step", "latency (steps)")
    for axes, column, label in zip(panels, ("mse", "attempts", "latency"), words, strict=True):
        curve(axes, table, x="loops", y=column, hue="policy", looks=LOOKS)
        axes.set_title(label, fontsize=10)
        axes.set(xlabel="loops", ylim=(0, None))
    legend(figure, columns=2)
    return figure


def impairments(table: pd.DataFrame) -> Figure:
    """Draw error against the probability of loss, a panel per delay.

    Parameters
    ----------
    table
        Of :func:`schedlab.estimation.experiment.channel.impairments`.
    """
    delays = sorted(table["delay"].unique())
    figure, panels = canvas(1, len(delays), height=3.6, squeeze=False)
    for axes, delay in zip(panels[0], delays, strict=True):
        curve(axes, table[table["delay"] == delay], x="loss", y="mse", hue="policy", looks=LOOKS)
        axes.set(xlabel="probability of loss", title=f"delay of {delay:g}", ylim=(0, None))
    panels[0, 0].set_ylabel("mean squared error")
    legend(figure, columns=2)
    return figure
