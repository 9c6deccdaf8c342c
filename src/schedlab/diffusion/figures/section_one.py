"""Figures of every scheduler on the learned model."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from schedlab.diffusion.figures.learned import show
from schedlab.lab.figures import GREY, canvas, curve, legend, looks_of
from schedlab.lab.statistics import interval


def gaps(table: pd.DataFrame) -> Figure:
    """Draw the distance to real images by scheduler, one mark a method."""
    schedulers = list(dict.fromkeys(table["scheduler"]))
    methods = list(dict.fromkeys(table["method"]))
    looks = looks_of(methods)
    figure, axes = canvas(height=0.28 * len(schedulers) + 1.2)
    for (scheduler, method), part in table.groupby(["scheduler", "method"], sort=False):
        found = interval(part["frechet"].to_numpy())
        position = schedulers.index(scheduler) + 0.12 * (methods.index(method) - 2)
        look = looks[method]
        ends = [max(found.low, 1e-9), found.high] if found.n > 1 else [found.estimate] * 2
        axes.plot(ends, [position] * 2, color=look.colour, linewidth=1)
        axes.plot(
            found.estimate,
            position,
            color=look.colour,
            marker=look.marker,
            linestyle="none",
            markersize=4.5,
            label=method if scheduler == schedulers[0] else None,
        )
    axes.set_yticks(range(len(schedulers)), schedulers)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlim(left=0)
    axes.set_xlabel("Fréchet distance of images from the middle of a path")
    legend(figure, columns=5)
    return figure


def few_steps(table: pd.DataFrame) -> Figure:
    """Draw the distance from the long run against evaluations."""
    figure, axes = canvas(height=4.2)
    looks = looks_of(list(dict.fromkeys(table["scheduler"])))
    curve(axes, table, x="nfe", y="rmse", hue="scheduler", looks=looks)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sorted(table["nfe"].unique()))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("evaluations of the network (NFE)")
    axes.set_ylabel("RMS distance from a long run")
    legend(figure)
    return figure


def samples(
    images: Mapping[tuple[str, int], np.ndarray], schedulers: Sequence[str], budgets: Sequence[int]
) -> Figure:
    """Draw one row a scheduler and one panel a budget, from the same seeds."""
    figure, panels = canvas(
        len(schedulers), len(budgets), height=0.24 * len(schedulers) + 0.3, squeeze=False
    )
    for row, scheduler in zip(panels, schedulers, strict=True):
        for axes, budget in zip(row, budgets, strict=True):
            axes.set_axis_off()
            if (scheduler, budget) in images:
                show(axes, images[scheduler, budget], 10)
        row[0].text(
            -0.03, 0.5, scheduler, transform=row[0].transAxes, ha="right", va="center", fontsize=8
        )
    for axes, budget in zip(panels[0], budgets, strict=True):
        axes.set_title(f"{budget} evaluations", fontsize=8.5, fontweight="normal", loc="center")
    return figure


def memory(table: pd.DataFrame) -> Figure:
    """Draw what DDIM forgets against its share of randomness."""
    figure, axes = canvas(height=2.8)
    curve(axes, table[table["eta"].notna()], x="eta", y="forgotten", hue="scheduler")
    axes.axhline(1.0, color=GREY, linewidth=1, linestyle=(0, (2, 2)), label="nothing remembered")
    axes.set_xlabel("η, the share of DDPM's noise")
    axes.set_ylabel("share of own noise")
    axes.set_ylim(bottom=0)
    legend(figure)
    return figure
