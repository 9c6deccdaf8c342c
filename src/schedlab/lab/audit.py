"""Known vulnerabilities of the pinned packages: ``make audit ADVISORIES=FOLDER``.

Reads a checkout of an advisory database in the OSV format, for instance that of
github.com/pypa/advisory-database, so that nobody has to be asked over a network. With one,
``pip-audit -r constraints.txt`` asks PyPI.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import Version

from schedlab.lab.paths import find_root

Pins = dict[str, str]
Advisory = dict[str, Any]
READERS = {".yaml": yaml.safe_load, ".json": json.loads}
NAMED = re.compile(r'"?name"?: *"?([\w.-]+)')


def main(arguments: list[str] | None = None) -> int:
    """Print what is known against the pins; return 1 if there is anything."""
    parser = argparse.ArgumentParser(prog="schedlab.lab.audit", description=__doc__)
    parser.add_argument("advisories", type=Path, help="folder of OSV files, one advisory each")
    folder = parser.parse_args(arguments).advisories
    pins = read_pins(find_root() / "constraints.txt")
    try:
        advisories = list(read_advisories(folder, pins))
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found = [line for advisory in advisories for line in hits(advisory, pins)]
    newest = max((str(advisory["modified"]) for advisory in advisories), default="none")
    print(*found, sep="\n", end="\n" if found else "")
    print(
        f"{len(pins)} pins, {len(advisories)} advisories about these packages, "
        f"the newest of {newest}: {len(found)} concern a pinned version"
    )
    return 1 if found else 0


def read_pins(path: Path) -> Pins:
    """Return versions by canonical name from a file of ``name==version`` lines."""
    pairs = (line.split("==") for line in path.read_text(encoding="utf-8").splitlines())
    return {canonicalize_name(name): version for name, version in pairs}


def read_advisories(folder: Path, pins: Pins) -> Iterator[Advisory]:
    """Yield the advisories below a folder that concern a pinned package, in any version.

    Raises
    ------
    FileNotFoundError
        If there is no OSV file at all.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in READERS]
    if not files:
        raise FileNotFoundError(f"{folder}: no OSV files (.yaml or .json) below it")
    for path in files:
        text = path.read_text(encoding="utf-8")
        if pins.keys() & set(map(canonicalize_name, NAMED.findall(text))):
            advisory = READERS[path.suffix](text)
            if "withdrawn" not in advisory and any(own(advisory, pins)):
                yield advisory


def own(advisory: Advisory, pins: Pins) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and entry of each pinned package that an advisory speaks of."""
    for entry in advisory["affected"]:
        name = canonicalize_name(entry["package"]["name"])
        if entry["package"]["ecosystem"] == "PyPI" and name in pins:
            yield name, entry


def hits(advisory: Advisory, pins: Pins) -> Iterator[str]:
    """Yield a line for each pinned version that an advisory concerns."""
    for name, entry in own(advisory, pins):
        if concerns(entry, pins[name]):
            also = ", ".join(advisory.get("aliases", ()))
            yield f"{name} {pins[name]}: {advisory['id']} {also}".rstrip()


def concerns(entry: dict[str, Any], version: str) -> bool:
    """Tell whether a version is among those listed, or in a range, of an ``affected`` entry."""
    ranges = [r["events"] for r in entry.get("ranges", ()) if r["type"] == "ECOSYSTEM"]
    return version in entry.get("versions", ()) or any(_inside(r, version) for r in ranges)


def _inside(events: list[dict[str, str]], version: str) -> bool:
    """Follow a range's events up to a version: affected since ``introduced``, until ``fixed``."""
    at, inside = Version(version), False
    for event in sorted(events, key=lambda event: Version(next(iter(event.values())))):
        ((kind, bound),) = event.items()
        if kind == "introduced" and at >= Version(bound):
            inside = True
        if kind == "fixed" and at >= Version(bound):
            inside = False
        if kind == "last_affected" and at > Version(bound):
            inside = False
    return inside


if __name__ == "__main__":
    sys.exit(main())
