import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from schedlab.lab import statistics
from schedlab.lab.statistics import Interval, interval

samples = arrays(
    float,
    st.integers(2, 12),
    elements=st.floats(-100, 100, allow_subnormal=False).map(lambda x: round(x, 3)),
)


def test_examples_in_docstrings():
    assert doctest.testmod(statistics, optionflags=doctest.ELLIPSIS).failed == 0


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_few_values_give_students_interval(n, level):
    values = np.random.default_rng(n).normal(3, 2, n)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert interval(values, level).low == pytest.approx(theirs.low, rel=1e-12)
    assert interval(values, level).high == pytest.approx(theirs.high, rel=1e-12)


def test_many_normal_values_give_nearly_students_interval():
    values = np.random.default_rng(0).normal(size=2000)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = interval(values)
    assert [found.low, found.high] == pytest.approx([theirs.low, theirs.high], abs=0.002)


def test_bootstrap_is_a_percentile_interval_of_a_higher_level():
    # At n = 10 Hesterberg's correction takes 0.0086 in place of 0.025 off each tail.
    values = np.random.default_rng(1).exponential(size=10)
    theirs = stats.bootstrap(
        (values,), np.mean, confidence_level=1 - 2 * 0.0086, method="percentile", rng=3
    ).confidence_interval
    found = interval(values)
    assert [found.low, found.high] == pytest.approx(list(theirs), rel=0.02)


def test_bootstrap_agrees_with_the_closed_form_it_aims_at():
    # For normal data the expanded percentile interval is Student's up to resampling error.
    values = stats.norm.ppf((np.arange(30) + 0.5) / 30)
    reach = stats.t.ppf(0.975, 29) * values.std(ddof=1) / math.sqrt(30)
    found = interval(values)
    assert [found.low, found.high] == pytest.approx([-reach, reach], abs=0.03)


@pytest.mark.parametrize(
    ("kind", "mean", "n", "expected"),
    [
        ("normal", 0, 3, 0.95),
        ("normal", 0, 6, 0.93),
        ("normal", 0, 10, 0.94),  # a plain percentile interval has 0.90
        ("standard_exponential", 1, 10, 0.91),  # as Student's, which has 0.91 too
        ("standard_exponential", 1, 20, 0.925),
    ],
)
def test_coverage(kind, mean, n, expected):
    """What 2,500 samples gave once; 600 of others repeat it with a standard error of 0.01."""
    draw = getattr(np.random.default_rng(5), kind)
    found = [interval(draw(size=n)) for _ in range(600)]
    covered = np.mean([f.low <= mean <= f.high for f in found])
    assert covered == pytest.approx(expected, abs=0.03)


def test_skew_shows_in_the_bootstrap_interval():
    found = interval([1, 1, 1, 1, 1, 2, 2, 3, 9, 20])
    assert found.high - found.estimate > 1.2 * (found.estimate - found.low)


@settings(max_examples=40, deadline=None)
@given(samples, st.floats(0.01, 100), st.floats(-50, 50), st.randoms())
def test_interval_moves_with_shift_scale_and_not_with_order(values, scale, shift, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    one, other = interval(values), interval(np.array(shuffled) * scale + shift)
    moved = [scale * x + shift for x in (one.estimate, one.low, one.high)]
    assert [other.estimate, other.low, other.high] == pytest.approx(moved, rel=1e-6, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(samples, st.floats(0.8, 0.9), st.floats(0.9, 0.99))
def test_higher_level_gives_an_interval_around_the_lower_one(values, low, high):
    inner, outer = interval(values, low), interval(values, high)
    assert outer.low - 1e-9 <= inner.low <= inner.estimate + 1e-9
    assert inner.estimate - 1e-9 <= inner.high <= outer.high + 1e-9


def test_one_value_or_none_tells_nothing():
    assert interval([4.0]) == Interval(4.0, -math.inf, math.inf, 1)
    assert math.isnan(interval([]).estimate)
    assert interval([]).n == 0


@pytest.mark.parametrize("n", [2, 7])
def test_equal_values_give_a_point(n):
    assert interval([0.1] * n) == Interval(0.1, 0.1, 0.1, n)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_non_finite_values_are_refused(bad):
    with pytest.raises(ValueError, match="1 of 3 values are not finite"):
        interval([1.0, bad, 2.0])


def test_other_shapes_and_levels_are_refused():
    with pytest.raises(ValueError, match="one value per seed"):
        interval([[1.0, 2.0]])
    with pytest.raises(ValueError, match="level"):
        interval([1.0, 2.0], level=95)
