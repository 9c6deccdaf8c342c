"""Figures of SeedSelect."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, curve, legend


def losses(table: pd.DataFrame) -> Figure:
    """Draw the loss against iterations, a line per start."""
    figure, axes = canvas(height=3.0)
    curve(axes, table, x="iteration", y="loss", hue="start")
    axes.set(xlabel="iteration", ylabel="loss of SeedSelect")
    legend(figure)
    return figure
