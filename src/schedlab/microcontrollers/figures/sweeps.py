"""Speed-up against contention, the number of cores, the cost of a hand-over, and unequal cores."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, canvas, curve, legend, reference


def contention_and_cores(contention: pd.DataFrame, cores: pd.DataFrame, published: float) -> Figure:
    """Draw Ariel's speed-up against contention on two cores, and against equal cores, per network.

    Parameters
    ----------
    contention, cores
        Tables of :mod:`schedlab.microcontrollers.experiment.sweeps`, of one board.
    published
        The paper's figure for two cores, drawn as a line.
    """
    figure, (left, right) = canvas(1, 2, height=4.2)
    curve(left, contention, x="beta", y="speed_up", hue="model")
    reference(left, published, f"published {published:g}")
    left.set(xlabel="contention β", ylabel="speed-up (times)", title="two cores")
    curve(right, cores, x="cores", y="tiles", hue="model")
    counts = sorted(cores["cores"].unique())
    right.plot(counts, counts, color=GREY, linewidth=1, linestyle=":")
    right.set(xlabel="equal cores", xticks=counts, title="tiles alone")
    legend(figure, columns=3)
    return figure


def overhead_and_speeds(overhead: pd.DataFrame, unequal: pd.DataFrame) -> Figure:
    """Draw speed-up against the cost of a hand-over and the second core's speed, per scheduler.

    Parameters
    ----------
    overhead, unequal
        Tables of :mod:`schedlab.microcontrollers.experiment.sweeps`; networks and boards are
        averaged within each seed.
    """
    figure, (left, right) = canvas(1, 2, height=4.4, sharey=True)
    curve(left, _over_networks(overhead, "overhead"), x="overhead", y="speed_up", hue="scheduler")
    left.set(xlabel="hand-over (mean workgroups)", ylabel="speed-up (times)", title="equal cores")
    curve(right, _over_networks(unequal, "slow"), x="slow", y="speed_up", hue="scheduler")
    speeds = sorted(unequal["slow"].unique())
    right.plot(speeds, [1 + speed for speed in speeds], color=GREY, linewidth=1, linestyle=":")
    right.set(xlabel="speed of the second core", title="unequal cores")
    for axes in (left, right):
        reference(axes, 1.0, "one core")
    legend(figure, columns=3)
    return figure


def _over_networks(table: pd.DataFrame, by: str) -> pd.DataFrame:
    return table.groupby(["scheduler", by, "seed"], sort=False)["speed_up"].mean().reset_index()
