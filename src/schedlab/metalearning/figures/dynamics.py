"""Figures of how tasks are weighed: dots, weight over meta-training, and what is preferred."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, INK, PALETTE, canvas, curve, legend, looks_of
from schedlab.metalearning.figures.scores import looks_for

CLEAN, NOISY = "clean task", "noisy task"
KINDS = looks_of([CLEAN, NOISY])
DOT = 26.0  # area of a task of average weight, square points


def dots(moments: pd.DataFrame, title: str = "") -> Figure:
    """Draw tasks as dots by their two factors; the area of a dot is its weight.

    Parameters
    ----------
    moments
        Of :func:`schedlab.metalearning.experiment.summaries.moments`.
    title
        Above the panels.
    """
    names = list(dict.fromkeys(moments["moment"]))
    figure, panels = canvas(2, 2, height=5.6, sharex=True, sharey=True)
    for axes, name in zip(panels.flat, names, strict=False):
        draw_dots(axes, moments[moments["moment"] == name])
        axes.set_title(name, fontsize=10)
    figure.supxlabel("query loss after adaptation", fontsize=10.5)
    figure.supylabel("similarity of support and query gradients", fontsize=10.5)
    if title:
        figure.suptitle(title, fontsize=10.5, ha="left", x=0.02)
    legend(figure)
    return figure


def draw_dots(axes: Axes, tasks: pd.DataFrame) -> None:
    """Draw some candidates into a panel."""
    average = tasks.groupby("step")["weight"].transform("mean")
    for kind, part in ((CLEAN, ~tasks["noisy"]), (NOISY, tasks["noisy"])):
        shown = tasks[part]
        axes.scatter(
            shown["loss"],
            shown["similarity"],
            s=DOT * (shown["weight"] / average[part]),
            facecolor=KINDS[kind].colour,
            edgecolor=INK,
            linewidth=0.3,
            alpha=0.75,
            rasterized=True,
        )
        axes.scatter([], [], s=DOT, color=KINDS[kind].colour, label=kind)
        axes.scatter(
            shown["loss"], shown["similarity"], s=2, color=INK, linewidth=0, rasterized=True
        )
    axes.grid(visible=True, axis="both")


def noisy_weight(dynamics: pd.DataFrame, label: str) -> Figure:
    """Draw how much the average noisy task weighs against the average clean one, over time.

    Parameters
    ----------
    dynamics
        Of :func:`schedlab.metalearning.experiment.summaries.dynamics`, one scheduler.
    label
        What the worlds' labels are, for the legend.
    """
    figure, axes = canvas()
    shown = on_one_axis(dynamics)
    shown["curve"] = [f"{label} {world}" for world in shown["world"]]
    curve(axes, shown, x="at", y="relative_weight", hue="curve")
    axes.axhline(1.0, color=GREY, linewidth=1.0)
    axes.axvline(0.0, color=GREY, linewidth=1.0, linestyle=(0, (2, 2)))
    axes.set(xlabel="meta-updates; warm-up before 0", ylabel="weight of noisy over clean tasks")
    axes.set_ylim(0, 1.6)
    legend(figure)
    return figure


def noisy_selected(dynamics: pd.DataFrame, labels: Sequence[str] | None = None) -> Figure:
    """Draw the share of noisy tasks among those selected, over time, by scheduler.

    Parameters
    ----------
    dynamics
        Of :func:`schedlab.metalearning.experiment.summaries.dynamics`, one world.
    labels
        Schedulers to draw, by default all.
    """
    shown = on_one_axis(dynamics)
    shown = shown if labels is None else shown[shown["scheduler"].isin(labels)]
    figure, axes = canvas()
    looks = looks_for(list(shown["scheduler"]))
    curve(axes, shown, x="at", y="noisy_selected", hue="scheduler", looks=looks)
    axes.axhline(dynamics["noisy"].mean(), color=GREY, linewidth=1.0)
    axes.axvline(0.0, color=GREY, linewidth=1.0, linestyle=(0, (2, 2)))
    axes.set(xlabel="meta-updates; warm-up before 0", ylabel="noisy share of selected tasks")
    axes.set_ylim(0, 1)
    legend(figure)
    return figure


def on_one_axis(table: pd.DataFrame) -> pd.DataFrame:
    """Return steps or dynamics with a column ``at``: meta-updates, below 0 in the warm-up."""
    warm = table["phase"] == "warm_up"
    last = table[warm].groupby("scheduler")["step"].max()
    width = table["step"].drop_duplicates().sort_values().diff().min()
    length = table["scheduler"].map(last + width).fillna(0.0)
    return table.assign(at=table["step"] - length.where(warm, 0.0))


def preferences(steps: pd.DataFrame, label: str = "") -> Figure:
    """Draw weight over each factor, for the last pools of one scheduler.

    Parameters
    ----------
    steps
        Rows of the last pools; a column ``setting`` gives a row of panels for each value.
    label
        Above the panels.
    """
    settings = list(dict.fromkeys(steps["setting"]))
    rows = len(settings)
    figure, panels = canvas(rows, 2, height=0.6 + 2.6 * rows, squeeze=False)
    for row, setting in zip(panels, settings, strict=True):
        part = steps[steps["setting"] == setting]
        for axes, factor in zip(row, ("loss", "similarity"), strict=True):
            _weights_over(axes, part, factor)
        row[0].set_title(setting, fontsize=10)
        row[0].set_ylabel("weight over average")
    panels[-1, 0].set_xlabel("query loss")
    panels[-1, 1].set_xlabel("similarity of gradients")
    if label:
        figure.suptitle(label, fontsize=10.5)
    legend(figure)
    return figure


def _weights_over(axes: Axes, tasks: pd.DataFrame, factor: str) -> None:
    relative = tasks["weight"] / tasks.groupby(["seed", "step"])["weight"].transform("mean")
    for kind, part in ((CLEAN, ~tasks["noisy"]), (NOISY, tasks["noisy"])):
        if part.any():
            axes.scatter(
                tasks.loc[part, factor],
                relative[part].clip(lower=1e-3),
                s=9,
                color=KINDS[kind].colour,
                linewidth=0,
                alpha=0.6,
                rasterized=True,
            )
            axes.plot([], [], "o", color=KINDS[kind].colour, label=kind)
    axes.axhline(1.0, color=PALETTE[-1], linewidth=1.0)
    axes.set_yscale("log")
    axes.set_ylim(8e-4, 30)


def at_moment(steps: pd.DataFrame, seed: int, at: int, pools: int = 6) -> Figure:
    """Draw the candidates of a few pools from one moment on, for turning a dial.

    Parameters
    ----------
    steps
        Steps of one scheduler in one world.
    seed
        Which run.
    at
        Meta-updates done; below 0 in the warm-up.
    pools
        How many pools.
    """
    run = on_one_axis(steps[steps["seed"] == seed])
    shown = run[(run["at"] >= at) & (run["at"] < at + pools)]
    figure, axes = canvas(height=3.6)
    draw_dots(axes, shown)
    axes.set(xlabel="query loss after adaptation", ylabel="similarity of gradients")
    axes.set_xlim(0, run["loss"].quantile(0.99))
    axes.set_ylim(-1, 1)
    legend(figure)
    return figure
