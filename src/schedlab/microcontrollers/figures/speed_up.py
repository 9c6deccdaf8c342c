"""Speed-up bars against bounds, distance to the bounds, and cycles per multiply-accumulate."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, INK, PALETTE, bars, canvas, curve, legend, reference

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
        axes.plot(
            best, heights, "|", color=INK, markersize=5, label="lower bounds" if not k else None
        )
    axes.set_yticks(range(len(places)), places, fontsize=8.5)
    axes.set(xlabel="speed-up over the plain loop on one core (times)", xlim=(1, 2.05))
    reference(axes, published, f"published {published:g}", axis="x")
    _lying(axes)
    legend(figure, columns=2)
    return figure


def _means(part: pd.DataFrame, places: Sequence[str]) -> np.ndarray:
    return part.groupby("where")["speed_up"].mean().reindex(places).to_numpy()


def by_scheduler(table: pd.DataFrame, published: float) -> Figure:
    """Draw every scheduler's mean speed-up over networks and boards, a marker per setting."""
    means = table.groupby(["setting", "scheduler", "seed"], sort=False)["speed_up"].mean()
    rows = means.reset_index()
    labels = rows["scheduler"].unique()
    figure, axes = canvas(height=1.3 + 0.3 * len(labels))
    for k, (setting, part) in enumerate(rows.groupby("setting", sort=False)):
        mean = part.groupby("scheduler")["speed_up"].mean().reindex(labels)
        axes.plot(mean, range(len(labels)), "osD^v"[k % 5], color=PALETTE[k], label=setting)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("mean speed-up over networks and boards (times)")
    reference(axes, published, f"published {published:g}", axis="x")
    _lying(axes)
    legend(figure, columns=2)
    return figure


def over_bound(table: pd.DataFrame) -> Figure:
    """Draw how far each scheduler's worst network is above the sum of lower bounds."""
    worst = table.groupby(["scheduler", "seed"], sort=False)["over_bound"].max().reset_index()
    worst["percent"] = 100 * worst["over_bound"]
    figure, axes = canvas(height=0.9 + 0.36 * worst["scheduler"].nunique())
    bars(axes, worst, category="scheduler", value="percent")
    reference(axes, 3.0, "3 %", axis="x")
    axes.set_xlabel("worst network: makespans over the sum of lower bounds (%)")
    return figure


def cycles_per_mac(ours: pd.DataFrame, anchors: pd.DataFrame) -> Figure:
    """Draw cycles per multiply-accumulate: our counts on one core, and what others measured."""
    mine = ours.groupby(["model", "board"], sort=False)["cycles_per_mac"].mean().dropna()
    rows = [(f"{m} · {b}", "counts × assumed CPI", v) for (m, b), v in mine.items()]
    rows += [
        (
            f"{r.network} · {r.board.split(' ')[0]}",
            f"{r.runtime}, measured by others",
            r.cycles_per_mac,
        )
        for r in anchors.itertuples()
    ]
    table = pd.DataFrame(rows, columns=["where", "kind", "value"])
    figure, axes = canvas(height=1.2 + 0.2 * len(table))
    for colour, (kind, part) in zip(PALETTE, table.groupby("kind", sort=False), strict=False):
        axes.barh(part.index, part["value"], color=colour, label=kind, height=0.7)
    axes.set_yticks(table.index, table["where"], fontsize=7.5)
    axes.set_xlabel("cycles per multiply-accumulate")
    _lying(axes)
    legend(figure, columns=2)
    return figure


def contention(table: pd.DataFrame, published: float) -> Figure:
    """Draw Ariel's speed-up on two cores against contention, a line per network."""
    figure, axes = canvas(height=4.4)
    curve(axes, table, x="beta", y="speed_up", hue="model")
    axes.set(
        xlabel="contention β (slow-down for the other core at work)", ylabel="speed-up (times)"
    )
    reference(axes, published, f"published {published:g}")
    axes.grid(visible=True, axis="x", color=GREY, alpha=0.15)
    legend(figure, columns=3)
    return figure


def _lying(axes: Axes) -> None:
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
