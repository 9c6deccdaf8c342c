"""The training and bounding experiments on real prompts, and what their claims make of tables."""

import numpy as np
import pandas as pd
import pytest

from schedlab.lab.claims import evaluate
from schedlab.lab.parameters import check
from schedlab.ranking.claims.limits import limits_claims
from schedlab.ranking.claims.training import FIXED_WIDTH, training_claims
from schedlab.ranking.experiment import limits, training
from schedlab.ranking.figures import training as figures
from schedlab.ranking.metrics import kendall_tau
from schedlab.ranking.parameters.training import LimitsParameters, TrainingParameters
from schedlab.ranking.prompts import prompt_set

RANKERS = [
    {"use": "linear", "label": "ListMLE"},
    {"use": "linear", "label": "10 classes", "options": {"loss": "classes", "bucket": 820}},
    {"use": "tests.ranking.mine:Backwards", "label": "Mine"},
]
VALUES = {
    "rankers": RANKERS,
    "prompts": 600,
    "held_out": 0.25,
    "label_buckets": [10, 100],
    "list_sizes": [32, 64],
    "curve_every": 4,
    "transfer_between": ["sharegpt-first-turns"],
    "transfer_prompts": 600,
    "hand_over": ["ListMLE"],
    "seeds": [1, 2],
}


@pytest.fixture(scope="module")
def parameters():
    return TrainingParameters(**VALUES)


@pytest.fixture(scope="module")
def scores(parameters, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("SCHEDLAB_JOBS", "1")
    yield training.train_all(parameters)
    patch.undo()


def test_all_rankers_score_the_same_held_out_prompts(scores):
    for _, part in scores.groupby("seed"):
        rows = part.groupby("ranker")["row"].apply(tuple)
        assert len(set(rows)) == 1
        assert 120 <= len(rows.iloc[0]) <= 170
    assert scores["output_tokens"].min() >= 4
    assert "prompt" not in scores


def test_a_ranker_of_ones_own_is_trained_and_gets_a_claim(scores, parameters):
    mine = scores[scores["ranker"] == "Mine"]
    assert kendall_tau(mine["score"], mine["output_tokens"]) < 0  # its answers are backwards
    assert training.own_labels(parameters.rankers) == ["Mine"]
    assert training_claims(["Mine"])[-1].id == "ranking/own-mine-tau"


def test_held_out_prompts_were_not_trained_on():
    trained, held = training.halves(600, 0.25, seed=4)
    assert not set(trained["prompt"]) & set(held["prompt"])
    assert len(trained) + len(held) == 600


def test_only_named_rankers_are_handed_over(scores, parameters):
    kept = training.handed_over(scores, parameters)
    assert set(kept["ranker"]) == {"ListMLE"}
    assert list(kept) == ["ranker", "seed", "prompt_tokens", "output_tokens", "score"]


def test_the_table_of_tau_says_what_the_scores_say(scores):
    table = training.tau_by_ranker(scores).set_index(["ranker", "seed"])
    part = scores[(scores["ranker"] == "ListMLE") & (scores["seed"] == 2)]
    assert table.loc[("ListMLE", 2), "tau"] == kendall_tau(part["score"], part["output_tokens"])
    assert table.loc["ListMLE", "tau"].min() > 0.05
    assert np.isnan(table.loc[("ListMLE", 1), "accuracy"])
    assert table.loc["10 classes", "accuracy"].min() > 0.95


def test_the_curve_and_the_settings_have_their_points(parameters, monkeypatch):
    monkeypatch.setenv("SCHEDLAB_JOBS", "1")
    curve = training.learning_curve(parameters)
    assert curve.groupby("seed")["step"].apply(list).iloc[0][:2] == [4, 8]
    assert (curve["loss"] < 90).all()
    settings = training.tau_by_setting(parameters)
    assert settings.groupby("setting").size().to_dict() == {"bucket": 4, "list_size": 4}
    default = settings[settings["value"].isin([10, 32])]
    assert default.groupby("seed")["tau"].nunique().eq(1).all()  # the same ranker twice


def test_figures_show_every_label(scores):
    tau = training.tau_by_ranker(scores)
    axes = figures.tau_bars(tau).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["ListMLE", "10 classes", "Mine"]
    points = figures.accuracy_against_tau(tau).axes[0]
    assert {"10 classes", "ListMLE"} <= {text.get_text() for text in points.texts}


def planted(**tau):
    """Return a table of tau and accuracy over three seeds."""
    accuracy = dict(zip(FIXED_WIDTH, (0.99, 0.3, 0.05, 0.01), strict=True))
    rows = [
        (
            ranker.replace("_", " "),
            seed,
            value + seed / 1000,
            accuracy.get(ranker.replace("_", " ")),
        )
        for ranker, value in tau.items()
        for seed in (1, 2, 3)
    ]
    return pd.DataFrame(rows, columns=["ranker", "seed", "tau", "accuracy"])


def verdicts(tau, **tables):
    empty = pd.DataFrame(columns=["setting", "value", "seed", "tau"])
    given = {
        "tau": tau,
        "settings": empty,
        "curve": pd.DataFrame({"step": [], "seed": [], "loss": [], "tau": []}),
        "transfer": pd.DataFrame({"trained_on": [], "tested_on": [], "seed": [], "tau": []}),
    }
    found = evaluate(training_claims([]), given | tables, "laptop")
    return {f["id"].removeprefix("ranking/"): f["verdict"] for f in found}


def test_claims_follow_the_tables():
    good = verdicts(
        planted(ListMLE=0.33, **{"10_percentile_classes": 0.3, "10_classes": 0.0},
                Classes_of_100=0.27, Classes_of_10=0.2, Classes_of_1=0.1)
    )  # fmt: skip
    assert good["listmle-tau"] == "reproduced"
    assert good["listmle-tau-as-published"] == "direction only"
    assert good["listmle-beats-ten-classes"] == "reproduced"
    assert good["finer-classes-are-less-accurate"] == "reproduced"
    assert good["accuracy-is-not-order"] == "reproduced"
    assert good["list-size-hardly-matters"] == "undecided"
    bad = verdicts(
        planted(ListMLE=0.2, **{"10_percentile_classes": 0.1, "10_classes": 0.3},
                Classes_of_100=0.27, Classes_of_10=0.2, Classes_of_1=0.1)
    )  # fmt: skip
    assert bad["listmle-tau"] == "direction only"
    assert bad["listmle-beats-ten-classes"] == "not reproduced"
    assert bad["percentiles-beat-ten-classes"] == "not reproduced"
    assert bad["accuracy-is-not-order"] == "not reproduced"


def test_transfer_and_curve_claims():
    moved = pd.DataFrame(
        [(a, b, s, 0.3 - 0.1 * (a != b) + s / 1000) for a in "xy" for b in "xy" for s in (1, 2, 3)],
        columns=["trained_on", "tested_on", "seed", "tau"],
    )
    curve = pd.DataFrame(
        [(i, s, 80 - i + 0.01 * s * (i % 2), 0.1 * i) for i in range(5) for s in (1, 2, 3)],
        columns=["step", "seed", "loss", "tau"],
    )
    found = verdicts(planted(ListMLE=0.3), transfer=moved, curve=curve)
    assert found["transfer-costs-tau"] == "reproduced"
    assert found["loss-tells-tau"] == "reproduced"
    assert found["accuracy-is-not-order"] == "undecided"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rankers": [{"use": "linear", "options": {"loss": "mle"}}]}, "ListMLE"),
        ({"rankers": [{"use": "lineal"}]}, "did you mean 'linear'"),
        ({"hand_over": ["Nobody"]}, "'Nobody' is not among the rankers"),
        ({"transfer_between": ["lmsys"]}, "there are sharegpt-first-turns"),
        ({"prompts": 50}, "greater than or equal to 200"),
    ],
)
def test_parameters_refuse_what_cannot_be(change, words):
    with pytest.raises(ValueError, match=words):
        check("ranking.training", VALUES | change)


