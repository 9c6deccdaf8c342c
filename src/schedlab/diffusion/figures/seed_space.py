"""Figures of norms, paths, centroids and inversion."""

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from schedlab.diffusion.seeds.prior import log_density
from schedlab.lab.figures import canvas, curve, legend, looks_of, reference

METHODS = {"ddim": "DDIM inversion", "fixed_point": "fixed point", "newton": "Newton"}

PATHS = ("LERP", "SLERP", "NAO")


def norms(sweep: pd.DataFrame) -> Figure:
    """Draw Fréchet distance and contrast against the norm of the seeds."""
    figure, panels = canvas(1, 2, height=3.0)
    table = sweep.assign(what="DDIM")
    for axes, column, label in zip(
        panels, ("frechet", "contrast"), ("Fréchet distance", "contrast of an image"), strict=True
    ):
        curve(axes, table, x="scale", y=column, hue="what")
        reference(axes, 1.0, "the usual norm", axis="x")
        axes.set(xlabel="norm of the seed / √d", ylabel=label)
    panels[0].set_yscale("log")
    return figure


def three_paths(lines: dict[str, Tensor], pair: int) -> Figure:
    """Draw three paths of one pair in the plane of its ends, over the density of norms."""
    chosen = {name: lines[name][0, pair].double() for name in PATHS}
    first, last = chosen["LERP"][0], chosen["LERP"][-1]
    along = first / first.norm()
    across = torch.nn.functional.normalize(last - (last @ along) * along, dim=0)
    dimensions = len(first)
    figure, axes = canvas(height=4.0)
    reach = float(dimensions) ** 0.5 * 1.25
    grid = np.linspace(-0.1 * reach, reach, 160)
    radius = np.hypot(*np.meshgrid(grid, grid))
    density = log_density(torch.from_numpy(radius), dimensions).numpy().clip(-40)
    edge = (grid[0], grid[-1], grid[0], grid[-1])
    shown = axes.imshow(density, origin="lower", extent=edge, cmap="Greys", alpha=0.75)
    figure.colorbar(shown, ax=axes, label="log-density of the norm (cut at -40)")
    for name, look in looks_of(PATHS).items():
        line = chosen[name]
        axes.plot(line @ along, line @ across, color=look.colour, linestyle=look.line, label=name)
    axes.set(xlabel="along the first seed", ylabel="across it")
    axes.grid(visible=False)
    legend(figure)
    return figure


def by_method(table: pd.DataFrame, x: str, label: str, y: str = "frechet") -> Figure:
    """Draw a measure against ``x``, one line per method."""
    figure, axes = canvas(height=3.4)
    curve(axes, table, x=x, y=y, hue="method")
    axes.set(xlabel=label, ylabel="Fréchet distance" if y == "frechet" else y)
    legend(figure)
    return figure


def round_trips(table: pd.DataFrame) -> Figure:
    """Draw error of the round trip and norm of the seed against the number of steps."""
    figure, panels = canvas(1, 2, height=3.0)
    named = table.assign(method=table["method"].replace(METHODS))
    for axes, column, label in zip(
        panels, ("rmse", "norm"), ("error of the round trip", "norm of the seed"), strict=True
    ):
        curve(axes, named, x="steps", y=column, hue="method")
        axes.set(xlabel="steps of DDIM", ylabel=label)
    panels[0].set_yscale("log")
    legend(figure)
    return figure


def photographs(rows: dict[str, list]) -> Figure:
    """Draw one row of colour images per method."""
    columns = max(map(len, rows.values()))
    figure, panels = canvas(len(rows), columns, height=1.4 * len(rows), squeeze=False)
    for line, (name, images) in zip(panels, rows.items(), strict=True):
        for axes, image in zip(line, images, strict=True):
            axes.imshow(image)
            axes.set_axis_off()
        line[0].set_title(name, fontsize=9.5, fontweight="normal")
    return figure
