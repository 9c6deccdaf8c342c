"""One look for all figures: readable at 640 px and in grey print, equal bytes on every run.

A figure function takes a tidy table and returns a :class:`matplotlib.figure.Figure`::

    style()
    looks = looks_of(["sarathi", "slai"])
    figure, axes = canvas()
    curve(axes, table, x="load_rps", y="ttft_s", hue="scheduler", looks=looks)
    reference(axes, 0.5, "service objective")
    legend(figure)

The only arithmetic here is the aggregate over seeds, which
:func:`schedlab.lab.statistics.interval` does; everything else is the experiment's.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from IPython import get_ipython
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

from schedlab.lab.statistics import interval

INK = "#1d2329"
GREY = "#5f6973"

# Seaborn's "colorblind" colours, ordered so that neighbours differ in lightness too; the two
# palest are left out because a thin line in them disappears on white paper.
PALETTE = (
    "#0173b2",
    "#de8f05",
    "#029e73",
    "#56b4e9",
    "#d55e00",
    "#cc78bc",
    "#7a5230",
    "#858585",
)
# Cycle lengths 8, 7 and 5 share no factor: 280 labels before a combination returns.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1)))
HATCHES = (
    "",
    "//",
    "\\\\",
    "xx",
    "--",
    "++",
    "||",
)  # no dots: each is a curve of its own in the SVG


@dataclass(frozen=True)
class Look:
    """How one label is drawn in every figure: by colour, and by shape where colour is lost."""

    colour: str
    marker: str
    line: Any
    hatch: str


class ShownSmall(Figure):
    """A figure that notebooks show as :func:`picture` makes it."""


def style() -> None:
    """Set seaborn's theme and everything that would make two runs differ; call once."""
    import seaborn  # a second of import time that only drawing pays

    seaborn.set_theme(context="notebook", style="ticks", palette=list(PALETTE), rc=_SETTINGS)
    if shell := get_ipython():
        shell.display_formatter.formatters["image/png"].for_type(ShownSmall, _shown)


def _shown(figure: Figure) -> tuple[bytes, dict[str, str]]:
    """Return what a notebook shows and, for the report, the name the figure was saved under."""
    name = figure.get_label()
    return picture(figure, dpi=figure.dpi), {"figure": name} if name else {}


COLOURS = 64  # enough for smooth edges; colour scales show steps, which the SVG does not


def picture(figure: Figure, dpi: float | None = None) -> bytes:
    """Return a figure as PNG with a palette: a quarter of the size, and the same to the eye.

    Parameters
    ----------
    figure
        What to draw.
    dpi
        Dots an inch; by default those of saved figures.
    """
    true_colour, paletted = io.BytesIO(), io.BytesIO()
    dpi = dpi or plt.rcParams["savefig.dpi"]
    figure.savefig(true_colour, format="png", bbox_inches="tight", dpi=dpi)
    image = Image.open(true_colour).convert("RGB")
    image = image.quantize(palette=_palette(image), dither=Image.Dither.NONE)
    image.save(paletted, format="png", optimize=True)
    return paletted.getvalue()


def _palette(image: Image.Image) -> Image.Image:
    """Return the colours of lines and text, and others by median cut, which has an eye for areas.

    By itself it would give a thin line, and so its legend, the colour of some wide band.
    """
    exact = [round(255 * part) for colour in (*PALETTE, INK, GREY) for part in to_rgb(colour)]
    others = COLOURS - len(exact) // 3
    found = image.quantize(others, dither=Image.Dither.NONE).getpalette()[: 3 * others]
    palette = Image.new("P", (1, 1))
    palette.putpalette(exact + [part if part < 250 else 255 for part in found])  # paper stays white
    return palette


_SETTINGS = {
    # 6.4 in at 100 dpi is the 640 px that the report shows; 200 dpi keeps the PNG sharp.
    "figure.figsize": (6.4, 4.0),
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "savefig.facecolor": "white",
    "savefig.pad_inches": 0.05,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # shipped with matplotlib, so the same everywhere
    "font.size": 10.5,
    "axes.labelsize": 10.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.formatter.min_exponent": 4,  # 0.005 rather than 5 × 10⁻³ on logarithmic axes
    "grid.color": "#e3e6e9",
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "hatch.linewidth": 0.7,
    # Text as outlines looks the same in every browser; the salt fixes the ids inside the SVG.
    "svg.fonttype": "path",
    "svg.hashsalt": "schedlab",
}


def looks_of(labels: Sequence[str]) -> dict[str, Look]:
    """Give each label its look, by position, so that a label added at the end changes none.

    Parameters
    ----------
    labels
        Scheduler labels in the order of the parameters; repeats are ignored.
    """
    unique = list(dict.fromkeys(labels))
    return {
        label: Look(
            PALETTE[i % len(PALETTE)],
            MARKERS[i % len(MARKERS)],
            LINES[i % len(LINES)],
            HATCHES[i % len(HATCHES)],
        )
        for i, label in enumerate(unique)
    }


def canvas(
    rows: int = 1, columns: int = 1, *, height: float | None = None, **options: Any
) -> tuple[Figure, Any]:
    """Open a figure 6.4 in wide, with one panel or a grid of them.

    Parameters
    ----------
    rows, columns
        Grid of panels; with more than one, an array of axes is returned.
    height
        Height in inches; by default 4 for one row, 3 for each of several.
    options
        Passed to :func:`matplotlib.pyplot.subplots`, for instance ``sharex=True``.
    """
    height = height or (4.0 if rows == 1 else 3.0 * rows)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(6.4, height),
        layout="constrained",
        FigureClass=ShownSmall,
        **options,
    )
    # Closed figures can still be drawn on and saved; left open, a notebook would show each twice.
    plt.close(figure)
    return figure, axes


