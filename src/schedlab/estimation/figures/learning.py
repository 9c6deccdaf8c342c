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
    for axes in panels[-1]:
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
    rows = -(-len(systems) // 2)
    figure, panels = canvas(rows, 2, height=2.4 * rows, squeeze=False)
    for axes, name in zip(panels.flat, systems, strict=False):
        part = spans[spans["system"] == name]
        _spans(axes, part[part["policy"] == "exact"], INK, 0.0, "exact")
        learned = part[part["policy"] == "learned"]
        for i, (_, one) in enumerate(learned.groupby("seed")):
            shift = 0.12 * (i + 1)
            _spans(axes, one, PALETTE[0], shift, "learned, a line per seed" if not i else None)
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set(title=f"{name}, price {part['price'].iloc[0]:g}", ylabel="prediction error")
    for axes in panels.flat[len(systems) :]:
        axes.set_axis_off()
    for axes in panels[-1]:
        axes.set_xlabel("age (steps of silence)")
    legend(figure, columns=2)
    return figure


def _spans(axes: Axes, rows: pd.DataFrame, colour: str, shift: float, label: str | None) -> None:
    at = rows["age"] + shift
    axes.vlines(at, rows["low"], rows["high"], color=colour, linewidth=1.6, label=label)
    axes.plot(at, rows["bias"], "o", color=colour, markersize=4, markeredgecolor="white")


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

    Parameters
    ----------
    costs, scheduler_only
        Of the functions of these names in :mod:`schedlab.estimation.experiment.learning`.
    """
    headline = costs[costs["policy"] == "exact zero-bias"]
    systems = list(dict.fromkeys(headline["system"]))
    everything = pd.concat([costs, scheduler_only])
    rank = {policy: i for i, policy in enumerate(ORDER)} | {"exact joint": len(ORDER) + 1}
    everything = everything.sort_values(
        "policy", key=lambda column: column.map(rank).fillna(len(ORDER)), kind="stable"
    )
    rows = -(-len(systems) // 2)
    figure, panels = canvas(rows, 2, height=2.2 * rows, squeeze=False)
    looks = looks_of(list(dict.fromkeys(everything["policy"])))
    for axes, name in zip(panels.flat, systems, strict=False):
        blind = headline[headline["system"] == name].set_index("seed")
        part = everything[
            (everything["system"] == name) & (everything["price"] == blind["price"].iloc[0])
        ]
        shown = part.assign(relative=part["cost"] / blind["cost"].loc[part["seed"]].to_numpy())
        bars(axes, shown, category="policy", value="relative", looks=looks)
        axes.tick_params(axis="y", labelsize=7.5)
        axes.set(title=name, xlim=(0, 1.25 * shown["relative"].max()))
    for axes in panels.flat[len(systems) :]:
        axes.set_axis_off()
    words = "cost over that of the best scheduler for a receiver that takes silence for missing"
    figure.supxlabel(words, fontsize=9.5)
    return figure
