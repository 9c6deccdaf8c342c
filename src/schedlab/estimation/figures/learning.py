"""Figures of the learning stage: how it went, what silence came to mean, what it is worth."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import (
    GREY,
    INK,
    PALETTE,
    bars,
    canvas,
    curve,
    legend,
    looks_of,
)

MIRRORED = ("S4", "S6")
ORDER = (
    "always",
    "myopic value",
    "DQN, scheduler only",
    "exact zero-bias",
    "exact estimator-only",
)


def learning_curves(curves: pd.DataFrame, costs: pd.DataFrame) -> Figure:
    """Draw the cost judged after every round, with the exact optimum and the blind receiver's.

    Parameters
    ----------
    curves
        Of :func:`schedlab.estimation.experiment.learning.curves`.
    costs
        Of :func:`schedlab.estimation.experiment.learning.costs`.
    """
    first = curves.groupby("system")["price"].transform("first")
    shown = curves[curves["price"] == first]
    systems = list(dict.fromkeys(shown["system"]))
    rows = -(-len(systems) // 2)
    figure, panels = canvas(rows, 2, height=2.2 * rows, squeeze=False)
    looks = looks_of(list(dict.fromkeys(shown["arm"])))
    for axes, name in zip(panels.flat, systems, strict=False):
        part = shown[shown["system"] == name].assign(steps=lambda t: t["env_steps"] / 1e3)
        curve(axes, part, x="steps", y="cost", hue="arm", looks=looks)
        price = part["price"].iloc[0]
        known = costs[(costs["system"] == name) & (costs["price"] == price)]
        known = known.groupby("policy")["cost"].mean()
        blind = "best scheduler, silence = missing"
        axes.axhline(known["exact joint"], color=INK, linewidth=1.2, label="exact optimum")
        axes.axhline(known["exact zero-bias"], color=GREY, ls=(0, (2, 2)), lw=1.2, label=blind)
        axes.set(title=f"{name}, price {price:g}", ylabel="cost per step")
        axes.margins(y=0.15)
    for axes in panels.flat[len(systems) :]:
        axes.set_axis_off()
    for axes in panels.flat[: len(systems)][-2:]:  # the lowest of each column
        axes.set_xlabel("steps of a seed (1000)")
    legend(figure, columns=2)
    return figure


def silence(spans: pd.DataFrame) -> Figure:
    """Draw which errors stay silent at each age and what the receiver adds, learned and exact.

    Systems with mirrored optima, where seeds may well settle on different ones, are left out.

    Parameters
    ----------
    spans
        Of :func:`schedlab.estimation.experiment.learning.silent_spans`.
    """
    systems = [name for name in dict.fromkeys(spans["system"]) if name not in MIRRORED]
    figure, panels = canvas(1, len(systems), height=3.2, squeeze=False)
    for axes, name in zip(panels.flat, systems, strict=True):
        part = spans[spans["system"] == name]
        _spans(axes, part[part["policy"] == "exact"], INK, 0.0, "exact")
        learned = part[part["policy"] == "learned"]
        for i, (_, one) in enumerate(learned.groupby("seed")):
            shift = 0.12 * (i + 1)
            _spans(axes, one, PALETTE[0], shift, "learned, a line per seed" if not i else None)
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set(title=f"{name}, price {part['price'].iloc[0]:g}", xlabel="age (steps)")
        axes.set_xticks(sorted(part["age"].unique()))
    panels[0, 0].set_ylabel("error of prediction")
    legend(figure, columns=2)
    return figure


def _spans(axes: Axes, rows: pd.DataFrame, colour: str, shift: float, label: str | None) -> None:
    at = rows["age"] + shift
    axes.vlines(at, rows["low"], rows["high"], color=colour, linewidth=1.6, label=label)
    axes.plot(
        at,
        rows["bias"],
        "o",
        color=colour,
        markersize=3.5,
        markeredgecolor="white",
        markeredgewidth=0.4,
    )


def matched_rates(trigger: pd.DataFrame, costs: pd.DataFrame) -> Figure:
    """Draw error against rate: learned and exact pairs beside the event trigger's curve.

    Parameters
    ----------
    trigger
        Of :func:`schedlab.estimation.experiment.learning.triggered_curve`.
    costs
        Of :func:`schedlab.estimation.experiment.learning.costs`.
    """
    systems = list(dict.fromkeys(trigger["system"]))
    figure, panels = canvas(1, len(systems), height=3.6, squeeze=False)
    for axes, name in zip(panels.flat, systems, strict=True):
        mean = trigger[trigger["system"] == name].groupby("width")[["rate", "mse"]].mean()
        axes.plot(
            mean["rate"], mean["mse"], color=PALETTE[1], label="event trigger, silence = missing"
        )
        part = costs[costs["system"] == name]
        exact = part[part["policy"] == "exact joint"].groupby("price")[["rate", "mse"]].mean()
        axes.plot(exact["rate"], exact["mse"], "s-", color=INK, label="exact joint pair")
        learned = part[part["policy"].str.startswith("learned, Lloyd")]
        dots = {"color": PALETTE[0], "label": "learned pair, a seed each"}
        axes.plot(learned["rate"], learned["mse"], "o", **dots)
        axes.set(title=name, xlabel="messages per step", yscale="log")
    panels[0, 0].set_ylabel("mean squared error")
    legend(figure, columns=2)
    return figure


def ablation(costs: pd.DataFrame, scheduler_only: pd.DataFrame) -> Figure:
    """Draw what each policy costs relative to the best one for a blind receiver.

    Shown are the systems on which all sides were learned alone and together, and the policies
    that ran on each of them.

    Parameters
    ----------
    costs, scheduler_only
        Of the functions of these names in :mod:`schedlab.estimation.experiment.learning`.
    """
    systems = list(dict.fromkeys(scheduler_only["system"]))
    relative = _relative(pd.concat([costs, scheduler_only]), systems)
    ran_on = relative.groupby("policy")["system"].nunique()
    relative = relative[relative["policy"].map(ran_on) == len(systems)]
    figure, panels = canvas(1, len(systems), height=2.8, squeeze=False)
    looks = looks_of(list(dict.fromkeys(relative["policy"])))
    for axes, name in zip(panels.flat, systems, strict=True):
        part = relative[relative["system"] == name]
        bars(axes, part, category="policy", value="relative", looks=looks)
        if axes not in panels[:, 0]:
            axes.set_yticklabels([])
        axes.set_title(name)
    words = "cost over that of the best scheduler for a receiver that takes silence for missing"
    figure.supxlabel(words, fontsize=9.5)
    return figure


def _relative(rows: pd.DataFrame, systems: list[str]) -> pd.DataFrame:
    """Return costs over the blind optimum's, where that ran, with policies in their order."""
    keys = ["system", "price", "seed"]
    blind = rows[rows["policy"] == "exact zero-bias"].set_index(keys)["cost"].rename("blind")
    shown = rows[rows["system"].isin(systems)].join(blind, on=keys, how="inner")
    rank = {policy: i for i, policy in enumerate(ORDER)} | {"exact joint": len(ORDER) + 1}
    shown = shown.sort_values(
        "policy", key=lambda column: column.map(rank).fillna(len(ORDER)), kind="stable"
    )
    return shown.assign(relative=shown["cost"] / shown["blind"])
