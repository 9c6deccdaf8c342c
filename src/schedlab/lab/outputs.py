"""What a notebook leaves behind: tables, figures with their alt texts, metrics and claims."""

import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import picture
from schedlab.lab.files import write_atomically, write_json, write_table
from schedlab.lab.paths import find_root


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
    figure.set_label(name)
    for kind, write in (("svg", _write_svg), ("png", _write_png)):
        write_atomically(base / f"{name}.{kind}", functools.partial(write, figure))
    write_json(base / f"{name}.figure.json", {"alt": alt, "caption": caption})


def _write_svg(figure: Figure, path: Path) -> None:
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", bbox_inches="tight", metadata={"Date": None})
    path.write_text(_compact(drawn.getvalue()), encoding="utf-8")


def _compact(svg: str) -> str:
    """Return the same picture in half the bytes: five digits a number, no unused names."""
    from scour import scour

    # A rule for all elements would win over the attributes that styles become here.
    svg = svg.replace("*{stroke-linejoin", "svg{stroke-linejoin")
    options = ("set-precision=5", "enable-id-stripping", "shorten-ids", "indent=none")
    options += ("enable-comment-stripping", "remove-descriptive-elements", "strip-xml-prolog")
    return scour.scourString(svg, scour.parse_args([f"--{option}" for option in options]))


def _write_png(figure: Figure, path: Path) -> None:
    path.write_bytes(picture(figure))


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
