"""Speed-up against the cost of a hand-over, the number of cores, and their speeds."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, Look, canvas, curve, legend, reference


def overhead(table: pd.DataFrame) -> Figure:
    """Draw speed-up on two cores against the cost of a hand-over, a line per scheduler."""
    means = _over_networks(table, ["scheduler", "overhead"], "speed_up")
    figure, axes = canvas(height=4.6)
    curve(axes, means, x="overhead", y="speed_up", hue="scheduler")
    axes.set_xscale("symlog", linthresh=0.03)
    axes.set(xlabel="cost of a hand-over (mean workgroups)", ylabel="speed-up (times)")
    reference(axes, 1.0, "one core")
    legend(figure, columns=3)
    return figure


def cores(table: pd.DataFrame) -> Figure:
    """Draw Ariel's speed-up against equal cores, tiles alone and with all costs, per network."""
    figure, panels = canvas(1, 2, height=4.4, sharey=True)
    titles = {"tiles": "near-equal tiles alone", "speed_up": "with overhead and contention"}
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        curve(axes, table, x="cores", y=column, hue="model")
        counts = sorted(table["cores"].unique())
        axes.plot(counts, counts, color=GREY, linewidth=1, linestyle=":")
        axes.set(xlabel="cores", title=title, xticks=counts, ylim=(0.8, max(counts)))
    panels[0].set_ylabel("speed-up (times)")
    legend(figure, columns=3)
    return figure


def unequal(table: pd.DataFrame, looks: dict[str, Look] | None = None) -> Figure:
    """Draw speed-up over the fast core alone against the second core's speed, per scheduler."""
    means = _over_networks(table, ["scheduler", "slow"], "speed_up")
    figure, axes = canvas(height=4.6)
    curve(axes, means, x="slow", y="speed_up", hue="scheduler", looks=looks)
    speeds = sorted(table["slow"].unique())
    axes.plot(speeds, [1 + s for s in speeds], color=GREY, linewidth=1, linestyle=":")
    axes.set(xlabel="speed of the second core", ylabel="speed-up over the fast core alone (times)")
    reference(axes, 1.0, "one core")
    legend(figure, columns=3)
    return figure


def _over_networks(table: pd.DataFrame, by: list[str], value: str) -> pd.DataFrame:
    """Return the mean over networks and boards within each seed."""
    return table.groupby([*by, "seed"], sort=False)[value].mean().reset_index()
