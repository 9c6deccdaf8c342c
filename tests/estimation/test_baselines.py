"""Experiments, figures and claims of the exact and classical stages at a tiny size."""

import math

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from schedlab.estimation.claims.baselines import EVENT_TRIGGERED, JOINT, baseline_claims
from schedlab.estimation.claims.optima import optimum_claims
from schedlab.estimation.experiment import baselines, equilibria, optima, strip
from schedlab.estimation.figures import baselines as baseline_figures
from schedlab.estimation.figures import optima as optimum_figures
from schedlab.estimation.figures import strip as strip_figures
from schedlab.estimation.observation import parts
from schedlab.estimation.parameters import BaselineParameters, ExactParameters
from schedlab.lab import claims as ledger
from schedlab.lab import parameters as params_yaml
from schedlab.lab.paths import find_root

GRID = {"cells": 137, "reach": 8.0, "ages": 10}
SEEDS = [1, 2, 3]
EVENT = {
    "use": "event_triggered",
    "label": EVENT_TRIGGERED,
    "dial": "width",
    "settings": [0.5, 1.0, 3.0],
}
EXACT = {
    "prices": {"S1": [0.5, 5.0], "S2": [1.0]},
    "headline": {"S1": 0.5, "S2": 1.0},
    "planar_price": 4.0,
    "discount": 0.95,
    "grid": GRID,
    "coin_grid": GRID,
    "starts": 1,
    "skewness": [0.0, 2.0],
    "skewness_price": 1.0,
    "maps": [{"system": "S4", "price": 2.0, "reach": 4.0, "points": 3, "grid": GRID}],
    "paths": 300,
    "steps": 60,
    "seeds": SEEDS,
}
BASELINE = {
    "optima_folder": "nowhere",
    "systems": ["S1", "S2"],
    "schedulers": [EVENT, {"use": "always"}],
    "matched_rates": {"S1": [0.2], "S2": [0.2]},
    "ranked": "S1",
    "ranked_price": 0.5,
    "discount": 0.95,
    "paths": 200,
    "steps": 60,
    "seeds": SEEDS,
}


class OneSided:
    """A user's own scheduler, as `extensions/estimation/README.md` shows it."""

    def __init__(self, width=1.0):
        self.width = width

    def transmit(self, obs):
        seen = parts(obs)
        return seen.state[0] - seen.predicted[0] > self.width


@pytest.fixture(scope="module", autouse=True)
def in_this_process():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCHEDLAB_JOBS", "1")
        patch.setenv("TQDM_DISABLE", "1")
        yield


@pytest.fixture(scope="module")
def solved():
    return optima.solve_all(ExactParameters(**EXACT))


