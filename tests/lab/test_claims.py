import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schedlab.lab.claims import VERDICTS, CannotTell, Claim, evaluate, show, table, text_table

KEYS = [
    *("id", "system", "sentence", "source", "published", "unit", "holds_if"),
    *("holds_from", "holds_to"),
    *("estimate", "low", "high", "seeds", "scale", "verdict", "reason", "decide_with"),
    *("figure", "reconstruction"),
]
LOWER = {"holds_from": -0.7, "holds_to": -0.35, "null": 0.0}
LIMIT = {"holds_from": 0.9, "holds_to": 1.1}


def claim(values=(), **fields):
    fields = {"id": "serving/some-claim", "sentence": "Less waiting", "source": "s. 7"} | fields
    return Claim(estimator=lambda tables: values, **fields)


def find(values, scale="laptop", **fields):
    return evaluate([claim(values, **fields)], {}, scale)[0]


@pytest.mark.parametrize(
    ("values", "fields", "verdict"),
    [
        ([-0.50, -0.52, -0.51], LOWER, "reproduced"),
        ([-0.10, -0.11, -0.12], LOWER, "direction only"),
        ([-0.33, -0.35, -0.37], LOWER, "direction only"),
        ([0.10, 0.11, 0.12], LOWER, "not reproduced"),
        ([-0.50, 0.10, 0.20], LOWER, "undecided"),
        ([1.00, 1.01, 1.02], LIMIT, "reproduced"),
        ([1.30, 1.31, 1.32], LIMIT, "not reproduced"),
        ([0.50, 1.00, 1.50], LIMIT, "undecided"),
        ([1.09, 1.10, 1.11], LIMIT, "undecided"),
        ([0.2, 0.3, 0.25], {"holds_from": 0, "null": 0}, "reproduced"),
        ([-0.2, -0.3, -0.25], {"holds_from": 0, "null": 0}, "not reproduced"),
    ],
)
def test_verdict_follows_from_interval_and_range(values, fields, verdict):
    assert find(values, **fields)["verdict"] == verdict


def test_no_effect_in_every_seed_contradicts_a_direction_even_at_the_edge_of_its_range():
    assert find([0.0, 0.0, 0.0], holds_from=0, null=0)["verdict"] == "not reproduced"
    assert find([0.0, 0.0, 0.0], **LOWER)["verdict"] == "not reproduced"


def test_constant_values_are_judged_as_the_point_they_are():
    assert find([1.0] * 3, **LIMIT)["verdict"] == "reproduced"
    assert find([2.0] * 3, **LIMIT)["verdict"] == "not reproduced"


def test_finding_has_the_agreed_keys_and_is_plain_json():
    found = find(np.array([-0.5, -0.52, -0.51]), published=-0.53, unit="relative", **LOWER)
    assert list(found) == KEYS
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["system"], found["seeds"], found["published"]) == ("serving", 3, -0.53)
    assert found["low"] < found["estimate"] < found["high"]
    assert found["decide_with"] == ""


def test_estimator_reads_the_tables():
    runs = pd.DataFrame({"seed": [0, 1, 2], "change": [-0.5, -0.51, -0.52]})
    found = evaluate(
        [Claim("serving/a", "A", "s. 1", lambda t: t["runs"]["change"], **LOWER)],
        {"runs": runs},
        "laptop",
    )
    assert found[0]["estimate"] == pytest.approx(-0.51)


def test_too_few_seeds_leave_it_undecided_but_measured():
    found = find([-0.5, -0.5], **LOWER)
    assert (found["verdict"], found["estimate"]) == ("undecided", -0.5)
    assert found["reason"] == "2 of at least 3 seeds"
    assert "seeds" in found["decide_with"]


def test_one_seed_has_no_interval():
    found = find([-0.5], **LOWER)
    assert (found["low"], found["high"], found["verdict"]) == (None, None, "undecided")


def test_scale_that_cannot_test_it_leaves_it_undecided():
    found = find([-0.5, -0.51, -0.52], scales=("paper",), **LOWER)
    assert found["verdict"] == "undecided"
    assert found["reason"] == "laptop scale cannot test it, paper can"
    assert found["decide_with"] == "set scale: paper in params.yaml, then dvc repro"
    assert (
        find([-0.5, -0.51, -0.52], "paper", scales=("paper",), **LOWER)["verdict"] == "reproduced"
    )


