import math
import re

import pytest

from schedlab.lab import claims
from schedlab.lab.report.findings import VERDICTS, Finding, number, true_minus
from schedlab.lab.report.marks import interval_mark
from schedlab.lab.report.systems import SYSTEMS
from schedlab.lab.statistics import interval

INF = math.inf


def make(**changes):
    given = dict.fromkeys(("published", "estimate", "low", "high", "holds_from", "holds_to"))
    given |= {"id": "serving/x", "system": "serving", "sentence": "s", "source": "t", "unit": "s"}
    given |= {"holds_if": "", "seeds": 3, "scale": "laptop", "verdict": "undecided", "reason": "r"}
    return Finding.model_validate(given | changes)


def test_report_knows_the_same_verdicts_and_systems_as_the_ledger():
    assert tuple(VERDICTS) == claims.VERDICTS
    assert tuple(system.name for system in SYSTEMS) == claims.SYSTEMS


@pytest.mark.parametrize(
    ("low", "high", "null"),
    [(-0.7, -0.35, 0.0), (-INF, 0.1, None), (0.0, INF, 0.0), (2e-5, INF, None), (-INF, -3, 0.0)],
)
def test_stated_range_is_that_of_the_claim(low, high, null):
    claim = claims.Claim(
        "serving/x", "s", "t", lambda tables: [1.0], holds_from=low, holds_to=high, null=null
    )
    (found,) = claims.evaluate([claim], {}, "laptop")
    assert Finding.model_validate(found).stated == (low, high)


def test_findings_of_the_ledger_are_accepted_as_they_come():
    claim = claims.Claim("serving/x", "s", "t", lambda tables: [1.0, 2.0, 3.0], holds_from=0)
    (found,) = claims.evaluate([claim], {}, "laptop")
    mean = interval([1.0, 2.0, 3.0])
    assert Finding.model_validate(found).estimate == mean.estimate


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (-0.4813, 0.08, "−0.481"),
        (61209.0, 0.0, "61\u202f209"),
        (2041.3, 53.0, "2\u202f041"),
        (-0.001, 0.5, "0.00"),
        (0.26, 0.0, "0.26"),
        (1234.5, 0.0, "1\u202f234"),
        (0.00012345, 0.0, "0.000123"),
        (3.2e-9, 0.0, "3.2e−09"),
        (2.5e12, 0.0, "2.5e+12"),
        (1.0, 1e-30, "1.000000000"),
        (9.44e-9, 1e-9, "9.44e−09"),
    ],
)
def test_numbers_carry_no_false_precision(value, width, text):
    assert number(value, width) == text


def test_measured_uses_the_digits_of_its_interval():
    assert make(estimate=0.23111, low=0.18, high=0.29).measured == ("0.231", "0.180", "0.290")
    assert make(estimate=0.5).measured == ("0.5", "", "")
    assert make().measured is None


def test_mark_says_in_words_what_it_draws():
    mark = interval_mark(
        make(published=-0.5, estimate=-0.4, low=-0.5, high=-0.3, holds_from=-0.7, holds_to=-0.35)
    )
    assert "published −0.5; stated range −0.7 to −0.35" in mark
    assert "measured −0.40, interval −0.50 to −0.30" in mark
    assert all(f'class="{part}"' in mark for part in ("range", "zero", "ci", "published"))


def test_mark_keeps_order_and_stays_inside():
    mark = interval_mark(make(published=5.0, estimate=2.0, low=1.0, high=3.0, holds_from=0))
    dot = float(mark.partition('cx="')[2].partition('"')[0])
    diamond = float(mark.partition('class="published" d="M')[2].partition(" ")[0])
    assert 0 < dot < diamond < 180
    assert "stated range 0 or more" in mark


@pytest.mark.parametrize("value", [0.0, -3.0, 1e300])
def test_mark_of_a_single_value_is_drawn_and_without_values_is_empty(value):
    assert "circle" in interval_mark(make(estimate=value, low=value, high=value))
    assert "nan" not in interval_mark(make(estimate=value, low=value, high=value))
    assert interval_mark(make(holds_from=0)) == ""


def test_marks_beside_each_other_share_an_axis():
    one, other = make(estimate=1.0, low=0.9, high=1.1), make(estimate=3.0, low=2.9, high=3.1)
    dots = [
        float(re.search(r'cx="([\d.]+)"', interval_mark(*pair))[1])
        for pair in ((one, other), (other, one))
    ]
    assert dots[1] - dots[0] > 50
    assert interval_mark(make(), one) == ""


def test_words_get_a_true_minus_before_numbers_only():
    text = "direction-only below -0.5; within [-1, 2] of DPM-2 and 1e-05"
    assert true_minus(text) == "direction-only below −0.5; within [−1, 2] of DPM-2 and 1e-05"
