"""Figure of ranks inside SLAI."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, curve, legend, looks_of

PANELS = {
    "latency_mean": ("mean latency (s/token)", "log"),
    "attainment": ("share within all promises", "linear"),
}


def against_load(table: pd.DataFrame) -> Figure:
    """Draw latency and promises kept against arrival rate, a column per load."""
    looks, loads = looks_of(table["scheduler"]), table["load"].unique()
    figure, panels = canvas(
        len(PANELS), len(loads), height=5.0, sharex="col", sharey="row", squeeze=False
    )
    for row, (metric, (words, scale)) in zip(panels, PANELS.items(), strict=True):
        for axes, load in zip(row, loads, strict=True):
            part = table[table["load"] == load]
            curve(axes, part, x="rate", y=metric, hue="scheduler", looks=looks)
            axes.set_yscale(scale)
        row[0].set_ylabel(words)
    for axes, load in zip(panels[0], loads, strict=True):
        axes.set_title(load)
    for axes in panels[-1]:
        axes.set_xlabel("arrival rate (requests/s)")
    legend(figure, columns=2)
    return figure
