"""The ledger: published claims as data, and verdicts computed from what was measured.

A verdict follows from three things only: the interval over seeds, the range that the claim
states, and, where the claim has a direction, the value that would mean "no effect".

================  ==================================================================
verdict           when
================  ==================================================================
reproduced        the interval lies inside the stated range
direction only    the interval lies on the claimed side of "no effect", not in the range
not reproduced    the interval contradicts the direction, or misses the stated limit
undecided         anything else, too few seeds, or a scale that cannot test the claim
================  ==================================================================
"""

import math
import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from schedlab.lab.parameters import SCALES
from schedlab.lab.statistics import Interval, interval

SYSTEMS = (
    "diffusion",
    "ranking",
    "serving",
    "metalearning",
    "trainability",
    "microcontrollers",
    "estimation",
)
VERDICTS = ("reproduced", "direction only", "not reproduced", "undecided")
MORE_SEEDS = "lengthen the stage's list of seeds in params.yaml, then dvc repro"

Tables = Mapping[str, pd.DataFrame]
Estimator = Callable[[Tables], Sequence[float]]
Finding = dict[str, Any]


class CannotTell(Exception):
    """Raised by an estimator that has nothing to measure; the message says why."""


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper, with what it takes to check it.

    Attributes
    ----------
    id
        ``system/name``, for instance ``serving/slai-median-ttft``.
    sentence
        The claim in one plain sentence.
    source
        Where the paper says so, for instance ``"abstract; section 7"``.
    estimator
        From the stage's tables by name to one value per seed, paired within the seed. Where it
        finds nothing to measure it returns no values or raises :class:`CannotTell`.
    published
        The paper's figure; ``None`` where it gives only a direction.
    unit
        Unit of the values, for instance ``"s"`` or ``"relative"``.
    holds_from, holds_to
        Range that the claim states; either end may be infinite.
    null
        Value that means "no effect", at or beyond an end of the range; ``None`` if the claim is
        a limit rather than a direction.
    figure
        Name of the figure of the same stage that shows it.
    decide_with
        Command or sentence that would settle the claim where this run cannot.
    min_seeds
        Seeds below which the claim stays undecided, at least 2.
    scales
        Scales at which it can be decided. At any other the estimator still runs, so that the
        measured value is shown.
    reconstruction
        Whether the experiment rests on our reconstruction of something the paper leaves open.
    """

    id: str
    sentence: str
    source: str
    estimator: Estimator
    published: float | None = None
    unit: str = ""
    holds_from: float = -math.inf
    holds_to: float = math.inf
    null: float | None = None
    figure: str | None = None
    decide_with: str = ""
    min_seeds: int = 3
    scales: tuple[str, ...] = SCALES
    reconstruction: bool = False

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise ValueError(f"claim {self.id!r}: {problem}")

    @property
    def system(self) -> str:
        """Name of the system the claim is about."""
        return self.id.split("/")[0]

    @property
    def side(self) -> int:
        """Side of ``null`` on which the range lies: 1 above, -1 below, 0 without ``null``."""
        if self.null is None:
            return 0
        return 1 if self.null <= self.holds_from else -1

    @property
    def holds_if(self) -> str:
        """What an interval must be like for the claim to count as reproduced, in words."""
        words = f"95 % interval {_range_in_words(self)}"
        if self.null is None or words.endswith(_side_in_words(self)):
            return words
        return f"{words}; direction only if it lies {_side_in_words(self)}"


def _problems(claim: Claim) -> Iterable[str]:
    low, high, null, published = claim.holds_from, claim.holds_to, claim.null, claim.published
    system = claim.id.split("/")[0]
    if not re.fullmatch(r"[a-z]+/[a-z0-9]+(-[a-z0-9]+)*", claim.id) or system not in SYSTEMS:
        yield f"the id must read system/some-words with a system of {', '.join(SYSTEMS)}"
    if not claim.sentence.strip() or not claim.source.strip():
        yield "sentence and source must not be empty"
    if not low <= high or math.inf in (low, -high):
        yield f"the range from {low} to {high} is empty"
    if math.isinf(low) and math.isinf(high):
        yield "any result would lie in its range; give holds_from or holds_to"
    if null is not None and not math.isfinite(null):
        yield f"null must be a finite number, got {null}"
    if null is not None and (low < null < high or null == low == high):
        yield f"null {null:g} lies inside the range from {low:g} to {high:g}"
    if published is not None and not low <= published <= high:
        yield f"the published {published:g} lies outside the range from {low:g} to {high:g}"
    if claim.min_seeds < 2:
        yield f"min_seeds must be at least 2, for an interval needs two, got {claim.min_seeds}"
    if not claim.scales or not set(claim.scales) <= set(SCALES):
        yield f"scales must name some of {', '.join(SCALES)}, got {claim.scales}"


def evaluate(claims: Iterable[Claim], tables: Tables, scale: str) -> list[Finding]:
    """Measure each claim on a stage's tables and judge it.

    Parameters
    ----------
    claims
        Claims with ids of their own.
    tables
        Tidy tables by name, as the estimators expect them.
    scale
        Scale that the tables were made at.

    Returns
    -------
    One finding per claim, ready for JSON: infinite or missing numbers are ``None``. A value
    that is missing for a seed is never dropped: it leaves the claim undecided.

    Raises
    ------
    ValueError
        If ids repeat, the scale is unknown, or an estimator fails.
    """
    claims = list(claims)
    if repeated := [name for name, count in Counter(c.id for c in claims).items() if count > 1]:
        raise ValueError(f"claim ids must differ; repeated: {', '.join(repeated)}")
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}; allowed are {', '.join(SCALES)}")
    return [_finding(claim, tables, scale) for claim in claims]


def _finding(claim: Claim, tables: Tables, scale: str) -> Finding:
    values, silence = _measure(claim, tables)
    complete = bool(values.size) and bool(np.isfinite(values).all())
    found = interval(values if complete else [])
    verdict, reason, remedy = judge(claim, found, scale)
    if not complete:
        verdict, reason, remedy = "undecided", silence or _gap(values), ""
    return {
        "id": claim.id,
        "system": claim.system,
        "sentence": claim.sentence,
        "source": claim.source,
        "published": _number(claim.published),
        "unit": claim.unit,
        "holds_if": claim.holds_if,
        "holds_from": _number(claim.holds_from),
        "holds_to": _number(claim.holds_to),
        "estimate": _number(found.estimate),
        "low": _number(found.low),
        "high": _number(found.high),
        "seeds": int(values.size),
        "scale": scale,
        "verdict": verdict,
        "reason": reason,
        "decide_with": (claim.decide_with or remedy) if verdict == "undecided" else "",
        "figure": claim.figure,
        "reconstruction": claim.reconstruction,
    }


def _measure(claim: Claim, tables: Tables) -> tuple[np.ndarray, str]:
    """Return the estimator's values, or none and its reason."""
    try:
        values = np.asarray(claim.estimator(tables), dtype=float)
    except CannotTell as silence:
        return np.empty(0), str(silence)
    except Exception as error:
        raise ValueError(
            f"claim {claim.id!r}: estimator failed on the tables {', '.join(tables) or '(none)'}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if values.ndim != 1:
        raise ValueError(f"claim {claim.id!r}: its estimator must return one value per seed")
    return values, "" if values.size else "the run measured nothing that bears on the claim"


def _gap(values: np.ndarray) -> str:
    missing = int(np.count_nonzero(~np.isfinite(values)))
    return f"{missing} of {values.size} seeds gave no finite value"


def judge(claim: Claim, found: Interval, scale: str) -> tuple[str, str, str]:
    """Return verdict, reason, and, where undecided, the general remedy."""
    if scale not in claim.scales:
        wanted = " or ".join(claim.scales)
        remedy = f"set scale: {claim.scales[0]} in params.yaml, then dvc repro"
        return "undecided", f"{scale} scale cannot test it, {wanted} can", remedy
    if found.n < claim.min_seeds:
        return "undecided", f"{found.n} of at least {claim.min_seeds} seeds", MORE_SEEDS
    if _inside(claim, found):
        return "reproduced", "the interval lies inside the stated range", ""
    if claim.null is None:
        return _judge_limit(claim, found)
    return _judge_direction(claim, found)


def _inside(claim: Claim, found: Interval) -> bool:
    """Tell whether the interval lies in the range and, even at its edge, clear of "no effect"."""
    within = claim.holds_from <= found.low and found.high <= claim.holds_to
    return within and (claim.null is None or not found.low <= claim.null <= found.high)


def _judge_limit(claim: Claim, found: Interval) -> tuple[str, str, str]:
    if found.high < claim.holds_from or found.low > claim.holds_to:
        return "not reproduced", "the interval lies outside the stated range", ""
    edges = [e for e in (claim.holds_from, claim.holds_to) if found.low <= e <= found.high]
    return _too_wide(found, edges, "the interval reaches beyond the stated range")


def _judge_direction(claim: Claim, found: Interval) -> tuple[str, str, str]:
    null = float(claim.null or 0.0)
    if claim.side * (found.low - null) > 0 and claim.side * (found.high - null) > 0:
        apart = found.high < claim.holds_from or found.low > claim.holds_to
        where = "lies outside" if apart else "reaches beyond"
        return "direction only", f"the direction is certain, the magnitude {where} the range", ""
    if claim.side * (found.low - null) <= 0 and claim.side * (found.high - null) <= 0:
        return "not reproduced", f"the interval does not lie {_side_in_words(claim)}", ""
    return _too_wide(found, [null], f"the interval includes {show(null)}, which means no effect")


def _too_wide(found: Interval, edges: Sequence[float], reason: str) -> tuple[str, str, str]:
    """Add how many seeds would decide, as the interval narrows with their square root."""
    reach = max(found.high - found.estimate, found.estimate - found.low)
    distance = min(abs(found.estimate - edge) for edge in edges)
    needed = found.n * (reach / distance) ** 2 if distance else math.inf
    if needed < 1000:
        reason += (
            f"; about {max(math.ceil(needed), found.n + 1)} seeds of this scatter would decide"
        )
    return "undecided", reason, MORE_SEEDS


def _range_in_words(claim: Claim) -> str:
    low, high, unit = claim.holds_from, claim.holds_to, f" {claim.unit}".rstrip()
    if math.isinf(high):
        return f"{'above' if claim.null == low else 'at least'} {show(low)}{unit}"
    if math.isinf(low):
        return f"{'below' if claim.null == high else 'at most'} {show(high)}{unit}"
    left, right = "(" if claim.null == low else "[", ")" if claim.null == high else "]"
    return f"within {left}{show(low)}, {show(high)}{right}{unit}"


def _side_in_words(claim: Claim) -> str:
    unit = f" {claim.unit}".rstrip()
    return f"{'above' if claim.side > 0 else 'below'} {show(claim.null)}{unit}"


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def show(value: float | None) -> str:
    """Return a number with three significant digits, or a dash where there is none."""
    if value is None:
        return "–"
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}"
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


