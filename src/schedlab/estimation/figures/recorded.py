"""Figures of the recorded trajectories."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.estimation.experiment.recorded import POLICIES, READ, SLOPE
from schedlab.lab.figures import INK, bars, canvas, legend, looks_of

LOOKS = looks_of(POLICIES)


def recorded_costs(costs: pd.DataFrame) -> Figure:
    """Draw the cost of each policy relative to extrapolation, a panel per recording and price.

    Parameters
    ----------
    costs
        Of :func:`schedlab.estimation.experiment.recorded.compare`.
    """
    groups = list(costs.groupby(["recording", "price"], sort=False))
    columns = costs.groupby("recording", sort=False)["price"].nunique().max()
    rows = -(-len(groups) // columns)
    figure, panels = canvas(rows, columns, height=2.4 * rows, squeeze=False)
    for axes, ((name, price), part) in zip(panels.flat, groups, strict=False):
        base = part.loc[part["policy"] == SLOPE, "cost"].mean()
        shown = part.assign(relative=part["cost"] / base)
        bars(axes, shown, category="policy", value="relative", looks=LOOKS)
        if axes not in panels[:, 0]:
            axes.set_yticklabels([])
        axes.tick_params(axis="y", labelsize=8.5)
        axes.set_title(f"{name}, {price:g}", fontsize=9.5)
    figure.supxlabel("cost over that of extrapolation, by price of a message", fontsize=9.5)
    return figure


def recorded_strip(strip: pd.DataFrame) -> Figure:
    """Draw one window: value, estimates, and messages, for two receivers.

    Parameters
    ----------
    strip
        Of :func:`schedlab.estimation.experiment.recorded.compare`.
    """
    figure, panels = canvas(2, 1, height=4.6, sharex=True, sharey=True)
    for axes, policy in zip(panels, (SLOPE, READ), strict=True):
        part = strip[strip["policy"] == policy]
        sent = part[part["sent"]]
        axes.plot(part["step"], part["value"], color=INK, linewidth=1.0, label="sensor")
        axes.plot(part["step"], part["estimate"], color=LOOKS[READ].colour, label="receiver")
        axes.plot(sent["step"], sent["value"], "o", color=LOOKS[SLOPE].colour, label="message")
        axes.set(title=f"{policy}: {len(sent)} messages", ylabel=part["unit"].iloc[0])
    panels[-1].set_xlabel("step")
    legend(figure)
    return figure
