"""The small drawing in a ledger row: published value, stated range, measured interval."""

import math

from markupsafe import Markup, escape

from schedlab.lab.report.findings import Finding, number

WIDTH, HEIGHT, MARGIN = 180, 24, 8
MIDDLE = HEIGHT // 2


def interval_mark(finding: Finding, beside: Finding | None = None) -> Markup:
    """Draw a finding on one axis, or nothing where there is no number to draw.

    The range is a band, the published value a diamond, the measured interval a line with a dot;
    a thin tick marks zero when it is in view. The same in words is the drawing's label.

    Parameters
    ----------
    finding
        What to draw.
    beside
        Finding whose mark has the same axis, to compare by eye.
    """
    shown = [finding, *([beside] if beside else [])]
    points = [point for one in shown for point in _points(one)]
    if not _points(finding):
        return Markup("")
    start, end = _view(points, shown)
    shapes = "".join(_shapes(finding, start, end))
    return Markup(
        f'<svg class="mark" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(_words(finding))}">'
        f'<path class="axis" d="M0 {MIDDLE}H{WIDTH}"/>{shapes}</svg>'
    )


def _points(finding: Finding) -> list[float]:
    values = (finding.published, finding.estimate, finding.low, finding.high)
    return [value for value in values if value is not None]


def _view(points: list[float], shown: list[Finding]) -> tuple[float, float]:
    """Return the ends of the axis: all that is shown, and zero where it is not far away."""
    ends = [bound for one in shown for bound in one.stated if math.isfinite(bound)]
    low, high = min(points + ends), max(points + ends)
    span = (high - low) or abs(low) or 1.0
    if low > 0 and low < span:
        low = 0.0
    if high < 0 and -high < span:
        high = 0.0
    return (low, high) if high > low else (low - span / 2, high + span / 2)


def _shapes(finding: Finding, start: float, end: float) -> list[str]:
    def at(value: float) -> str:
        inside = min(max(value, start), end)
        x = MARGIN + (inside - start) / (end - start) * (WIDTH - 2 * MARGIN)
        return f"{0 if value == -math.inf else WIDTH if value == math.inf else x:.4g}"

    shapes = []
    if any(map(math.isfinite, finding.stated)):
        left, right = map(at, finding.stated)
        width = f"{float(right) - float(left):.4g}"
        shapes.append(f'<rect class="range" x="{left}" y="3" width="{width}" height="18"/>')
    if start <= 0 <= end:
        shapes.append(f'<path class="zero" d="M{at(0)} 2V22"/>')
    if finding.low is not None and finding.high is not None:
        shapes.append(f'<path class="ci" d="M{at(finding.low)} {MIDDLE}H{at(finding.high)}"/>')
    if finding.published is not None:
        shapes.append(f'<path class="published" d="M{at(finding.published)} 5l5 7-5 7-5-7z"/>')
    if finding.estimate is not None:
        shapes.append(f'<circle class="estimate" cx="{at(finding.estimate)}" cy="12" r="4"/>')
    return shapes


def _words(finding: Finding) -> str:
    parts = []
    if finding.published is not None:
        parts.append(f"published {number(finding.published)}")
    if any(map(math.isfinite, finding.stated)):
        parts.append(f"stated range {_range_words(*finding.stated)}")
    if finding.measured:
        estimate, low_text, high_text = finding.measured
        interval = f", interval {low_text} to {high_text}" if low_text and high_text else ""
        parts.append(f"measured {estimate}{interval}")
    return "; ".join(parts)


def _range_words(low: float, high: float) -> str:
    if math.isinf(high):
        return f"{number(low)} or more"
    if math.isinf(low):
        return f"{number(high)} or less"
    return f"{number(low)} to {number(high)}"
