"""Experiments end to end at small size, their claims, and the tuner."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from schedlab.lab.claims import evaluate
from schedlab.lab.parameters import section
from schedlab.lab.paths import find_root
from schedlab.microcontrollers import anchors, costs
from schedlab.microcontrollers.boards import board
from schedlab.microcontrollers.claims import labels
from schedlab.microcontrollers.claims.schedule import schedule_claims
from schedlab.microcontrollers.claims.speed_up import speed_up_claims
from schedlab.microcontrollers.claims.sweeps import break_even, sweep_claims
from schedlab.microcontrollers.claims.tuner import tuner_claims
from schedlab.microcontrollers.experiment import runs, schedule, speed_up, sweeps, tuner
from schedlab.microcontrollers.parameters import MODELS
from schedlab.microcontrollers.schedulers import ArielFIFO, StaticCyclic
from schedlab.microcontrollers.tuner import tune


def parameters(stage, **changes):
    everything = yaml.safe_load((find_root() / "params.yaml").read_text())
    parts = everything["microcontrollers"][stage]
    return MODELS[stage](**{**parts["all"], **parts["smoke"], "seeds": [1, 2, 3], **changes})


def verdicts(claims, tables):
    return {f["id"].split("/")[1]: f for f in evaluate(claims, tables, "smoke")}


@pytest.fixture(scope="module")
def two_cores(catalogued):
    """Tables of the 15 catalogued networks, and the parameters they were made with."""
    chosen = parameters("speed_up", counts=costs.CATALOGUED)
    tables = {
        "speed_up": speed_up.speed_ups(chosen),
        "bounds": speed_up.over_bound(chosen),
        "efficiency": speed_up.single_core_efficiency(chosen),
    }
    return chosen, tables


def test_the_fifteen_networks_gain_what_theory_and_two_sources_say(two_cores):
    chosen, tables = two_cores
    tiles = tables["speed_up"].query("setting == 'tiles alone' and scheduler == 'Ariel FIFO'")
    assert tiles.groupby("seed").size().tolist() == [15, 15, 15]
    assert tiles["speed_up"].between(1.80, 2.00).all()
    claims = speed_up_claims(counts=chosen.counts, settings=list(chosen.settings), own=[])
    found = verdicts(claims, tables)
    expected = {
        "dual-core-speed-up": "reproduced",
        "dual-core-without-contention": "direction only",
        "tiles-alone-low": "reproduced",
        "contention-low": "reproduced",
        "contention-high": "reproduced",
        "contention-mean": "reproduced",
        "fifo-near-bound": "reproduced",
        "faster-than-microtvm": "reproduced",
        "multicore-flash": "undecided",
    }
    assert {name: found[name]["verdict"] for name in expected} == expected


def test_contention_decides_how_much_two_cores_gain():
    tables = {"speed_up": speed_up.speed_ups(parameters("speed_up"))}
    rows = tables["speed_up"].query("scheduler == 'Ariel FIFO'")
    means = rows.groupby("setting")["speed_up"].mean()
    assert means["tiles alone"] > means["with overhead"] > means["with overhead and contention"]
    bounds = tables["speed_up"].query("scheduler == @speed_up.BOUND")
    keys = ["seed", "model", "board", "setting"]
    merged = rows.merge(bounds, on=keys, suffixes=("", "_bound"))
    assert (merged["speed_up"] <= merged["speed_up_bound"] * (1 + 1e-9)).all()


def test_schedulers_are_near_the_optimum():
    chosen = parameters("speed_up")
    table = speed_up.excess_over_optimum(chosen)
    several = table[~table["scheduler"].isin(["One worker", labels.LOOP])]
    assert several["over_optimum"].between(-1e-4, 0.03).all()
    assert table["unproven"].between(0, 1e-3).all()


def test_the_rules_of_ariels_scheduler_hold():
    chosen = parameters("schedule", seeds=[1, 2])
    rules = schedule.rule_checks(chosen)
    found = verdicts([replace(c, min_seeds=2) for c in schedule_claims()], {"rules": rules})
    assert {f["verdict"] for f in found.values()} == {"reproduced"}


def test_a_broken_rule_is_seen():
    on = board("rp2350-arm")
    table = pd.DataFrame(
        {"step": [0, 0, 0], "workgroup": [0, 1, 2], "start": [0.0, 90e3, 50e3], "end": [1e5] * 3}
    )
    assert schedule._share_in_row_major(table, on) == 0
    overlap = pd.DataFrame({"step": [0, 1], "start": [0.0, 9.0], "end": [10.0, 20.0]})
    assert schedule._share_behind_barriers(overlap) == 0
    asleep = pd.DataFrame({"core": [0, 0, 1], "start": [0, 50e3, 0], "end": [50e3, 90e3, 10e3]})
    rows = table.assign(start=[0.0, 50e3, 80e3])
    assert schedule._share_conserving(rows, asleep, on) == 0


@pytest.fixture(scope="module")
def swept():
    chosen = parameters("sweeps")
    return {
        "overhead": sweeps.overhead(chosen),
        "cores": sweeps.cores(chosen),
        "unequal": sweeps.unequal_cores(chosen),
    }


def test_sweeps_bear_out_scheduling_theory(swept):
    found = verdicts(sweep_claims(costs.OWN), swept)
    theory = ("amdahl", "overhead-monotone", "break-even", "chunks-help", "unequal-static")
    assert {found[name]["verdict"] for name in theory} == {"reproduced"}


def test_break_even_is_interpolated():
    table = pd.DataFrame(
        {
            "seed": 1,
            "model": "m",
            "board": "b",
            "scheduler": "Ariel FIFO",
            "overhead": [0.0, 1.0, 2.0],
            "speed_up": [2.0, 1.2, 0.8],
        }
    )
    assert break_even(table, "Ariel FIFO")["overhead"].tolist() == [1.5]
    never = table.assign(speed_up=[2.0, 1.9, 1.8])
    assert np.isnan(break_even(never, "Ariel FIFO")["overhead"]).all()


def test_contention_lowers_every_speed_up():
    table = sweeps.contention(parameters("sweeps"))
    wide = table.pivot_table(index=["seed", "model", "board"], columns="beta", values="speed_up")
    assert (wide.diff(axis=1).iloc[:, 1:] < 0).all(axis=None)


def test_equal_seeds_give_equal_tables():
    chosen = parameters("tuner")
    pd.testing.assert_frame_equal(tuner.crossover(chosen), tuner.crossover(chosen))


def test_jitter_is_paired_and_of_the_size_asked_for():
    model = costs.find(costs.OWN, "digits_cnn_int8", "rv32imac")
    one, again = (runs.jittered(model, 0.02, 5) for _ in range(2))
    assert np.array_equal(one.in_order.instructions, again.in_order.instructions)
    factors = np.concatenate(
        [runs.jittered(model, 0.02, s).in_order.instructions for s in range(200)]
    ) / np.tile(model.in_order.instructions, 200)
    assert factors.std() == pytest.approx(0.02, rel=0.05)
    assert abs(factors - 1).max() <= 0.06 + 1e-12


def test_the_tuner_puts_what_fits_first(make_board, make_dispatch, make_model):
    fine = make_model(*[make_dispatch(*[100.0] * 8)])
    coarse = replace(fine, grid="coarse", dispatches=(make_dispatch(*[400.0] * 2),))
    schedulers = {"Ariel FIFO": ArielFIFO(), "Static cyclic": StaticCyclic()}
    table = tune([fine, coarse], make_board(job=50), schedulers)
    assert table.iloc[0]["latency_ms"] == pytest.approx(0.45)
    assert table["latency_ms"].is_monotonic_increasing
    big = replace(coarse, transient_bytes=2**21)
    table = tune([fine, big], make_board(job=500), schedulers)
    assert table["fits"].tolist() == [True, True, False, False]
    assert table.iloc[-1]["warnings"] == "RAM"


def test_a_coarser_grid_pays_beyond_a_crossover():
    table = tuner.crossover(parameters("tuner"))
    found = verdicts(tuner_claims(), {"crossover": table})
    assert found["coarse-grid-pays"]["verdict"] == "reproduced"
    assert tuner.gains(tuner.tuned(parameters("tuner")), labels.ARIEL)["gain"].ge(0).all()


def test_the_papers_tables_join_in_once_somebody_fills_them(monkeypatch):
    reference = yaml.safe_load(yaml.safe_dump(anchors.read("paper_reference")))
    settings = list(parameters("speed_up").settings)
    before = speed_up_claims(counts=costs.OWN, settings=settings, own=[])
    reference["latency_ms"]["rp2040"]["lenet5_quantized"]["dual"] = 45.0
    monkeypatch.setattr(anchors, "read", lambda name: reference)
    added = speed_up_claims(counts=costs.OWN, settings=settings, own=[])[len(before) :]
    assert [claim.id for claim in added] == ["microcontrollers/latency-rp2040-lenet5-quantized-2"]
    table = pd.DataFrame(
        {
            "seed": [1, 2, 3],
            "model": "LeNet-5",
            "board": "rp2040",
            "scheduler": labels.ARIEL,
            "setting": settings[-1],
            "latency_ms": [44.0, 45.0, 46.0],
        }
    )
    assert verdicts(added, {"speed_up": table}).popitem()[1]["verdict"] == "reproduced"


def test_a_scheduler_of_ones_own_gets_a_row():
    own = {"use": "tests.microcontrollers.test_inference:Backwards", "label": "Backwards"}
    chosen = parameters("speed_up")
    chosen = parameters("speed_up", schedulers=[*chosen.schedulers, own])
    table = speed_up.speed_ups(chosen)
    names = runs.own_labels(chosen.schedulers)
    claims = speed_up_claims(counts=costs.OWN, settings=list(chosen.settings), own=names)
    (row,) = verdicts(claims[-1:], {"speed_up": table}).values()
    assert row["sentence"] == "Backwards is faster than Ariel's queue"
    assert row["verdict"] == "not reproduced"


@pytest.mark.parametrize("stage", ["schedule", "speed_up", "sweeps", "tuner"])
def test_params_yaml_is_accepted(stage):
    assert section(f"microcontrollers.{stage}", find_root()).stage == stage


@pytest.mark.parametrize(
    ("stage", "changes", "words"),
    [
        ("schedule", {"board": "rp2041"}, "unknown board"),
        ("schedule", {"counts": "theirs"}, "unknown set of counts"),
        ("sweeps", {"betas": [0.5, 0.1]}, "expected rising values"),
        ("sweeps", {"cores": [1, 17]}, "less than or equal to 16"),
        ("tuner", {"jitter": -1}, "greater than or equal to 0"),
    ],
)
def test_bad_parameters_are_refused(stage, changes, words):
    with pytest.raises(ValueError, match=words):
        parameters(stage, **changes)
