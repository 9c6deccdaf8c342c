"""Figures of SLAI's offset and of user priority."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import bars, canvas, curve, legend, reference
from schedlab.serving.figures.looks import looks_in


def offset_trade(
    table: pd.DataFrame, metric: str, *, users: str, label: str, limit: float | None = None
) -> Figure:
    """Draw a metric against SLAI's offset, a panel per machine, with the baselines as lines.

    Parameters
    ----------
    table
        Table of :func:`schedlab.serving.experiment.offsets.offset_sweep`.
    metric
        Column to draw, in s.
    users
        Class of users.
    label
        Words for the vertical axis, with unit.
    limit
        Promised value to draw.
    """
    rows = table[table["class"] == users]
    machines = rows["blocks"].unique()
    figure, panels = canvas(1, len(machines), height=4.4, sharey=True, squeeze=False)
    for axes, blocks in zip(panels[0], machines, strict=True):
        _offset_panel(axes, rows[rows["blocks"] == blocks], metric)
        axes.set(xlabel="offset (mean batch times)", title=f"{blocks:,} blocks", yscale="log")
        if limit:
            reference(axes, limit, "promised")
    panels[0][0].set_ylabel(label)
    legend(figure, columns=3)
    return figure


def _offset_panel(axes: Axes, rows: pd.DataFrame, metric: str) -> None:
    """Draw SLAI over its offsets, and each baseline, which has none, as a level line."""
    slai = rows[rows["offset"].notna()].assign(scheduler="SLAI (SPF)")
    ends = slai["offset"].agg(["min", "max"])
    levels = [rows[rows["offset"].isna()].assign(offset=end) for end in ends]
    drawn = pd.concat([slai, *levels])
    curve(axes, drawn, x="offset", y=metric, hue="scheduler", looks=looks_in(drawn))


def priority_bars(table: pd.DataFrame) -> Figure:
    """Draw paying and free users' median and tail TTFT with and without user priority."""
    figure, panels = canvas(2, 2, height=4.6, sharex="col", squeeze=False)
    for row, users in zip(panels, ("paying", "free"), strict=True):
        part = table[table["class"] == users]
        for axes, metric, words in zip(
            row, ("ttft_p50_s", "ttft_p99_s"), ("median", "99th percentile"), strict=True
        ):
            bars(axes, part, category="scheduler", value=metric, looks=looks_in(table))
            axes.set(title=f"{users} users, {words}", xlabel="time to first token (s)")
            axes.set_yticklabels(["without priority", "with priority"])
        row[1].set_yticklabels([])
    for axes in panels[0]:
        axes.set_xlabel("")
    return figure
