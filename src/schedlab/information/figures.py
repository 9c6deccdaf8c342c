"""Figures of what a scheduler knows and what that is worth."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.information.closure import KNOWLEDGE
from schedlab.lab.figures import GREY, INK, Look, canvas, legend, looks_of, reference

LEAST = -0.6  # shares below are drawn at the margin
ROW = 0.19  # inches of a policy's row


def best_by_knowledge(summary: pd.DataFrame) -> Figure:
    """Draw, for each comparison, the best policy at each level of knowledge.

    Parameters
    ----------
    summary
        Rows of :func:`schedlab.information.closure.summary`.
    """
    best = summary.sort_values("closed").groupby(["system", "comparison", "knows"], sort=False)
    best = best.tail(1)
    names = summary[["system", "comparison"]].drop_duplicates()
    looks = looks_of([f"{system}: {measure}" for system, measure in names.itertuples(index=False)])
    figure, axes = canvas(height=5.6)
    for i, (label, look) in enumerate(looks.items()):
        system, measure = label.split(": ", 1)
        rows = best[(best["system"] == system) & (best["comparison"] == measure)]
        at = rows["knows"].map(KNOWLEDGE.index) + 0.07 * (i - (len(looks) - 1) / 2)
        rows = rows.assign(at=at).sort_values("at")
        axes.vlines(rows["at"], rows["low"], rows["high"], color=look.colour, linewidth=1.2)
        axes.plot(
            rows["at"],
            rows["closed"],
            color=look.colour,
            marker=look.marker,
            linestyle=look.line,
            linewidth=0.9,
            markeredgecolor="white",
            markeredgewidth=0.6,
            label=label,
        )
    axes.set_xticks(range(len(KNOWLEDGE)), KNOWLEDGE)
    axes.set(xlabel="what the scheduler knows", ylabel="share of the distance closed")
    axes.axhline(0, color=GREY, linewidth=0.8)
    reference(axes, 1.0, "best possible, or best known")
    legend(figure, columns=1)
    return figure


def share_by_policy(summary: pd.DataFrame) -> Figure:
    """Draw every policy's share, a panel per comparison, coloured by what the policy knows.

    Parameters
    ----------
    summary
        Rows of :func:`schedlab.information.closure.summary`.
    """
    panels = list(summary.groupby(["system", "comparison"], sort=False))
    sizes = [len(part) + 1.6 for _, part in panels]
    figure, grid = canvas(
        len(panels),
        1,
        height=0.6 + ROW * sum(sizes),
        sharex=True,
        squeeze=False,
        gridspec_kw={"height_ratios": sizes},
    )
    looks = looks_of(KNOWLEDGE)
    for axes, ((system, measure), part) in zip(grid[:, 0], panels, strict=True):
        _panel(axes, part, looks)
        axes.set_title(f"{system}: {measure}", fontsize=9.5)
    grid[-1, 0].set(xlabel="share of the distance closed", xlim=(LEAST - 0.05, 1.08))
    legend(figure, columns=4)
    return figure


def _panel(axes: Axes, part: pd.DataFrame, looks: dict[str, Look]) -> None:
    order = part.assign(rank=part["knows"].map(KNOWLEDGE.index)).sort_values(["rank", "closed"])
    for row, point in enumerate(order.itertuples()):
        look = looks[point.knows]
        axes.plot([point.low, point.high], [row, row], color=INK, linewidth=1.2)
        axes.plot(
            [max(point.closed, LEAST)],
            [row],
            color=look.colour,
            marker=look.marker,
            linestyle="",
            label=point.knows,
        )
    axes.set_yticks(range(len(order)), order["policy"], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    for end in (0, 1):
        axes.axvline(end, color=GREY, linewidth=0.8)
