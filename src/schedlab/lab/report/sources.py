"""Where the input data of a system come from, and under which licence."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from schedlab.data.catalog import datasets
from schedlab.lab.report.results import REMEDY, Stage, flatten, read_json

FIRST = ("name", "about", "origin", "licence", "citation")  # what a reader looks for
CATALOGUED = (*FIRST[1:], "url", "commit", "changes", "sha256")

Source = dict[str, Any]


def read_sources(root: Path) -> list[Source]:
    """Return every known data set: those built into ``data/`` and those in the catalog.

    Parameters
    ----------
    root
        The checkout.

    Raises
    ------
    ValueError
        If ``data/SOURCES.json`` is not a list of entries with a name.
    """
    path = root / "data" / "SOURCES.json"
    built = read_json(path, list) if path.is_file() else []
    if not all(isinstance(entry, dict) and "name" in entry for entry in built):
        raise ValueError(f"{path}: expected a list of entries with a name; {REMEDY}")
    catalogued = [
        {"name": name, **{key: getattr(entry, key) for key in CATALOGUED}}
        for name, entry in sorted(datasets().items())
    ]
    return [dict(flatten(_in_order(entry))) for entry in (*built, *catalogued)]


def _in_order(entry: Source) -> Source:
    return {key: entry[key] for key in (*FIRST, *entry) if key in entry}


def sources_of(system: str, stages: Sequence[Stage], known: Sequence[Source]) -> list[Source]:
    """Return the data sets that a system has as its own or that its parameters name."""
    named = {text for stage in stages for text in _texts(stage.parameters)}
    return [
        source
        for source in known
        if source["name"] in named or str(source.get("file", "")).startswith(f"{system}/")
    ]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
