"""Figures of the random-label stream."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, Look, canvas, curve, legend, looks_of
from schedlab.trainability.labels import AS_WRITTEN, FINAL, RESET, SCHEDULED, VANILLA

COMPARED = (SCHEDULED, AS_WRITTEN, RESET, FINAL)
PLAIN = Look(GREY, "P", "-", "")

BOUNDS = {
    "effective_step": "effective step α",
    "critical_step": r"combined $\tilde{\alpha}^*$",
    "gradient_step": r"gradient noise $\alpha_g^*$",
    "curvature_step": "curvature τ",
}


def accuracy_by_task(accuracy: pd.DataFrame) -> Figure:
    """Draw the mean accuracy along each task, one line per arm.

    The scheduler and its controls share a panel; schedules and remedies, if any, have the next.
    The constant step is grey in both.
    """
    arms = list(dict.fromkeys(accuracy["arm"]))
    own = [arm for arm in arms if arm in COMPARED]
    others = [arm for arm in arms if arm not in (VANILLA, *COMPARED)]
    groups = [group for group in (own, others) if group] or [[]]
    height = 1.0 + 3.2 * len(groups)
    figure, panels = canvas(len(groups), 1, height=height, squeeze=False, sharex=True, sharey=True)
    for axes, group in zip(panels[:, 0], groups, strict=True):
        part = accuracy[accuracy["arm"].isin([VANILLA, *group])]
        looks = {VANILLA: PLAIN, **looks_of(group)}
        curve(axes, part, x="task", y="accuracy", hue="arm", looks=looks)
        axes.set(ylabel="training accuracy")
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "frameon": False}
        axes.legend(ncols=2, handlelength=2.8, **above)
    axes.set(xlabel="task", xticks=sorted(accuracy["task"].unique()))
    axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))  # a band over few seeds may reach below
    return figure


def learning_rates(decisions: pd.DataFrame) -> Figure:
    """Draw each layer's learning rate under the scheduler, one panel per arm that has one."""
    arms = list(dict.fromkeys(decisions["arm"]))
    figure, panels = canvas(1, len(arms), height=3.8, sharey=True, squeeze=False)
    looks = looks_of(decisions["layer"])
    for axes, arm in zip(panels[0], arms, strict=True):
        rows = decisions[decisions["arm"] == arm]
        curve(axes, rows, x="update", y="lr", hue="layer", looks=looks)
        for line in axes.lines:
            line.set_marker("")
        axes.set(xlabel="update", title=arm.partition("(")[2].rstrip(")") or arm, yscale="log")
        _mark_tasks(axes, rows)
    panels[0][0].set_ylabel("learning rate")
    legend(figure)
    return figure


def bounds_by_layer(decisions: pd.DataFrame, seed: int) -> Figure:
    """Draw a layer's effective step against its bounds, a panel per layer, for one seed."""
    rows = decisions[(decisions["arm"] == SCHEDULED) & (decisions["seed"] == seed)]
    layers = list(dict.fromkeys(rows["layer"]))
    figure, panels = canvas(len(layers), 1, height=1.9 * len(layers) + 0.8, sharex=True)
    looks = looks_of(list(BOUNDS.values()))
    for axes, layer in zip(panels, layers, strict=True):
        part = rows[rows["layer"] == layer]
        for column, words in BOUNDS.items():
            look = looks[words]
            axes.plot(
                part["update"], part[column], color=look.colour, linestyle=look.line, label=words
            )
        axes.set(yscale="log", title=layer, ylabel="step")
        _mark_tasks(axes, part)
    panels[-1].set_xlabel("update")
    legend(figure, columns=4)
    return figure


def _mark_tasks(axes: object, rows: pd.DataFrame) -> None:
    for start in rows.groupby("task")["update"].min().iloc[1:]:
        axes.axvline(start, color=GREY, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