def test_own_way_to_decide_is_named_only_while_undecided():
    own = {"decide_with": "run it on four H100"} | LOWER
    assert find([-0.5, 0.1, 0.2], **own)["decide_with"] == "run it on four H100"
    assert find([-0.5, -0.51, -0.52], **own)["decide_with"] == ""


def test_missing_value_of_a_seed_is_never_dropped():
    found = find([-0.5, math.nan, -0.51, -0.52, -0.5], **LOWER)
    assert found["verdict"] == "undecided"
    assert found["reason"] == "1 of 5 seeds gave no finite value"
    assert found["estimate"] is None


def test_estimator_without_values_leaves_it_undecided():
    assert find([], **LOWER)["verdict"] == "undecided"

    def silent(tables):
        raise CannotTell("no GPU was there to measure")

    found = evaluate([Claim("serving/a", "A", "s. 1", silent, **LOWER)], {}, "laptop")[0]
    assert (found["verdict"], found["reason"]) == ("undecided", "no GPU was there to measure")


def test_failing_estimator_names_its_claim():
    broken = Claim("serving/a", "A", "s. 1", lambda t: t["lod"]["x"], **LOWER)
    with pytest.raises(ValueError, match=r"serving/a.*tables load: KeyError: 'lod'"):
        evaluate([broken], {"load": pd.DataFrame()}, "laptop")


def test_estimator_must_return_one_value_per_seed():
    with pytest.raises(ValueError, match="one value per seed"):
        find(0.5, **LOWER)


def test_number_of_seeds_that_would_decide_is_about_right():
    rng = np.random.default_rng(3)
    values = list(rng.normal(-0.1, 0.2, 8))
    reason = find(values, **LOWER)["reason"]
    needed = int(reason.split("about ")[1].split()[0])
    mean, deviation = np.mean(values), np.std(values, ddof=1)
    assert needed == pytest.approx((1.96 * deviation / mean) ** 2, rel=0.6)
    assert needed > 8


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (LOWER, "95 % interval within [-0.7, -0.35] s; direction only if it lies below 0 s"),
        (LIMIT, "95 % interval within [0.9, 1.1] s"),
        ({"holds_to": 0, "null": 0}, "95 % interval below 0 s"),
        ({"holds_from": 2}, "95 % interval at least 2 s"),
        (
            {"holds_from": 2, "null": 1},
            "95 % interval at least 2 s; direction only if it lies above 1 s",
        ),
        (
            {"holds_from": 0, "holds_to": 2, "null": 0},
            "95 % interval within (0, 2] s; direction only if it lies above 0 s",
        ),
    ],
)
def test_condition_is_worded_from_the_data(fields, text):
    assert claim(unit="s", **fields).holds_if == text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": "servng/a"} | LIMIT, "system"),
        ({"id": "serving/Has Space"} | LIMIT, "some-words"),
        ({"sentence": " "} | LIMIT, "sentence"),
        ({"holds_from": 1, "holds_to": 0}, "empty"),
        ({"holds_from": math.nan}, "empty"),
        ({"holds_from": math.inf}, "empty"),
        ({}, "any result"),
        ({"null": 1.0} | LIMIT, "inside the range"),
        ({"null": math.nan} | LIMIT, "finite"),
        ({"holds_from": 1, "holds_to": 1, "null": 1}, "inside the range"),
        ({"published": 2.0} | LIMIT, "published 2 lies outside"),
        ({"min_seeds": 1} | LIMIT, "min_seeds"),
        ({"scales": ()} | LIMIT, "scales"),
        ({"scales": ("desktop",)} | LIMIT, "scales"),
    ],
)
def test_senseless_claims_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        claim(**fields)


def test_repeated_ids_and_unknown_scales_are_refused():
    with pytest.raises(ValueError, match="repeated: serving/some-claim"):
        evaluate([claim(**LIMIT)] * 2, {}, "laptop")
    with pytest.raises(ValueError, match="desktop"):
        evaluate([claim(**LIMIT)], {}, "desktop")


seeds = st.lists(st.integers(-4000, 4000).map(lambda k: k / 1024), min_size=2, max_size=9)
edges = st.integers(-3000, 3000).map(lambda k: k / 1024)


