"""Figures of trained predictors."""

from math import lgamma

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import GREY, INK, bars, canvas, curve, looks_of, reference
from schedlab.lab.statistics import interval
from schedlab.ranking.claims.training import LISTMLE

LIST_SIZE = 32  # of the paper, and of the ranker whose curve is drawn


def tau_bars(tau: pd.DataFrame) -> Figure:
    """Draw Kendall's tau, a bar per ranker."""
    labels = tau["ranker"].unique()
    figure, axes = canvas(height=1.0 + 0.36 * len(labels))
    bars(axes, tau, category="ranker", value="tau", looks=looks_of(labels))
    axes.set_xlabel("Kendall's tau with the true order, held-out prompts")
    return figure


def accuracy_against_tau(tau: pd.DataFrame) -> Figure:
    """Draw each classifier at its accuracy and tau, and ListMLE's tau as a level line."""
    looks = looks_of(tau["ranker"].unique())
    figure, axes = canvas()
    reference(axes, tau.loc[tau["ranker"] == LISTMLE, "tau"].mean(), "ListMLE")
    for label, part in tau.dropna(subset="accuracy").groupby("ranker", sort=False):
        x, y = interval(part["accuracy"].to_numpy()), interval(part["tau"].to_numpy())
        look = looks[label]
        axes.plot([x.estimate] * 2, _ends(y), color=INK, linewidth=1.4)
        axes.plot(x.estimate, y.estimate, marker=look.marker, color=look.colour, markersize=9)
        right = x.estimate > 0.7
        axes.annotate(
            label,
            (x.estimate, y.estimate),
            xytext=(-9 if right else 9, 6),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=9.5,
        )
    axes.set(xlabel="share of prompts put into the right class", ylabel="Kendall's tau")
    axes.set(xlim=(-0.02, 1.02))
    axes.set_ylim(bottom=min(-0.01, axes.get_ylim()[0]))
    return figure


def _ends(found: object) -> tuple[float, float]:
    """Return the ends of an interval, or its middle where one seed has no interval."""
    return (found.low, found.high) if found.n > 1 else (found.estimate,) * 2


def learning_curve(table: pd.DataFrame) -> Figure:
    """Draw loss and tau over the training steps, one panel each."""
    figure, (above, below) = canvas(2, 1, height=5.0, sharex=True)
    for axes, column, words in (
        (above, "loss", "ListMLE loss of a list"),
        (below, "tau", "Kendall's tau, held out"),
    ):
        curve(axes, table.assign(ranker=LISTMLE), x="step", y=column, hue="ranker")
        axes.set_ylabel(words)
    below.set_xlabel("training steps (lists)")
    reference(above, lgamma(LIST_SIZE + 1), f"equal scores: ln {LIST_SIZE}!")
    return figure


def settings(table: pd.DataFrame) -> Figure:
    """Draw ListMLE's tau over label buckets and list sizes, one panel each."""
    figure, panels = canvas(1, 2, height=3.2, sharey=True)
    words = {"bucket": "width of a label bucket (tokens)", "list_size": "prompts in a list"}
    for axes, (setting, label) in zip(panels, words.items(), strict=True):
        part = table[table["setting"] == setting].assign(ranker=LISTMLE)
        curve(axes, part, x="value", y="tau", hue="ranker")
        axes.set(xlabel=label, xscale="log")
        values = sorted(part["value"].unique())
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()
    panels[0].set_ylabel("Kendall's tau, held out")
    panels[0].set_ylim(0, None)
    panels[1].tick_params(color=GREY)
    return figure
