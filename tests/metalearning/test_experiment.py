"""Stages' experiments at a tiny size: pairing, shapes, and figures that can be drawn."""

import os

import pytest
import yaml

from schedlab.data.catalog import MIRROR
from schedlab.lab import claims as ledger
from schedlab.lab.paths import find_root
from schedlab.metalearning import names
from schedlab.metalearning.claims.noise import noise_claims
from schedlab.metalearning.experiment import summaries
from schedlab.metalearning.experiment.regression import compare_worlds
from schedlab.metalearning.experiment.worlds import by_budget, by_noise, numbered
from schedlab.metalearning.figures import dynamics, scores, tasks
from schedlab.metalearning.parameters import MODELS, Comparison, RegressionParameters
from schedlab.metalearning.tasks import make_world
from schedlab.metalearning.tasks.world import random_stream

mirror = pytest.mark.skipif(not os.environ.get(MIRROR), reason=f"{MIRROR} names no folder")
STAGES = yaml.safe_load((find_root() / "params.yaml").read_text())["metalearning"]
LEARNER = {
    "network_options": {"widths": [16, 16], "normalise": False},
    "inner_lr": 0.01,
    "inner_steps": 2,
}
ATS = {"use": "ats", "label": names.ATS, "options": {"preset": "fast", "warm_up": 4}}


def comparison(**changes) -> Comparison:
    values = {
        "world": {"use": "sinusoids", "validation_tasks": 4, "test_tasks": 6},
        "learner": LEARNER,
        "schedulers": [{"use": "uniform", "label": names.UNIFORM}, ATS],
        "match_compute": "",
        "pool": 6,
        "batch": 2,
        "pretrain": 2,
        "pretrain_clean": True,
        "steps": 20,
        "meta_lr": 0.005,
        "evaluate_every": 10,
        "test_steps": 2,
        "seeds": [1, 2],
        "stack": 2,
    }
    return Comparison(**{**values, **changes})


@pytest.fixture(scope="module")
def noisy():
    return by_noise(comparison(), [0.2, 0.8])


@pytest.mark.parametrize("stage", MODELS)
@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_params_yaml_is_valid_at_every_scale(stage, scale):
    MODELS[stage](**{**STAGES[stage]["all"], **STAGES[stage][scale]})


def test_schedulers_see_the_same_candidates_and_start_alike(noisy):
    steps = noisy["steps"]
    steps = steps[(steps["phase"] == "training") & (steps["world"] == "0.8")]
    index, values = ["seed", "step", "candidate"], ["noisy", "group"]
    wide = steps.pivot_table(index=index, columns="scheduler", values=values)
    assert (wide["noisy"][names.UNIFORM] == wide["noisy"][names.ATS]).all()
    assert (wide["group"][names.UNIFORM] == wide["group"][names.ATS]).all()
    curves = summaries.score_curves(noisy["scores"])
    first = curves[curves["step"] == 0].groupby(["world", "seed"])["score"]
    assert (first.nunique() == 1).all()


def test_shares_of_noise_are_those_asked_for(noisy):
    shares = numbered(summaries.noisy_share(noisy["steps"]), "share")
    assert sorted(shares["share"].unique()) == [0.2, 0.8]
    assert (shares["noisy"] - shares["share"]).abs().max() < 0.15


def test_budgets_are_worlds_of_their_own():
    parameters = comparison(schedulers=[{"use": "uniform", "label": names.UNIFORM}])
    tables = by_budget(parameters, [4, 8])
    finals = numbered(summaries.final_scores(tables["scores"]), "classes")
    assert finals["classes"].tolist() == [4, 4, 8, 8]
    assert finals["score"].nunique() == 4


def test_every_figure_can_be_drawn(noisy):
    finals = numbered(summaries.final_scores(noisy["scores"]), "share")
    curves = summaries.with_passes(summaries.score_curves(noisy["scores"]), noisy["cost"])
    one = curves[curves["world"] == "0.8"]
    weights = summaries.dynamics(noisy["steps"])
    late = summaries.last_pools(noisy["steps"], names.ATS).assign(setting="late")
    drawn = [
        scores.final_scores(finals[finals["world"] == "0.8"], "score"),
        scores.score_curves(one, "score"),
        scores.against_compute(one, "score"),
        scores.against(finals, "share", "share", "score"),
        dynamics.noisy_weight(weights[weights["scheduler"] == names.ATS], "share"),
        dynamics.noisy_selected(weights[weights["world"] == "0.8"]),
        dynamics.preferences(late),
        dynamics.dots(summaries.moments(noisy["steps"], names.ATS, 1)),
        dynamics.at_moment(late, 1, 8),
    ]
    letters = make_world({"use": "characters", "noise": {"share": 0.5}}, 0)
    drawn += [
        tasks.letters(letters.source),
        tasks.episodes(letters.pool(20, random_stream(0, "p")), 5),
    ]
    for figure in drawn:
        figure.canvas.draw()
        assert any(axes.has_data() for axes in figure.axes)


def test_bars_are_ordered_by_score(noisy):
    finals = summaries.final_scores(noisy["scores"])
    figure = scores.final_scores(finals[finals["world"] == "0.8"], "score")
    means = finals[finals["world"] == "0.8"].groupby("scheduler")["score"].mean()
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == means.sort_values(ascending=False).index.tolist()


OWN = """
from schedlab.metalearning.schedulers.interface import Scheduler, equal_weights


class LowHalf(Scheduler):
    needs = frozenset({"losses"})

    def weights(self, state, final=False):
        return equal_weights(state.losses <= state.losses.median())
"""


def test_a_scheduler_of_ones_own_runs_beside_the_others(tmp_path, monkeypatch):
    (tmp_path / "low_half.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SCHEDLAB_JOBS", "1")
    entry = {"use": "low_half:LowHalf", "label": "Low half"}
    steps = by_noise(comparison(schedulers=[entry]), [0.2, 0.8])["steps"]
    ranks = steps.groupby(["world", "seed", "step"])["loss"].rank()
    assert set(steps["scheduler"]) == {"Low half"}
    assert ((ranks <= 3) == (steps["weight"] > 0)).all()


def test_a_world_without_a_case_is_refused():
    with pytest.raises(ValueError, match="'fsmol' is none of the cases"):
        RegressionParameters(worlds=["fsmol"], cases={"sinusoids": comparison()})


@mirror
def test_the_assays_experiment_runs_and_its_claims_are_measured():
    case = STAGES["regression"]["laptop"]["cases"]["fsmol"]
    small = {
        **case,
        "schedulers": [{"use": name, "label": label} for name, label in ENTRIES] + [ATS],
        "pretrain": 20,
        "steps": 20,
        "seeds": [1, 2, 3, 4, 5, 6],
        "stack": 6,
    }
    tables = compare_worlds(RegressionParameters(worlds=["fsmol"], cases={"fsmol": small}))
    finals = summaries.final_scores(tables["scores"])
    assert set(tables["scores"]["task"]) == set(range(157))
    assert finals["score"].between(0.01, 0.5).all()
    measured = {
        "finals": finals,
        "selection": summaries.noisy_share(tables["steps"]),
        "preferences": summaries.preferences(tables["steps"]),
    }
    for finding in ledger.evaluate(noise_claims("fsmol"), measured, "laptop"):
        assert finding["seeds"] == 6, finding["reason"]


ENTRIES = (
    ("uniform", names.UNIFORM),
    ("self_paced", names.SELF_PACED),
    ("oracle", names.ORACLE),
)
