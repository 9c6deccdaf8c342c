"""What a notebook leaves behind: tables, figures with their alt texts, metrics and claims."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from schedlab.lab.files import write_atomically, write_json, write_table
from schedlab.lab.paths import find_root

NO_DATE = {"svg": {"Date": None}, "png": {}}


def save_table(table: pd.DataFrame, folder: str, name: str) -> None:
    """Write a tidy table to ``folder/name.parquet``; ``folder`` is relative to the checkout."""
    write_table(place(folder) / f"{name}.parquet", table)


def save_figure(figure: Figure, folder: str, name: str, *, alt: str, caption: str) -> None:
    """Write a figure as SVG and PNG, with the words that go with it.

    Parameters
    ----------
    figure
        What to save.
    folder
        The notebook's ``output_folder``.
    name
        File name without ending, for instance ``"ttft-against-load"``.
    alt
        What the figure shows, for a reader who does not see it.
    caption
        Sentence below the figure in the report: units, seeds, what the band is.

    Raises
    ------
    ValueError
        If alt text or caption is empty.
    """
    if not alt.strip() or not caption.strip():
        raise ValueError(f"figure {name!r} needs an alt text and a caption")
    base = place(folder)
    for kind in ("svg", "png"):
        write_atomically(
            base / f"{name}.{kind}",
            lambda p, kind=kind: _draw(figure, p, kind),
        )
    write_json(base / f"{name}.figure.json", {"alt": alt, "caption": caption})


def _draw(figure: Figure, path: Path, kind: str) -> None:
    """Write a figure; a PNG without pictures in a palette, which takes a third of the space."""
    figure.savefig(path, format=kind, bbox_inches="tight", metadata=NO_DATE[kind])
    if kind == "png" and not any(axes.images for axes in figure.axes):
        with Image.open(path) as image:
            small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        small.save(path, format="PNG", optimize=True)


def save_metrics(
    folder: str, claims: Sequence[dict[str, Any]] = (), **numbers: float | dict[str, Any]
) -> None:
    """Write the small results that git keeps: evaluated claims and headline numbers.

    Parameters
    ----------
    folder
        The notebook's ``output_folder``; the runner moves ``metrics.json`` beside it.
    claims
        Findings of :func:`schedlab.lab.claims.evaluate`.
    numbers
        Plain numbers, possibly nested; never a duration or a date.
    """
    ledger = {finding["id"]: {**finding, "position": i} for i, finding in enumerate(claims)}
    write_json(place(folder) / "metrics.json", {"claims": ledger, **numbers})


def place(folder: str) -> Path:
    """Return the folder below the checkout's root, wherever a notebook was opened."""
    return find_root() / folder
