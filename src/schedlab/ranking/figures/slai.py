"""Figure of ranks inside SLAI."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, curve, legend, looks_of

PANELS = {
    "latency_mean": ("mean latency (s/token)", "log"),
    "attainment": ("share within all promises", "linear"),
    "waiting_mean_s": ("mean of the longest waits (s)", "log"),
    "waiting_p99_s": ("their 99th percentile (s)", "log"),
}


def against_load(table: pd.DataFrame) -> Figure:
    """Draw latency, promises kept and waits against load, a line per scheduler."""
    looks = looks_of(table["scheduler"])
    figure, panels = canvas(2, 2, height=5.4, sharex=True)
    for axes, (metric, (words, scale)) in zip(panels.flat, PANELS.items(), strict=True):
        curve(axes, table, x="rate", y=metric, hue="scheduler", looks=looks)
        axes.set(ylabel=words, yscale=scale)
    for axes in panels[-1]:
        axes.set_xlabel("arrival rate (requests/s)")
    legend(figure, columns=2)
    return figure