@pytest.fixture(scope="module")
def bounds():
    return LimitsParameters(
        workloads=["llama3-8b-sharegpt", "llama3-8b-lmsys"],
        class_widths=[820, 1],
        sample=2000,
        public=[],
        seeds=[1, 2, 3],
    )


def test_perfect_classes_of_one_token_lose_nothing_and_wide_ones_nearly_all(bounds, monkeypatch):
    monkeypatch.setenv("SCHEDLAB_JOBS", "1")
    perfect = limits.perfect_classes(bounds)
    tau = perfect.groupby("classes")["tau"]
    assert tau.min()["1 tokens"] == pytest.approx(1)
    assert tau.max()["820 tokens"] < 0.45
    assert tau.min()[limits.PERCENTILES] > 0.9
    none = pd.DataFrame(columns=["predictor", "seed", "tau"])
    found = evaluate(limits_claims(), {"perfect": perfect, "own": none, "public": none}, "laptop")
    assert [f["verdict"] for f in found] == ["reproduced", "undecided", "undecided"]
    assert "ranking.own_lengths" in found[1]["decide_with"]


def test_two_runs_that_agree_have_tau_one_and_none_give_no_rows(bounds):
    lengths = np.random.default_rng(0).integers(1, 500, 60)
    table = pd.DataFrame(
        {"row": [*range(60)] * 2, "run": [0] * 60 + [1] * 60, "output_tokens": [*lengths] * 2}
    )
    assert limits.own_runs(table, bounds)["tau"].tolist() == pytest.approx([1, 1, 1])
    assert limits.own_runs(table.head(0), bounds).empty


def test_published_predictions_have_the_tau_that_was_measured(
    bounds, real_mirror, tmp_path, monkeypatch
):
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(tmp_path))
    chosen = bounds.model_copy(update={"public": ["bert", "other-llms"]})
    tau = limits.public_predictions(chosen).groupby("predictor")["tau"].mean()
    assert tau["BERT, 3 classes (LMSYS)"] == pytest.approx(0.567, abs=0.03)
    assert tau["BERT, 5 classes (LMSYS)"] == pytest.approx(0.635, abs=0.03)
    assert tau["Meta-Llama-3-70B-Instruct (AlpacaEval)"] == pytest.approx(0.74, abs=0.03)


def test_catalogued_prompts_are_read_with_their_answers(real_mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(tmp_path))
    prompt_set.cache_clear()
    alpaca, arena = prompt_set("alpaca-eval"), prompt_set("arena-hard")
    assert (len(alpaca), len(arena)) == (805, 500)
    for table in (alpaca, arena):
        assert list(table) == ["prompt", "prompt_tokens", "output_tokens"]
        assert table["output_tokens"].min() >= 1


def test_an_unknown_set_of_prompts_lists_the_known():
    with pytest.raises(ValueError, match="there are sharegpt-first-turns, sharegpt-second-turns"):
        prompt_set("lmsys")