@st.composite
def ranges(draw):
    """Fields of a claim: a range with one or two finite ends, with or without a null."""
    low, high = sorted([draw(edges), draw(edges)])
    kind = draw(st.sampled_from(["both", "low", "high"]))
    fields = {"holds_from": low} if kind != "high" else {}
    fields |= {"holds_to": high} if kind != "low" else {}
    beyond = draw(st.integers(1, 2000)) / 1024
    null = high + beyond if kind == "high" else low - beyond
    return fields | {"null": draw(st.sampled_from([None, null]))}


@settings(max_examples=150, deadline=None)
@given(seeds, ranges(), st.floats(1, 50))
def test_more_noise_never_reproduces_what_was_not(values, fields, factor):
    noisy = [np.mean(values) + factor * (v - np.mean(values)) for v in values]
    before, after = find(values, **fields), find(noisy, **fields)
    near = [abs(before[k] - e) for k in ("low", "high") for e in fields.values() if e is not None]
    assume(min(near) > 1e-9)  # rounding may tip what lies exactly on an edge
    if before["verdict"] != "reproduced":
        assert after["verdict"] != "reproduced"
    if before["verdict"] == "undecided":
        assert after["verdict"] == "undecided"


@settings(max_examples=100, deadline=None)
@given(seeds, ranges(), st.integers(-20, 20), st.randoms())
def test_verdict_depends_neither_on_units_nor_on_the_order_of_seeds(values, fields, power, random):
    unit = 2.0**power
    other = [v * unit for v in values]
    random.shuffle(other)
    scaled = {name: None if edge is None else edge * unit for name, edge in fields.items()}
    assert find(values, **fields)["verdict"] == find(other, **scaled)["verdict"]


@settings(max_examples=100, deadline=None)
@given(seeds, ranges(), st.floats(0.01, 5))
def test_wider_range_keeps_what_was_reproduced(values, fields, more):
    fields = fields | {"null": None}
    wider = {"holds_from": fields.get("holds_from", -math.inf) - more}
    wider |= {"holds_to": fields.get("holds_to", math.inf) + more}
    if find(values, **fields)["verdict"] == "reproduced":
        assert find(values, **wider)["verdict"] == "reproduced"
    if find(values, **wider)["verdict"] == "not reproduced":
        assert find(values, **fields)["verdict"] == "not reproduced"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=8),
    ranges(),
    st.sampled_from(["smoke", "laptop", "paper"]),
)
def test_any_values_give_a_verdict_with_a_reason(values, fields, scale):
    found = find(values, scale, scales=("laptop",), **fields)
    assert found["verdict"] in VERDICTS
    assert found["reason"]
    json.dumps(found, allow_nan=False)
    if not np.isfinite(values).all() or len(values) < 3 or scale != "laptop":
        assert found["verdict"] == "undecided"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (-0.53, "-0.53"), (1234.5, "1230"), (2e-7, "2e-07"), (3e9, "3e+09")],
)
def test_numbers_are_shown_with_three_digits(value, text):
    assert show(value) == text


def test_ledger_as_a_table_and_as_text():
    good = find([-0.50, -0.52, -0.51], published=-0.53, unit="relative", **LOWER)
    open_ = find([], id="serving/other", sentence="A sentence that is long " * 5, **LIMIT)
    shown = table([good, open_])
    assert list(shown.columns) == ["claim", "published", "measured", "verdict"]
    assert list(shown.iloc[0]) == [
        "Less waiting",
        "-0.53",
        "-0.51 [-0.535, -0.485] relative",
        "reproduced",
    ]
    assert list(shown.iloc[1, 1:]) == ["–", "–", "undecided"]
    text = text_table([good, open_], 90)
    assert max(map(len, text.splitlines())) <= 90
    assert "Less waiting" in text
    assert text.endswith("2 claims: 1 reproduced, 0 direction only, 0 not reproduced, 1 undecided")
    for word in ("A", "sentence", "that", "is", "long"):
        assert text.split().count(word) == 5


def test_empty_ledger_is_shown_as_such():
    assert table([]).empty
    assert text_table([], 80).endswith(
        "0 claims: 0 reproduced, 0 direction only, 0 not reproduced, 0 undecided"
    )