@pytest.fixture(scope="module")
def baseline(solved, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exact")
    for name, table in solved.items():
        table.to_parquet(folder / f"{name}.parquet")
    return BASELINE | {"optima_folder": str(folder)}


def test_every_system_price_and_pair_is_stored(solved):
    assert len(solved["optima"]) == 3 * 3
    summary = optima.summary(ExactParameters(**EXACT), solved).set_index("system")
    assert summary.loc["S1", "independent"] == pytest.approx(summary.loc["S1", "joint"], rel=0.01)
    assert math.isnan(summary.loc["S2", "independent"])
    assert summary.loc["S2", "gain"] == pytest.approx(0.46, abs=0.02)


def test_simulations_share_their_trajectories(solved):
    parameters = ExactParameters(**EXACT)
    table = optima.check_by_simulation(parameters, solved)
    assert len(table) == 2 * 3 * 3
    one = table[table["system"] == "S1"].pivot_table(index="seed", columns="pair", values="cost")
    assert (one["joint"] / one["zero-bias"] - 1).abs().max() < 0.01
    findings = ledger.evaluate(
        optimum_claims(),
        {
            **solved,
            "simulations": table,
            "planar": optima.planar_check(parameters),
            "gains": equilibria.gains(equilibria.skewness_sweep(parameters)),
            "independent": optima.independent_costs(parameters),
        },
        "smoke",
    )
    verdicts = {finding["id"]: finding["verdict"] for finding in findings}
    assert verdicts["estimation/rare-jumps-joint-gain"] == "reproduced"
    assert verdicts["estimation/exact-coin-rate"] == "undecided"
    drawn = optimum_figures.pair_bars(table)
    assert [axes.get_title() or axes.get_title(loc="left") for axes in drawn.axes[:2]] == [
        "S1, λ = 0.5",
        "S2, λ = 1",
    ]


def test_a_symmetric_start_is_worst_on_the_map_of_two_peaks():
    parameters = ExactParameters(**EXACT)
    table = equilibria.equilibrium_map(parameters)
    middle = table[(table["first"] == 0) & (table["later"] == 0)]["cost"].item()
    assert middle == table["cost"].max() > 1.5 * table["cost"].min()
    assert len(optimum_figures.equilibrium_maps(table).axes) == 2


def test_the_strip_shows_a_belief_around_the_estimate_and_needs_no_script(solved):
    story = strip.follow_pair(ExactParameters(**EXACT), solved, "S2", steps=30)
    silent = story.table[~story.table["sent"]]
    assert (silent["low"] <= silent["estimate"]).all()
    assert (silent["estimate"] <= silent["high"]).all()
    assert silent["state"].between(silent["low"], silent["high"]).mean() > 0.7
    page = strip_figures.scrubber(story)
    assert page.count('class="t"') == 30
    assert page.count("<polygon") == len(silent)
    assert "<script" not in page
    assert strip_figures.strip(story.table).axes[0].lines


def test_a_scheduler_of_ones_own_gets_a_curve_and_a_row(baseline):
    mine = {"use": f"{__name__}:OneSided", "label": "mine", "dial": "width", "settings": [0.6, 1.2]}
    parameters = BaselineParameters(**baseline | {"schedulers": [EVENT, {"use": "always"}, mine]})
    curves = baselines.error_against_rate(parameters)
    own = curves[curves["scheduler"] == "mine"]
    assert len(own) == 2 * 2 * 3
    assert baselines.own_labels(parameters) == ["mine"]
    tables = {
        "curves": curves,
        "matched": baselines.matched(curves, parameters),
        "ranking": baselines.ranking(curves, parameters),
    }
    claims = baseline_claims(parameters.matched_rates, own=["mine"])
    verdicts = {f["id"]: f["verdict"] for f in ledger.evaluate(claims, tables, "smoke")}
    assert verdicts["estimation/own-mine-error"] == "not reproduced"
    drawn = baseline_figures.error_against_rate(curves)
    assert "mine" in {line.get_label() for line in drawn.axes[0].lines}


def test_rules_are_ranked_at_their_best_setting(baseline):
    parameters = BaselineParameters(**baseline)
    ranked = baselines.ranking(baselines.error_against_rate(parameters), parameters)
    best = ranked.groupby("scheduler", sort=False)["setting"].first()
    assert best[EVENT_TRIGGERED] == 0.5
    assert best[JOINT] == 0.5
    assert ranked["scheduler"].iloc[0] == JOINT
    assert ranked.groupby("scheduler")["cost"].mean()["always"] == pytest.approx(0.5)


def test_errors_are_compared_between_settings_and_never_beyond():
    rows = pd.DataFrame({"rate": [0.1, 0.3, 1.0], "mse": [1.0, 0.01, 0.0]})
    assert baselines.at_rate(rows, 0.2) == pytest.approx(0.1)
    assert math.isnan(baselines.at_rate(rows, 0.05))
    assert math.isnan(baselines.at_rate(rows, 0.9))


def ranking_of(costs: list[float]) -> dict[str, pd.DataFrame]:
    labels = [JOINT, "myopic value", "stochastic trigger", "periodic", "always"]
    rows = [
        (label, seed, cost + 0.001 * seed)
        for label, cost in zip(labels, costs, strict=True)
        for seed in SEEDS
    ]
    return {"ranking": pd.DataFrame(rows, columns=["scheduler", "seed", "cost"])}


@pytest.mark.parametrize(
    ("costs", "verdict"),
    [([1, 2, 3, 4, 5], "reproduced"), ([1, 3, 2, 4, 5], "not reproduced")],
)
def test_the_order_of_rules_can_fail(costs, verdict):
    (order,) = [c for c in baseline_claims({}) if c.id == "estimation/order-of-rules"]
    (finding,) = ledger.evaluate([order], ranking_of(costs), "laptop")
    assert finding["verdict"] == verdict


def test_gains_that_vanish_break_their_claims():
    same = pd.DataFrame(
        [
            (name, pair, seed, 1.0, 1.0 + 0.01 * seed, 0.4, 0.1)
            for name in ("S1", "S2", "S3", "S4", "S6")
            for pair in ("zero-bias", "estimator-only", "joint")
            for seed in SEEDS
        ],
        columns=["system", "pair", "seed", "exact", "cost", "rate", "mse"],
    )
    wanted = {
        "rare-jumps-joint-gain",
        "two-peaks-joint-gain",
        "exact-coin-rate",
        "exact-coin-error",
    }
    claims = [c for c in optimum_claims() if c.id.partition("/")[2] in wanted]
    findings = ledger.evaluate(claims, {"simulations": same}, "laptop")
    assert {f["verdict"] for f in findings} == {"not reproduced"}


def test_a_rise_of_the_cost_breaks_its_claim():
    rounds = pd.DataFrame(
        [
            ("S2", 1.0, start, k, cost)
            for start in range(3)
            for k, cost in enumerate([2.0, 1.0, 1.1])
        ],
        columns=["system", "price", "start", "round", "cost"],
    )
    (claim,) = [c for c in optimum_claims() if c.id == "estimation/alternation-never-rises"]
    (finding,) = ledger.evaluate([claim], {"rounds": rounds}, "laptop")
    assert finding["verdict"] == "not reproduced"
    assert finding["estimate"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (ExactParameters, EXACT | {"headline": {"S1": 3.0}}, "not among its prices"),
        (ExactParameters, EXACT | {"grid": GRID | {"cells": 136}}, "even"),
        (ExactParameters, EXACT | {"prices": {"S9": [1.0]}}, "unknown system"),
        (BaselineParameters, BASELINE | {"schedulers": [EVENT, EVENT]}, "occurs twice"),
        (
            BaselineParameters,
            BASELINE | {"schedulers": [EVENT | {"settings": []}]},
            "go together",
        ),
        (
            BaselineParameters,
            BASELINE | {"schedulers": [EVENT | {"settings": [-1.0]}]},
            "above 0",
        ),
        (
            BaselineParameters,
            BASELINE | {"schedulers": [{"use": "evnt_triggered"}]},
            "did you mean",
        ),
        (
            BaselineParameters,
            BASELINE | {"schedulers": [{"use": "always", "estimator": "oracle"}]},
            "allowed are hold",
        ),
    ],
)
def test_bad_parameters_are_refused_with_the_reason(model, values, message):
    with pytest.raises((ValidationError, ValueError), match=message):
        model(**values)


def test_the_repositorys_parameters_are_accepted_at_every_scale():
    everything = params_yaml.read(find_root())["estimation"]
    for stage in ("exact", "baselines"):
        for scale in params_yaml.SCALES:
            parts_of = everything[stage]
            params_yaml.check(f"estimation.{stage}", {**parts_of["all"], **parts_of[scale]})


def test_skewness_gains_are_relative_to_zero_bias():
    table = pd.DataFrame(
        {
            "skewness": 1.0,
            "seed": 1,
            "pair": ["zero-bias", "estimator-only", "joint"],
            "cost": [2.0, 1.5, 1.0],
        }
    )
    found = equilibria.gains(table).set_index("pair")["gain"]
    assert np.allclose(found[["estimator-only", "joint"]], [0.25, 0.5])
