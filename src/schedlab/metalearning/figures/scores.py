"""Figures of what meta-training is worth: scores by scheduler, over steps, noise and budget."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import bars, canvas, curve, legend, looks_of
from schedlab.metalearning import names

LOOKS = looks_of(
    [
        *(names.UNIFORM, names.SELF_PACED, names.ATS, names.ORACLE, names.HARDEST, names.FOCAL),
        *(names.DAML, names.CLASS_PAIRS, names.PAML, names.SIMILAR, names.LOSS_ONLY),
        *(names.LITERAL, names.MATCHED, names.SIMILARITY_ONLY, names.REWEIGHTED),
        *(names.UNTRAINED, names.BASS, names.DERTS, names.ASR),
    ]
)


def looks_for(labels: Sequence[str]) -> dict:
    """Return the looks of these labels: the same in every figure, own schedulers' behind them."""
    return looks_of([*LOOKS, *labels])


def final_scores(finals: pd.DataFrame, unit: str) -> Figure:
    """Draw the final score of every scheduler as a bar, the best on top.

    Parameters
    ----------
    finals
        Of :func:`schedlab.metalearning.experiment.summaries.final_scores`, one world.
    unit
        What the score is.
    """
    means = finals.groupby("scheduler")["score"].mean().sort_values(ascending=False)
    order = pd.Categorical(finals["scheduler"], means.index, ordered=True)
    sorted_ = finals.assign(scheduler=order).sort_values(["scheduler", "seed"])
    sorted_ = sorted_.assign(scheduler=sorted_["scheduler"].astype(str))
    figure, axes = canvas(height=1.0 + 0.32 * len(means))
    bars(axes, sorted_, category="scheduler", value="score", looks=looks_for(list(means.index)))
    axes.set_xlabel(f"{unit} on test tasks")
    return figure


def score_curves(curves: pd.DataFrame, unit: str, labels: Sequence[str] | None = None) -> Figure:
    """Draw scores over meta-updates.

    Parameters
    ----------
    curves
        Of :func:`schedlab.metalearning.experiment.summaries.score_curves`, one world.
    unit
        What the score is.
    labels
        Schedulers to draw, by default all.
    """
    shown = curves if labels is None else curves[curves["scheduler"].isin(labels)]
    figure, axes = canvas()
    looks = looks_for(list(shown["scheduler"]))
    curve(axes, shown, x="step", y="score", hue="scheduler", looks=looks)
    axes.set(xlabel="meta-updates", ylabel=f"{unit} on test tasks")
    legend(figure)
    return figure


def against_compute(curves: pd.DataFrame, unit: str) -> Figure:
    """Draw scores over the passes that were spent.

    Parameters
    ----------
    curves
        Score curves with a column ``passes``, the mean over seeds up to that step.
    unit
        What the score is.
    """
    figure, axes = canvas()
    looks = looks_for(list(curves["scheduler"]))
    shown = curves.assign(thousands=curves["passes"] / 1000)
    last = shown.groupby("scheduler")["thousands"].transform("max")
    shown = shown.loc[last.sort_values(ascending=False, kind="stable").index]  # short ones on top
    curve(axes, shown, x="thousands", y="score", hue="scheduler", looks=looks)
    axes.set(xlabel="thousand passes over a task, a backward pass counting two", ylabel=unit)
    legend(figure)
    return figure


def against(finals: pd.DataFrame, x: str, label: str, unit: str, *, log: bool = False) -> Figure:
    """Draw final scores over a column: share of noisy tasks, or number of classes.

    Parameters
    ----------
    finals
        Final scores with that column.
    x, label
        The column and its words.
    unit
        What the score is.
    log
        Whether the axis doubles from tick to tick.
    """
    figure, axes = canvas()
    looks = looks_for(list(finals["scheduler"]))
    curve(axes, finals, x=x, y="score", hue="scheduler", looks=looks)
    if log:
        axes.set_xscale("log", base=2)
        ticks = sorted(finals[x].unique())
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    axes.set(xlabel=label, ylabel=f"{unit} on test tasks")
    legend(figure)
    return figure
