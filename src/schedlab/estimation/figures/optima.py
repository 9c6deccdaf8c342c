"""Figures of exact pairs: costs, silent sets, and where alternation goes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, INK, bars, canvas, curve, legend, looks_of, reference

PAIRS = ("zero-bias", "estimator-only", "joint")
LOOKS = looks_of(PAIRS)


def pair_bars(simulations: pd.DataFrame) -> Figure:
    """Draw what each pair costs, a panel per system, relative to zero-bias.

    Parameters
    ----------
    simulations
        Table of :func:`schedlab.estimation.experiment.optima.check_by_simulation`.
    """
    systems = list(simulations["system"].unique())
    columns = min(4, len(systems))
    rows = -(-len(systems) // columns)
    figure, panels = canvas(rows, columns, height=1.9 * rows + 0.4, sharex=True, squeeze=False)
    for axes, name in zip(panels.flat, systems, strict=False):
        rows_here = simulations[simulations["system"] == name]
        base = rows_here[rows_here["pair"] == "zero-bias"].set_index("seed")["cost"]
        relative = rows_here["cost"].to_numpy() / base.loc[rows_here["seed"]].to_numpy()
        table = rows_here.assign(relative=relative)
        bars(axes, table, category="pair", value="relative", looks=LOOKS)
        axes.set_title(f"{name}, λ = {rows_here['price'].iloc[0]:g}")
        axes.set_xticks([0, 0.5, 1])
        if axes not in panels[:, 0]:
            axes.set_yticklabels([])
    for axes in panels.flat[len(systems) :]:
        axes.set_visible(False)
    for axes in panels.flat[max(0, len(systems) - columns) : len(systems)]:
        axes.tick_params(labelbottom=True)  # the last of each column, above a gap too
    figure.supxlabel("cost / cost of zero-bias", fontsize=10.5)
    return figure


def silent_sets(regions: pd.DataFrame, biases: pd.DataFrame, chosen: dict[str, float]) -> Figure:
    """Draw the errors that are kept silent, and the silent estimate, against the age.

    Parameters
    ----------
    regions, biases
        Tables of :func:`schedlab.estimation.exact.solve.tables`.
    chosen
        Price by system, a panel each.
    """
    figure, panels = canvas(1, len(chosen), height=3.8, squeeze=False)
    for axes, (name, price) in zip(panels[0], chosen.items(), strict=True):
        for shift, pair in ((-0.17, "zero-bias"), (0.17, "joint")):
            _silent_panel(axes, _of(regions, name, price, pair), pair, shift)
            told = _of(biases, name, price, pair)
            axes.plot(
                told["age"] + shift,
                told["bias"],
                LOOKS[pair].marker,
                color=INK,
                markersize=4,
                label=f"estimate, {pair}",
            )
        axes.set(xlabel="age (steps)", title=f"{name}, λ = {price:g}", xlim=(0.5, 6.5))
        axes.set_xticks(range(1, 7))
        axes.use_sticky_edges = False
        axes.margins(y=0.05)
    panels[0][0].set_ylabel("error of prediction, $x - a^k x_{last}$")
    legend(figure, columns=2)
    return figure


def _silent_panel(axes: Axes, rows: pd.DataFrame, pair: str, shift: float) -> None:
    axes.bar(
        rows["age"] + shift,
        rows["high"] - rows["low"],
        bottom=rows["low"],
        width=0.3,
        color=LOOKS[pair].colour,
        alpha=0.75,
        label=f"silent, {pair}",
    )


def _of(table: pd.DataFrame, name: str, price: float, pair: str) -> pd.DataFrame:
    """Return a pair's rows at the ages that are drawn."""
    same = (table["system"] == name) & np.isclose(table["price"], price) & (table["pair"] == pair)
    return table[same & (table["age"] <= 6)]


def alternation(rounds: pd.DataFrame, optima: pd.DataFrame, chosen: dict[str, float]) -> Figure:
    """Draw the cost over rounds of exact best responses, a line per start.

    Parameters
    ----------
    rounds, optima
        Tables of :func:`schedlab.estimation.experiment.optima.solve_all`.
    chosen
        Price by system, a panel each.
    """
    figure, panels = canvas(1, len(chosen), height=3.0, squeeze=False)
    looks = looks_of(["no bias at the start", "Lloyd start"])
    for axes, (name, price) in zip(panels[0], chosen.items(), strict=True):
        rows = rounds[(rounds["system"] == name) & np.isclose(rounds["price"], price)]
        for start, line in rows.groupby("start"):
            label = "Lloyd start" if start else "no bias at the start"
            look = looks[label]
            axes.plot(line["round"], line["cost"], color=look.colour, ls=look.line, label=label)
        here = (optima["system"] == name) & np.isclose(optima["price"], price)
        for pair in ("zero-bias", "joint"):
            value = optima[here & (optima["pair"] == pair)]["cost"].iloc[0]
            reference(axes, value, "best found" if pair == "joint" else pair)
        axes.set(xlabel="round", title=f"{name}, λ = {price:g}", xlim=(1, None))
    panels[0][0].set_ylabel("cost per step")
    legend(figure, columns=2)
    return figure


def equilibrium_maps(table: pd.DataFrame) -> Figure:
    """Draw where exact alternation ends from a plane of first biases, a panel per system.

    Parameters
    ----------
    table
        Table of :func:`schedlab.estimation.experiment.equilibria.equilibrium_map`.
    """
    names = table["system"].unique()
    figure, panels = canvas(1, len(names), height=3.0, squeeze=False)
    for axes, name in zip(panels[0], names, strict=True):
        rows = table[table["system"] == name]
        grid = rows.pivot_table(index="later", columns="first", values="cost")
        drawn = axes.pcolormesh(
            grid.columns, grid.index, grid.to_numpy(), cmap="viridis", rasterized=True
        )
        figure.colorbar(drawn, ax=axes, label="cost where it ends")
        axes.plot(0, 0, "x", color="white", markersize=7, markeredgewidth=2)
        axes.set(
            xlabel="first bias at age 1",
            title=f"{name}, λ = {rows['price'].iloc[0]:g}",
            aspect="equal",
        )
        axes.grid(visible=False)
    panels[0][0].set_ylabel("first bias at later ages")
    return figure


def skewness_gains(gains: pd.DataFrame) -> Figure:
    """Draw the gain over zero-bias against the skewness of the noise.

    Parameters
    ----------
    gains
        Table of :func:`schedlab.estimation.experiment.equilibria.gains`.
    """
    figure, axes = canvas(height=3.0)
    percent = gains.assign(gain=100 * gains["gain"])
    curve(axes, percent, x="skewness", y="gain", hue="pair", looks=LOOKS)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="skewness of the noise", ylabel="cost below zero-bias (%)")
    legend(figure)
    return figure
