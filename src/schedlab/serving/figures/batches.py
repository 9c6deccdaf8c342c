"""Figures of single runs: batches in time, and the lives of requests."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, legend
from schedlab.serving.records import Run

PREFILL, DECODE = "#0173b2", "#de8f05"
LIVES = 40  # requests that can be told apart in one figure


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


def batch_members(run: Run, label: str, *, first: int, count: int) -> Figure:
    """Draw consecutive batches one by one: a column each, a box for each request's tokens.

    Parameters
    ----------
    run
        A run that kept its batches' members.
    label
        Title of the figure.
    first, count
        Number of the first batch, and how many to draw.
    """
    members = run.members[run.members["batch"].between(first, first + count - 1)]
    tokens = members["prefill_tokens"] + members["decode_tokens"]
    below = tokens.groupby(members["batch"]).cumsum() - tokens
    figure, axes = canvas(height=4.4)
    for words, colour, kind in (
        ("decode", DECODE, members["decode_tokens"] > 0),
        ("prefill", PREFILL, members["prefill_tokens"] > 0),
    ):
        edge = 0.5 if words == "prefill" else 0  # a decode is one token high
        style = {"color": colour, "edgecolor": "white", "linewidth": edge, "label": words}
        axes.bar(members["batch"][kind], tokens[kind], 0.8, below[kind], **style)
    for row, size, base in zip(members.itertuples(), tokens, below, strict=True):
        if size > 40:  # smaller boxes have no room for a number
            text = {"ha": "center", "va": "center", "fontsize": 8, "color": "white"}
            axes.text(row.batch, base + size / 2, str(row.request_id), **text)
    axes.set(xlabel="batch", ylabel="tokens, in the order of the batch", title=label)
    axes.set_xticks(range(first, first + count))
    legend(figure, columns=2)
    return figure
