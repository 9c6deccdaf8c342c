"""Speed-up bars against bounds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import INK, PALETTE, canvas, legend, reference

HEIGHT = 0.26


def by_network(table: pd.DataFrame, scheduler: str, bound: str, published: float) -> Figure:
    """Draw one scheduler's speed-up for each network and board, a bar per setting.

    Parameters
    ----------
    table
        Of :func:`schedlab.microcontrollers.experiment.speed_up.speed_ups`.
    scheduler
        Whose speed-up.
    bound
        Label of the lower bounds, drawn as ticks.
    published
        The paper's figure, drawn as a line.
    """
    rows = table.assign(where=table["model"] + " · " + table["board"])
    settings, places = rows["setting"].unique(), rows["where"].unique()
    figure, axes = canvas(height=1.4 + 0.36 * len(places))
    for k, setting in enumerate(settings):
        part = rows[rows["setting"] == setting]
        heights = np.arange(len(places)) + (k - (len(settings) - 1) / 2) * HEIGHT
        mean = _means(part[part["scheduler"] == scheduler], places)
        axes.barh(heights, mean - 1, left=1, height=HEIGHT, color=PALETTE[k], label=setting)
        best = _means(part[part["scheduler"] == bound], places)
        label = "lower bounds" if k == len(settings) - 1 else None
        axes.plot(best, heights, "|", color=INK, markersize=5, label=label)
    axes.set_yticks(range(len(places)), places, fontsize=8.5)
    axes.set(xlabel="speed-up over the plain loop on one core (times)", xlim=(1, 2.05))
    reference(axes, published, f"published {published:g}", axis="x")
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    legend(figure, columns=2)
    return figure


def _means(part: pd.DataFrame, places: Sequence[str]) -> np.ndarray:
    return part.groupby("where")["speed_up"].mean().reindex(places).to_numpy()