def curve(
    axes: Axes,
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    hue: str,
    seed: str = "seed",
    looks: Mapping[str, Look] | None = None,
    level: float = 0.95,
) -> None:
    """Draw one line per label: the mean over seeds with its interval as a band.

    Parameters
    ----------
    axes
        Panel to draw in; set scales and labels before or after.
    table
        Tidy table with one row per label, x and seed.
    x, y, hue, seed
        Column names.
    looks
        Look of each label, from :func:`looks_of`; by default in order of appearance.
    level
        Level of the interval over seeds.

    Raises
    ------
    ValueError
        If a column is missing, a seed occurs twice at one point, or a label has no look.
    """
    _check(table, [hue, x, seed], y)
    looks = looks or looks_of(table[hue])
    for label, part in table.groupby(hue, sort=False):
        look = _look(looks, label)
        points = _aggregate(part, x, y, level)
        axes.fill_between(
            points["at"], points["low"], points["high"], color=look.colour, alpha=0.15, linewidth=0
        )
        axes.plot(
            points["at"],
            points["estimate"],
            color=look.colour,
            marker=look.marker,
            linestyle=look.line,
            markeredgecolor="white",
            markeredgewidth=0.6,
            label=label,
        )


def bars(
    axes: Axes,
    table: pd.DataFrame,
    *,
    category: str,
    value: str,
    seed: str = "seed",
    looks: Mapping[str, Look] | None = None,
    level: float = 0.95,
) -> None:
    """Draw one horizontal bar per category, with the interval over seeds as a whisker.

    Parameters
    ----------
    axes
        Panel to draw in.
    table
        Tidy table with one row per category and seed.
    category, value, seed
        Column names.
    looks
        Look of each category, from :func:`looks_of`; by default in order of appearance.
    level
        Level of the interval over seeds.

    Raises
    ------
    ValueError
        If a column is missing, a seed occurs twice in a category, or a category has no look.
    """
    _check(table, [category, seed], value)
    looks = looks or looks_of(table[category])
    points = _aggregate(table, category, value, level, sort=False)
    for position, point in enumerate(points.itertuples()):
        look = _look(looks, point.at)
        axes.barh(
            position,
            point.estimate,
            height=0.62,
            color=look.colour,
        )
        axes.plot([point.low, point.high], [position, position], color=INK, linewidth=1.4)
    axes.set_yticks(range(len(points)), points["at"])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")


def reference(axes: Axes, at: float, label: str, *, axis: Literal["x", "y"] = "y") -> None:
    """Draw a thin labelled line at a value that is not measured: a bound, an objective.

    Parameters
    ----------
    axes
        Panel to draw in.
    at
        Position on ``axis``.
    label
        Short text, just above a horizontal one and on top of a vertical one.
    axis
        ``"y"`` for a horizontal line, ``"x"`` for a vertical one.
    """
    line = {"color": GREY, "linewidth": 1.0, "linestyle": (0, (2, 2)), "zorder": 1.5}
    text = {"color": GREY, "fontsize": 9, "textcoords": "offset points", "va": "bottom"}
    text |= {"path_effects": [withStroke(linewidth=2.5, foreground="white")]}  # readable on curves
    if axis == "y":
        axes.axhline(at, **line)
        where = axes.get_yaxis_transform()
        axes.annotate(label, (1, at), xycoords=where, xytext=(-2, 3), ha="right", **text)
    else:
        axes.axvline(at, **line)
        where = axes.get_xaxis_transform()
        axes.annotate(label, (at, 1), xycoords=where, xytext=(0, 3), ha="center", **text)


def legend(figure: Figure, *, columns: int = 3) -> None:
    """Set the labels of all panels once, above them, where they cover no data.

    Parameters
    ----------
    figure
        Figure from :func:`canvas`, whose layout makes room.
    columns
        Labels side by side.
    """
    labelled = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        labelled.values(),
        labelled.keys(),
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        handlelength=2.8,
        columnspacing=1.6,
    )


def _check(table: pd.DataFrame, keys: list[str], value: str) -> None:
    missing = [name for name in (*keys, value) if name not in table]
    if missing:
        raise ValueError(f"figure needs columns {missing}; the table has {list(table)}")
    repeated = table[table.duplicated(keys, keep=False)]
    if len(repeated):
        first = repeated.iloc[0][keys].to_dict()
        raise ValueError(
            f"more than one row of {value!r} at {first}; aggregate within a seed in the experiment"
        )


def _look(looks: Mapping[str, Look], label: str) -> Look:
    if label not in looks:
        raise ValueError(f"label {label!r} has no look; known are {list(looks)}")
    return looks[label]


def _aggregate(
    table: pd.DataFrame, at: str, value: str, level: float, *, sort: bool = True
) -> pd.DataFrame:
    rows = []
    for key, part in table.groupby(at, sort=sort):
        found = interval(part[value].to_numpy(), level)
        # One seed has an infinite interval, which is shown by drawing none.
        ends = (found.low, found.high) if found.n > 1 else (found.estimate, found.estimate)
        rows.append((key, found.estimate, *ends))
    return pd.DataFrame(rows, columns=["at", "estimate", "low", "high"])
