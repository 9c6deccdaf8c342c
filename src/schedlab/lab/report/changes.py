"""What changed between two revisions: verdicts, estimates, claims, parameters and numbers.

The page depends on the history of the checkout, so it lies beside ``reports/`` and not in it: what
the pipeline makes stays a function of code, parameters and data.
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schedlab.lab.files import write_text
from schedlab.lab.report import pages
from schedlab.lab.report.findings import Finding
from schedlab.lab.report.results import read_json

PAGE = "changes.html"
NOW = "the working tree"
CLAIMS = "claims."

Fields = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Change:
    """A claim before and after; one of the two is missing where the claim is new or removed."""

    before: Finding | None
    after: Finding | None

    @property
    def claim(self) -> Finding:
        """The claim as it last stood."""
        return self.after or self.before

    @property
    def kind(self) -> str:
        """``new``, ``removed``, ``verdict``, ``estimate``, or nothing where all is as it was."""
        if not (self.before and self.after):
            return "new" if self.after else "removed"
        if self.before.verdict != self.after.verdict:
            return "verdict"
        return "estimate" if _measured(self.before) != _measured(self.after) else ""

    @property
    def shift(self) -> float | None:
        """How far the estimate moved, in the claim's unit."""
        if not (self.before and self.after) or None in (self.before.estimate, self.after.estimate):
            return None
        return self.after.estimate - self.before.estimate

    @property
    def relative_shift(self) -> float | None:
        """The shift in halves of the earlier interval: beyond ±1 the estimate left it."""
        if self.shift is None or None in (self.before.low, self.before.high):
            return None
        half = (self.before.high - self.before.low) / 2
        return self.shift / half if half > 0 else None


@dataclass(frozen=True)
class Changes:
    """All that differs between two revisions; leaves are pairs of old and new."""

    before: str
    after: str
    claims: tuple[Change, ...]
    parameters: dict[str, tuple[Any, Any]]
    numbers: dict[str, tuple[Any, Any]]

    def of_kind(self, kind: str) -> list[Change]:
        """Return the claims that changed in one way, the furthest moved first."""
        found = [change for change in self.claims if change.kind == kind]
        return sorted(found, key=lambda c: (-abs(c.relative_shift or 0.0), c.claim.id))


def write_changes(root: Path, before: str = "HEAD", after: str | None = None) -> Path:
    """Write ``changes.html``, the page of what changed between two revisions of a checkout.

    Parameters
    ----------
    root
        The checkout, a Git repository with DVC.
    before, after
        Revisions as Git names them; without ``after``, the working tree.

    Returns
    -------
    The path of the page.

    Raises
    ------
    ValueError
        If a revision is unknown or its metrics are not those of a ledger.
    """
    page = pages.changes_page(compare(root, before, after), _known(root))
    return write_text(root / PAGE, page)


def compare(root: Path, before: str, after: str | None) -> Changes:
    """Return what ``dvc metrics diff`` and ``dvc params diff`` find between two revisions."""
    revisions = [before, *([after] if after else [])]
    metrics = _leaves(_dvc(root, "metrics", "--all", *revisions))
    parameters = _leaves(_dvc(root, "params", *revisions))
    numbers = {key: pair for key, pair in metrics.items() if f": {CLAIMS}" not in key}
    return Changes(
        _described(root, before),
        _described(root, after) if after else NOW,
        tuple(_claims(metrics.items())),
        _different(parameters),
        _different(numbers),
    )


def _dvc(root: Path, what: str, *arguments: str) -> dict[str, dict[str, dict[str, Any]]]:
    options = [argument for argument in arguments if argument.startswith("--")]
    revisions = [argument for argument in arguments if argument not in options]
    command = [sys.executable, "-m", "dvc", what, "diff", "--json", *options, "--", *revisions]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(done.stderr.strip().removeprefix("ERROR: ") or f"dvc {what} diff failed")
    return json.loads(done.stdout or "{}")


def _leaves(diff: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, tuple[Any, Any]]:
    """Return old and new of each value, under its file and key."""
    return {
        f"{file}: {key}": (value.get("old"), value.get("new"))
        for file, values in sorted(diff.items())
        for key, value in sorted(values.items())
    }


def _different(pairs: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _claims(metrics: Iterable[tuple[str, tuple[Any, Any]]]) -> Iterable[Change]:
    sides: tuple[Fields, Fields] = (defaultdict(dict), defaultdict(dict))
    for key, values in metrics:
        _, _, place = key.partition(": ")
        if place.startswith(CLAIMS):
            claim, _, field = place.removeprefix(CLAIMS).rpartition(".")
            for side, value in zip(sides, values, strict=True):
                side[claim] |= {} if value is None else {field: value}
    old, new = ({claim: _finding(f) for claim, f in side.items() if f} for side in sides)
    return (Change(old.get(claim), new.get(claim)) for claim in sorted({*old, *new}))


def _finding(fields: Mapping[str, Any]) -> Finding:
    # A value of nothing is left out by DVC.
    nothing = dict.fromkeys(("published", "holds_from", "holds_to", "estimate", "low", "high"))
    try:
        return Finding.model_validate(nothing | fields)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise ValueError(
            f"claim {fields.get('id', '?')}: {where}: not as the ledger writes it now; compare "
            "with a later revision"
        ) from None


def _measured(finding: Finding) -> tuple[float | None, ...]:
    return finding.estimate, finding.low, finding.high


def _described(root: Path, revision: str) -> str:
    command = ["git", "log", "-1", "--format=%h %s", "--end-of-options", revision, "--"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    named = done.stdout.strip()
    return named if named.startswith(revision) else f"{revision} ({named})" if named else revision


def _known(root: Path) -> set[str]:
    """Return the claims that the report has a row for, so that links lead somewhere."""
    path = root / "reports" / "ledger.json"
    return {row["id"] for row in read_json(path, list)} if path.is_file() else set()
