"""A trajectory strip, as a figure and as one that the pointer scrubs through."""

import html
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from schedlab.estimation.experiment.strip import Story
from schedlab.lab.figures import GREY, INK, PALETTE, canvas, legend

WIDTH, HEIGHT, LEFT = 640, 240, 40
SENT = PALETTE[4]

Place = Callable[[float], float]


def strip(table: pd.DataFrame) -> Figure:
    """Draw state, moments of sending, extrapolation and silence-aware estimate over time.

    Parameters
    ----------
    table
        Of a :class:`~schedlab.estimation.experiment.strip.Story`.
    """
    figure, axes = canvas(height=3.8)
    naive = table["predicted"].where(~table["sent"], table["state"])
    axes.fill_between(
        table["step"], table["low"], table["high"], color=PALETTE[0], alpha=0.2, linewidth=0
    )
    axes.plot(table["step"], table["state"], color=INK, linewidth=1.2, label="state")
    axes.plot(table["step"], naive, color=PALETTE[1], ls=(0, (5, 2)), label="silence = missing")
    axes.plot(table["step"], table["estimate"], color=PALETTE[0], label="silence read")
    sent = table[table["sent"]]
    axes.plot(sent["step"], sent["state"], "v", color=SENT, markersize=7, label="message")
    axes.set(xlabel="step", ylabel="state")
    legend(figure, columns=4)
    return figure


def scrubber(story: Story) -> str:
    """Return the strip as HTML whose steps light up under the pointer, without any script.

    Each step shows the state, both estimates, and the belief of the silence-aware receiver.

    Parameters
    ----------
    story
        What to show.
    """
    table = story.table
    spread = [table[["state", "low", "high", "predicted"]].to_numpy()]
    low, high = float(np.min(spread)) - 0.3, float(np.max(spread)) + 0.3

    def x(step: float) -> float:
        return LEFT + (step - 0.5) / len(table) * (WIDTH - LEFT - 10)

    def y(value: float) -> float:
        return round(HEIGHT - 34 - (value - low) / (high - low) * (HEIGHT - 64), 1)

    lines = [_line(table, "state", x, y, INK), _line(table, "estimate", x, y, PALETTE[0])]
    steps = [_step(row, story, x, y) for row in table.itertuples()]
    return _open() + "".join(lines + steps) + _key() + "</svg>"


def _open() -> str:
    return (
        "<style>.strip .at{opacity:0;pointer-events:none}.strip .t:hover .at,"
        ".strip .t:focus .at{opacity:1}.strip .t{outline:none}"
        ".strip text{font:12px sans-serif}</style>"
        f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" '
        f'style="max-width:{WIDTH}px;background:#fff" role="img" aria-label="Trajectory strip; '
        'hover or tab through its steps">'
    )


def _key() -> str:
    words = {
        "state": INK,
        "silence read": PALETTE[0],
        "extrapolated": PALETTE[1],
        "v message": SENT,
    }
    return "".join(
        f'<text x="{LEFT + 120 * i}" y="{HEIGHT - 2}" fill="{colour}">{word}</text>'
        for i, (word, colour) in enumerate(words.items())
    )


def _line(table: pd.DataFrame, column: str, x: Place, y: Place, colour: str) -> str:
    points = " ".join(
        f"{x(step):.1f},{y(value)}"
        for step, value in zip(table["step"], table[column], strict=True)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _step(row: Any, story: Story, x: Place, y: Place) -> str:
    """Return one step: a place for the pointer, and what shows while it is there."""
    width = x(1) - x(0)
    words = f"step {row.step}: state {row.state:.2f}, "
    words += "message" if row.sent else f"silent for {row.age}, extrapolated {row.predicted:.2f}"
    words += f", estimate {row.estimate:.2f}"
    seen = {INK: row.state, PALETTE[1]: row.predicted, PALETTE[0]: row.estimate}
    dots = [
        f'<circle cx="{x(row.step):.1f}" cy="{y(value)}" r="3.5" fill="{colour}"/>'
        for colour, value in (seen if not row.sent else {SENT: row.state}).items()
    ]
    belief = "" if row.sent else _belief(row, story, x, y)
    return (
        f'<g class="t" tabindex="0"><rect x="{x(row.step) - width / 2:.1f}" y="20" '
        f'width="{width:.1f}" height="{HEIGHT - 50}" fill="#fff" fill-opacity="0"/>'
        f'<text x="{x(row.step):.1f}" y="{HEIGHT - 18}" fill="{SENT}" '
        f'text-anchor="middle">{"v" if row.sent else ""}</text>'
        f'<g class="at"><line x1="{x(row.step):.1f}" x2="{x(row.step):.1f}" y1="20" '
        f'y2="{HEIGHT - 30}" stroke="{GREY}"/>{belief}{"".join(dots)}'
        f'<text x="{LEFT}" y="14" fill="{INK}">{html.escape(words)}</text></g></g>'
    )


def _belief(row: Any, story: Story, x: Place, y: Place) -> str:
    law = story.beliefs[min(row.age, len(story.beliefs)) - 1]
    shown = law > 1e-3 * law.max()
    heights = 40 * law[shown] / law.max()
    places = row.predicted + story.centres[shown]
    start = x(row.step)
    points = [f"{start:.1f},{y(places[0])}"]
    points += [f"{start + h:.1f},{y(p)}" for h, p in zip(heights, places, strict=True)]
    points.append(f"{start:.1f},{y(places[-1])}")
    return f'<polygon points="{" ".join(points)}" fill="{PALETTE[0]}" fill-opacity="0.35"/>'