def measured(finding: Finding) -> str:
    """Return a finding's estimate, interval and unit as one piece of text."""
    if finding["estimate"] is None:
        return "–"
    text = show(finding["estimate"])
    if finding["low"] is not None:
        text += f" [{show(finding['low'])}, {show(finding['high'])}]"
    return f"{text} {finding['unit']}".rstrip()


def table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return the ledger for showing in a notebook: claim, published, measured, verdict."""
    rows = [(f["sentence"], show(f["published"]), measured(f), f["verdict"]) for f in findings]
    return pd.DataFrame(rows, columns=["claim", "published", "measured", "verdict"], dtype="str")


def text_table(findings: Sequence[Finding], width: int | None = None) -> str:
    """Return the ledger as plain text, followed by a count of the verdicts.

    Parameters
    ----------
    findings
        Findings of :func:`evaluate`, from any number of stages.
    width
        Columns of text; by default the terminal's.
    """
    columns = width or shutil.get_terminal_size((100, 24)).columns
    rows = [tuple(map(str, row)) for row in table(findings).itertuples(index=False)]
    rows.insert(0, ("claim", "published", "measured", "verdict"))
    widths = [max(len(row[i]) for row in rows) for i in (1, 2, 3)]
    widths[1] = min(widths[1], max(24, columns // 3))  # long units must not squeeze the sentences
    widths.insert(0, max(24, columns - sum(widths) - 6))
    lines = [line for row in rows for line in _lines(row, widths)]
    rule = "-" * (sum(widths) + 6)
    tally = Counter(f["verdict"] for f in findings)
    counts = ", ".join(f"{tally[verdict]} {verdict}" for verdict in VERDICTS)
    return "\n".join([lines[0], rule, *lines[1:], rule, f"{len(findings)} claims: {counts}"])


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return one row as lines of text, its cells wrapped at spaces."""
    cells = [
        textwrap.wrap(cell, width, break_on_hyphens=False)
        for cell, width in zip(row, widths, strict=True)
    ]
    lines = zip_longest(*cells, fillvalue="")
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
