"""Evaluated claims as the report shows them: read, checked, and put into words."""

import math
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

VERDICTS = {
    "reproduced": "The interval lies inside the range the claim states.",
    "direction only": "The interval lies on the claimed side of “no effect”, but not inside the "
    "stated range.",
    "not reproduced": "The interval contradicts the direction, or misses the stated limit.",
    "undecided": "The interval is too wide, the seeds are too few, or this scale cannot test the "
    "claim; the row says what would decide it.",
}


class Finding(BaseModel):
    """What :mod:`schedlab.lab.claims` found about one claim."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9-]+$")]
    system: str
    sentence: str
    source: str
    published: FiniteFloat | None
    unit: str
    holds_if: str
    holds_from: FiniteFloat | None
    holds_to: FiniteFloat | None
    estimate: FiniteFloat | None
    low: FiniteFloat | None
    high: FiniteFloat | None
    seeds: int
    scale: str
    verdict: Literal["reproduced", "direction only", "not reproduced", "undecided"]
    reason: str
    decide_with: str = ""
    figure: str | None = None
    reconstruction: bool = False
    position: int = 0

    @property
    def stated(self) -> tuple[float, float]:
        """Range within which the claim holds; one end may be infinite."""
        low, high = self.holds_from, self.holds_to
        return -math.inf if low is None else low, math.inf if high is None else high

    @property
    def measured(self) -> tuple[str, str, str] | None:
        """Estimate, low and high as text, to the digits that the interval warrants."""
        if self.estimate is None:
            return None
        three = (self.estimate, self.low, self.high)
        known = [value for value in three if value is not None]
        width = max(known) - min(known)
        estimate, low, high = ("" if v is None else number(v, width) for v in three)
        return estimate, low, high


MOST_DECIMALS = 6


def true_minus(text: str) -> str:
    """Return words with a true minus before negative numbers, as :func:`number` writes them."""
    return re.sub(r"(?<!\w)-(?=\d)", "−", text)


def number(value: float, width: float = 0.0) -> str:
    """Write a number for readers: true minus, grouped thousands, no false precision.

    Parameters
    ----------
    value
        The number.
    width
        Width of its interval, half of which then gets two significant digits; with 0 the value
        itself gets three. Where that would be zeros in a row, powers of ten are used.

    Examples
    --------
    >>> number(-0.4812, width=0.08), number(61209), number(0.5)
    ('−0.481', '61 209', '0.5')
    """
    decimals = max(1 - math.floor(math.log10(width / 2)), 0) if width > 0 else 0
    if width > 0 and (decimals <= MOST_DECIMALS or abs(value) >= 1):
        decimals = min(decimals, 9)
        text = f"{round(value, decimals) + 0.0:,.{decimals}f}"
    elif value and not 1e-4 <= abs(value) < 1e9:
        text = f"{value:.3g}"
    else:
        decimals = max(2 - math.floor(math.log10(abs(value))), 0) if value else 0
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if decimals else text
    return text.replace("-", "−").replace(",", "\u202f")
