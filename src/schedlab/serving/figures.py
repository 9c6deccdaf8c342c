"""Figures of the serving system: a tidy table in, a matplotlib figure out."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import Look, bars, canvas, curve, legend, looks_of, reference
from schedlab.serving.records import Run

PREFILL, DECODE = "#0173b2", "#de8f05"
LIVES = 40  # requests that can be told apart in one figure


def latency_against_load(
    latency: pd.DataFrame,
    metric: str,
    *,
    label: str,
    objective: tuple[float, str] | None = None,
    top: float | None = None,
) -> Figure:
    """Draw one latency metric of all users against the arrival rate, a line per scheduler.

    Parameters
    ----------
    latency
        Table of :func:`schedlab.serving.experiment.latency_against_load`.
    metric
        Column to draw, in s.
    label
        Words for the vertical axis, with unit.
    objective
        Value and name of a limit to draw.
    top
        Upper end of the vertical axis.
    """
    table = latency[latency["class"] == "all"]
    figure, axes = canvas(height=4.6)
    curve(axes, table, x="rate", y=metric, hue="scheduler", looks=_looks(latency))
    axes.set(xlabel="arrival rate (requests/s)", ylabel=label)
    axes.set_ylim(0, top)
    if objective:
        reference(axes, *objective)
    legend(figure, columns=2)
    return figure


def tbt_against_load(latency: pd.DataFrame) -> Figure:
    """Draw the 99th percentile of the time between tokens against load, a panel per class."""
    classes = [name for name in latency["class"].unique() if name != "all"]
    figure, panels = canvas(1, len(classes), height=4.6, sharex=True, squeeze=False)
    for axes, name in zip(panels[0], classes, strict=True):
        table = latency[latency["class"] == name]
        curve(axes, table, x="rate", y="tbt_p99_s", hue="scheduler", looks=_looks(latency))
        reference(axes, float(table["tbt_limit_s"].iloc[0]), "promised")
        axes.set(xlabel="arrival rate (requests/s)", title=f"{name} users", yscale="log")
    panels[0][0].set_ylabel("p99 time between tokens (s)")
    legend(figure, columns=2)
    return figure


def capacity_bars(capacity: pd.DataFrame) -> Figure:
    """Draw the highest rate that meets the objectives, a bar per scheduler."""
    labels = capacity["scheduler"].unique()
    figure, axes = canvas(height=0.8 + 0.45 * len(labels))
    bars(axes, capacity, category="scheduler", value="capacity", looks=_looks(capacity))
    axes.set_xlabel("highest rate that meets all objectives (requests/s)")
    return figure


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
    curve(axes, drawn, x="offset", y=metric, hue="scheduler", looks=_looks(drawn))


def priority_bars(table: pd.DataFrame) -> Figure:
    """Draw paying and free users' median and tail TTFT with and without user priority."""
    figure, panels = canvas(2, 2, height=4.6, sharex="col", squeeze=False)
    for row, users in zip(panels, ("paying", "free"), strict=True):
        part = table[table["class"] == users]
        for axes, metric, words in zip(
            row, ("ttft_p50_s", "ttft_p99_s"), ("median", "99th percentile"), strict=True
        ):
            bars(axes, part, category="scheduler", value=metric, looks=_looks(table))
            axes.set(title=f"{users} users, {words}", xlabel="time to first token (s)")
            axes.set_yticklabels(["without priority", "with priority"])
        row[1].set_yticklabels([])
    for axes in panels[0]:
        axes.set_xlabel("")
    return figure


def batch_strip(runs: Mapping[str, Run], *, first: int, count: int) -> Figure:
    """Draw consecutive batches as bars in time: width is duration, height is tokens.

    Parameters
    ----------
    runs
        Runs by the scheduler's label, drawn one above the other on one time axis.
    first
        Number of the first batch to draw.
    count
        Number of batches of the first run; the others are drawn over the same time.
    """
    reference_run = next(iter(runs.values())).batches.iloc[first : first + count]
    begin = float(reference_run["start_s"].iloc[0])
    end = float(reference_run["start_s"].iloc[-1] + reference_run["duration_s"].iloc[-1])
    figure, panels = canvas(len(runs), height=2.1 * len(runs) + 0.6, sharex=True, squeeze=False)
    for axes, (label, run) in zip(panels[:, 0], runs.items(), strict=True):
        _strip(axes, run.batches, begin, end)
        axes.set(title=label, ylabel="tokens", xlim=(begin, end))
    panels[-1, 0].set_xlabel("time (s)")
    legend(figure, columns=2)
    return figure


def _strip(axes: Axes, batches: pd.DataFrame, begin: float, end: float) -> None:
    shown = batches[(batches["start_s"] + batches["duration_s"] > begin)]
    shown = shown[shown["start_s"] < end]
    style = {"align": "edge", "edgecolor": "white", "linewidth": 0.4}
    at, width = shown["start_s"], shown["duration_s"]
    prefill, decode = shown["prefill_tokens"], shown["decode_tokens"]
    axes.bar(at, decode, width, color=DECODE, label="decode tokens", hatch="//", **style)
    axes.bar(at, prefill, width, decode, color=PREFILL, label="prefill tokens", **style)


def request_lives(run: Run, label: str, *, begin: float, end: float) -> Figure:
    """Draw the latest requests as lines: waiting, prefill, then a mark for every token.

    Parameters
    ----------
    run
        A run that kept its batches' members.
    label
        Title of the figure.
    begin, end
        Span of time to draw, s.
    """
    requests = run.requests
    seen = requests[(requests["arrival_s"] < end) & (requests["finish_s"] > begin)].tail(LIVES)
    figure, axes = canvas(height=4.4)
    rows = np.arange(len(seen))
    ready = seen["arrival_s"] + seen["ttft_s"]
    for times, colour, words, width in (
        ((seen["arrival_s"], seen["first_scheduled_s"]), "#c9ced4", "waiting", 1.6),
        ((seen["first_scheduled_s"], ready), PREFILL, "prefill", 4.2),
        ((ready, seen["finish_s"]), DECODE, "decoding", 1.6),
    ):
        axes.hlines(rows, *times, colors=colour, label=words, linewidth=width)
    ticks = {"color": "#1d2329", "markersize": 4, "markeredgewidth": 0.5}
    axes.plot(*_tokens(run, seen, begin, end), "|", label="token", rasterized=True, **ticks)
    axes.set(
        xlabel="time (s)", ylabel="latest requests, by arrival", xlim=(begin, end), title=label
    )
    axes.grid(visible=False)
    legend(figure, columns=4)
    return figure


def _tokens(
    run: Run, seen: pd.DataFrame, begin: float, end: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return time and row of every token that a decode emitted in the span."""
    ends = (run.batches["start_s"] + run.batches["duration_s"]).to_numpy()
    decodes = run.members[run.members["decode_tokens"] > 0]
    row = decodes["request_id"].map(dict(zip(seen["request_id"], range(len(seen)), strict=True)))
    times = ends[decodes["batch"]]
    shown = row.notna().to_numpy() & (times >= begin) & (times <= end)
    return times[shown], row[shown].to_numpy()


def _looks(table: pd.DataFrame) -> dict[str, Look]:
    return looks_of(table["scheduler"])
