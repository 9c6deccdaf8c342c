import re
from pathlib import Path

import pandas as pd
import pytest

from schedlab.diffusion.claims import inversion as inversion_claims
from schedlab.diffusion.claims import orders as order_claims
from schedlab.diffusion.claims import zoo as zoo_claims
from schedlab.diffusion.experiment import inversion, orders, zoo
from schedlab.diffusion.figures import inversion as inversion_figures
from schedlab.diffusion.figures import orders as order_figures
from schedlab.diffusion.figures import zoo as zoo_figures
from schedlab.diffusion.parameters import (
    InversionParameters,
    OrderParameters,
    ZooParameters,
)
from schedlab.lab.claims import evaluate
from schedlab.lab.paths import find_root

DDIM = {"use": "ddim", "label": "DDIM", "options": {"clip_sample": False}}
TRAILING = {"clip_sample": False, "timestep_spacing": "trailing"}
LMS = {"use": "lms", "label": "LMS"}
SEEDS = [0, 1, 2]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setenv("SCHEDLAB_JOBS", "1")
    monkeypatch.setenv("TQDM_DISABLE", "1")


def verdicts(claims, tables):
    return {f["id"]: f["verdict"] for f in evaluate(claims, tables, "laptop")}


@pytest.fixture(scope="module")
def zoo_parameters() -> ZooParameters:
    return ZooParameters(schedulers=[DDIM, LMS], thin=997, budgets=[6, 20], samples=30, seeds=SEEDS)


def test_errors_fall_with_the_budget_and_claims_follow(zoo_parameters):
    budget = zoo.error_by_budget(zoo_parameters)
    assert len(budget) == 2 * 2 * 3
    means = budget.groupby(["scheduler", "nfe"])["rmse"].mean()
    assert means["LMS", 20] < 0.5 * means["DDIM", 20] < means["DDIM", 6]
    found = verdicts(zoo_claims.zoo_claims(), tables_of(zoo_parameters, budget))
    assert found["diffusion/multistep-halves-the-error"] == "reproduced"
    assert found["diffusion/first-order-solvers-are-ddim"] == "reproduced"
    assert found["diffusion/ddpm-is-ddim-with-eta-one"] == "reproduced"
    assert found["diffusion/parity"] == "reproduced"
    assert found["diffusion/heun-fails-at-few-evaluations"] == "undecided"  # not among them
    drawn = zoo_figures.error_by_budget(budget, ["DDIM", "LMS"])
    assert {line.get_label() for line in drawn.axes[0].lines} >= {"DDIM", "LMS"}


def tables_of(parameters, budget):
    parity = zoo.compare_with_diffusers(parameters)
    assert zoo_figures.parity_by_class(parity, 1e-5).axes
    return {"parity": parity, "identities": zoo.identities(parameters), "budget": budget}


def test_a_combination_apart_is_counted():
    table = pd.DataFrame(
        {
            "seed": [0, 0, 1, 1],
            "defined": [True, True, True, False],
            "relative": [1e-7, 1e-3, 1e-7, float("nan")],
            "in_double": [1e-7, 1e-3, 1e-7, float("nan")],
            "grid_equal": [True, True, False, True],
        }
    )
    assert zoo_claims.combinations_apart({"parity": table}) == [1, 1]
    assert zoo_claims.share_as_installed({"parity": table}) == [0.5, 1.0]


def test_orders_are_measured_on_every_grid_and_with_both_starts():
    parameters = OrderParameters(
        solvers=["DDIM", "DPM-Solver++ 2M", "DPM-Solver++ 3M", "DPM-Solver++ 3M corrected"],
        intervals=[24, 48],
        noisiest=20.0,
        cleanest=0.02,
        samples=8,
        seeds=SEEDS,
    )
    errors = orders.errors(parameters)
    assert set(errors["grid"]) == set(orders.GRIDS)
    assert not errors.duplicated(["solver", "grid", "start", "intervals", "seed"]).any()
    table = orders.orders(errors)
    exact = orders.on_a_gaussian(parameters).groupby("solver")["order"].mean()
    assert exact["DPM-Solver++ 2M"] == pytest.approx(2, abs=0.15)
    found = verdicts(order_claims.order_claims(), {"errors": errors, "orders": table})
    assert found["diffusion/order-ddim"] == "reproduced"
    assert found["diffusion/order-dpm-plus-plus-2m"] == "reproduced"
    assert found["diffusion/order-dpm-plus-plus-3m"] == "not reproduced"
    assert found["diffusion/corrected-third-order-dpm-plus-plus"] == "reproduced"
    assert found["diffusion/order-heun"] == "undecided"  # not among them
    rising = errors[errors["start"] == orders.RISING]
    assert (
        len(order_figures.convergence(rising, parameters.solvers, [orders.LOG, orders.TIME]).axes)
        == 2
    )
    assert order_figures.measured_orders(table, [orders.LOG]).axes


def test_round_trips_and_their_claims():
    ddim = {"use": "ddim", "label": "DDIM", "options": {**TRAILING, "set_alpha_to_one": False}}
    parameters = InversionParameters(
        schedulers=[ddim, LMS], steps=[10, 50], iterations=[3], samples=20, seeds=SEEDS
    )
    trips = inversion.round_trips(parameters)
    assert len(trips) == 2 * 2 * 4 * 3
    found = verdicts(inversion_claims.inversion_claims(), {"round_trips": trips})
    assert found["diffusion/fixed-point-inversion-is-better"] == "reproduced"
    assert found["diffusion/newton-inversion-is-better"] == "reproduced"
    assert found["diffusion/every-deterministic-solver-inverts"] == "reproduced"
    sizes = trips[trips["scheduler"] == "DDIM"].groupby(["method", "steps"])["size"].mean()
    assert sizes["fixed point", 10] > 1.1 > sizes["DDIM inversion", 10]
    assert len(inversion_figures.round_trips(trips, 3).axes) == 4
    assert inversion_figures.sizes(trips, "DDIM", 3).axes


def test_the_readme_s_own_scheduler_runs_beside_the_others(tmp_path: Path, monkeypatch):
    page = (find_root() / "extensions" / "diffusion" / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mine_for_the_test.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    own = {
        "use": "mine_for_the_test:FourthOrderDEIS",
        "label": "DEIS 4",
        "options": {"use_karras_sigmas": True, "final_sigmas_type": "sigma_min"},
    }
    parameters = ZooParameters(
        schedulers=[DDIM, own], thin=997, budgets=[20], samples=30, seeds=[0]
    )
    budget = zoo.error_by_budget(parameters).set_index("scheduler")["rmse"]
    assert budget["DEIS 4"] < 0.5 * budget["DDIM"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedulers": []}, "empty"),
        ({"schedulers": [{"use": "dimm"}]}, "did you mean 'ddim'"),
        ({"schedulers": [{**DDIM, "options": {"clip": 1}}]}, "clip"),
        ({"schedulers": [{**DDIM, "options": {"variant": "best"}}]}, "variant"),
        ({"budgets": [0]}, "greater than 0"),
        ({"thin": 0}, "greater than 0"),
    ],
)
def test_bad_parameters_are_refused(zoo_parameters, change, words):
    with pytest.raises(ValueError, match=words):
        ZooParameters(**{**zoo_parameters.model_dump(), **change})
    with pytest.raises(ValueError, match="unknown solver"):
        OrderParameters(
            solvers=["RK45"], intervals=[6, 12], noisiest=2.0, cleanest=1.0, samples=1, seeds=[0]
        )
