"""Figures of several replicas behind a router."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, curve, legend, looks_of

PANELS = {
    "ttft_mean_s": "mean time to first token (s)",
    "tokens_per_s": "tokens served per second",
}


def routers_against_load(routing: pd.DataFrame) -> Figure:
    """Draw mean TTFT and throughput against the fleet's arrival rate, a line per router."""
    table = routing[routing["class"] == "all"]
    figure, panels = canvas(1, 2, height=4.2)
    for axes, (metric, words) in zip(panels, PANELS.items(), strict=True):
        looks = looks_of(table["router"])
        curve(axes, table, x="rate", y=metric, hue="router", looks=looks)
        axes.set(xlabel="arrival rate (requests/s)", ylabel=words)
    panels[0].set_yscale("log")
    legend(figure, columns=2)
    return figure
