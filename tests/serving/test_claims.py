import math

import pandas as pd
import pytest

from schedlab.lab import claims as ledger
from schedlab.lab.claims import CannotTell
from schedlab.serving.claims import estimators, labels, load, offsets, routing, throughput

LIMITS = {"paying": 0.1, "free": 0.5}


def latency(**medians: dict[int, float]) -> pd.DataFrame:
    """Return a table with one median TTFT per scheduler and seed, equal at two rates."""
    rows = [
        {
            "scheduler": getattr(labels, name),
            "rate": rate,
            "seed": seed,
            "class": users,
            "ttft_p50_s": value,
            "ttft_p99_s": 10 * value,
            "tbt_p99_s": value / 2,
        }
        for name, by_seed in medians.items()
        for seed, value in by_seed.items()
        for rate in (1.6, 1.8)
        for users in ("all", "free", "paying")
    ]
    return pd.DataFrame(rows)


def test_change_is_paired_within_a_seed_and_a_rate():
    table = latency(SLAI={1: 0.5, 2: 3.0}, SARATHI_FCFS={1: 1.0, 2: 4.0})
    change = estimators.relative_change(
        "ttft_p50_s", labels.SLAI, labels.SARATHI_FCFS, (1.6, 1.8), tables={"latency": table}
    )
    assert change == pytest.approx([-0.5, -0.25])


def test_change_looks_only_at_the_rates_users_and_memory_it_is_asked_for():
    table = latency(SLAI={1: 0.5}, SARATHI_FCFS={1: 1.0}).assign(blocks=8000)
    other = table.assign(blocks=100, ttft_p50_s=7.0)
    noise = table.assign(rate=9.9, ttft_p50_s=5.0)
    change = estimators.relative_change(
        "ttft_p50_s",
        labels.SLAI,
        labels.SARATHI_FCFS,
        (1.6,),
        users="paying",
        blocks=8000,
        tables={"latency": pd.concat([noise, other, table])},
    )
    assert change == pytest.approx([-0.5])


def test_worst_tbt_is_the_largest_over_labels_and_rates():
    table = latency(SLAI={1: 0.2, 2: 0.8}, SLAI_SPF={1: 0.4, 2: 0.1})
    worst = estimators.worst_tbt("free", (labels.SLAI, labels.SLAI_SPF), tables={"latency": table})
    assert worst == pytest.approx([0.2, 0.4])


def test_a_scheduler_that_did_not_run_leaves_its_claim_undecided():
    table = latency(SLAI={1: 0.5, 2: 0.5, 3: 0.5})
    claims = load.load_claims(
        workload="slai-fit", near_capacity=[1.6], limits_s=LIMITS, own=["Mine"]
    )
    capacity = pd.DataFrame(columns=["scheduler", "seed", "capacity", "limited_by"])
    findings = ledger.evaluate(claims, {"latency": table, "capacity": capacity}, "laptop")
    by_id = {finding["id"]: finding for finding in findings}
    assert by_id["serving/slai-median-ttft"]["verdict"] == "undecided"
    assert "Sarathi-Serve (FCFS)" in by_id["serving/slai-median-ttft"]["reason"]
    assert "'Mine'" in by_id["serving/own-mine-median-ttft"]["reason"]


def test_capacity_that_met_the_edge_of_the_search_is_not_compared():
    table = pd.DataFrame(
        {
            "scheduler": [labels.SLAI, labels.SARATHI_FCFS],
            "seed": [1, 1],
            "capacity": [3.0, 1.5],
            "limited_by": ["slo", "slo"],
        }
    )
    assert load.capacity_gain({"capacity": table}) == [1.0]
    table.loc[0, "limited_by"] = "right"
    with pytest.raises(CannotTell, match="highest rate"):
        load.capacity_gain({"capacity": table})


def test_on_other_lengths_claims_keep_direction_and_limit_but_no_figure():
    common = {"near_capacity": [1.6], "limits_s": LIMITS, "own": []}
    ours = load.load_claims(workload="slai-fit", **common)
    theirs = load.load_claims(workload="sharegpt-turns", **common)
    assert len({c.id for c in (*ours, *theirs)}) == 2 * len(ours)
    for here, there in zip(ours, theirs, strict=True):
        assert there.published is None
        assert (there.null, there.side) == (here.null, here.side)
        if here.null is None:
            assert (there.holds_from, there.holds_to) == (here.holds_from, here.holds_to)
        else:
            assert here.null in (there.holds_from, there.holds_to)
            assert math.inf in (-there.holds_from, there.holds_to)


def test_every_set_of_claims_is_well_formed_and_has_ids_of_its_own():
    every = [
        *load.load_claims(workload="slai-fit", near_capacity=[1.6], limits_s=LIMITS, own=["A b"]),
        *offsets.offset_claims(LIMITS, 14733, 8000),
        *throughput.throughput_claims(128),
        *routing.routing_claims(),
    ]
    assert len({claim.id for claim in every}) == len(every) > 25


def test_growth_is_compared_with_that_of_a_fluid_at_load_one_point_one():
    table = pd.DataFrame(
        {"load": [0.95, 1.1, 1.1], "seed": [1, 2, 1], "growth": [9.0, 3.0, 4.0]}
    ).assign(fluid_growth=4.0)
    assert throughput.growth_over_fluid({"stability": table}) == [1.0, 0.75]


def test_a_step_back_between_cycle_lengths_shows():
    table = pd.DataFrame({"seed": [1] * 3 + [2] * 3, "share": [0.2, 0.7, 0.9, 0.2, 0.8, 0.7]})
    assert throughput.smallest_step({"cycles": table}) == pytest.approx([0.2, -0.1])


def test_part_tiles_are_judged_by_their_best_batch_size():
    table = pd.DataFrame(
        {
            "scheduler": "Sarathi-Serve",
            "seed": 1,
            "budget": [128, 128, 256, 256],
            "extra": [0, 8, 0, 8],
            "tokens_per_s": [100.0, 80.0, 100.0, 90.0],
        }
    )
    assert throughput.gain_of_part_tiles({"tiling": table}) == pytest.approx([-0.1])
