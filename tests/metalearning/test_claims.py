"""Verdicts follow from the tables, and stay open where nothing was measured."""

import numpy as np
import pandas as pd
import pytest

from schedlab.lab import claims as ledger
from schedlab.lab.claims import CannotTell
from schedlab.metalearning import names
from schedlab.metalearning.claims import noise, rivals, sweep, weighing
from schedlab.metalearning.claims.estimators import lead, lead_of_best
from schedlab.metalearning.experiment.theory import meta_training_losses

SEEDS = range(1, 7)


def finals(world="characters", **scores):
    """Return final scores that differ a little from seed to seed, alike for all schedulers."""
    rows = [
        (label, world, seed, score + 0.01 * seed)
        for label, score in scores.items()
        for seed in SEEDS
    ]
    return pd.DataFrame(rows, columns=["scheduler", "world", "seed", "score"])


def tables(**scores):
    selection = pd.DataFrame(
        {"scheduler": names.ATS, "world": "characters", "seed": SEEDS, "noisy": 0.8}
    )
    preferences = selection.assign(loss=-0.5, similarity=0.4)
    return {
        "finals": finals(**scores),
        "selection": selection.assign(noisy_selected=0.4),
        "preferences": preferences,
    }


def verdicts(claims, measured, scale="laptop"):
    found = ledger.evaluate(claims, measured, scale)
    return {finding["id"].partition("/")[2]: finding["verdict"] for finding in found}


def test_a_clear_lead_under_noise_is_reproduced_and_a_trailing_one_is_not():
    scores = {names.ATS: 0.7, names.UNIFORM: 0.6, names.SELF_PACED: 0.75, names.ORACLE: 0.8}
    found = verdicts(noise.noise_claims("characters"), tables(**scores))
    assert found == {
        "characters-beats-uniform": "reproduced",
        "characters-noisy-selected": "reproduced",
        "characters-prefers-low-loss": "reproduced",
        "characters-prefers-similar-gradients": "reproduced",
        "characters-near-oracle": "not reproduced",
        "characters-beats-self-paced": "not reproduced",
        "characters-beats-every-heuristic": "not reproduced",
    }


def test_worlds_that_were_not_run_stay_undecided_and_say_how_to_run_them():
    measured = tables(**{names.ATS: 0.7, names.UNIFORM: 0.6})
    findings = ledger.evaluate(noise.noise_claims("fsmol"), measured, "laptop")
    assert {finding["verdict"] for finding in findings} == {"undecided"}
    assert all("schedlab.data fetch fsmol-ecfp1024" in f["decide_with"] for f in findings)


def test_what_the_abstract_states_is_neither_measured_nor_forgotten():
    findings = ledger.evaluate(noise.headline_claims(), {}, "paper")
    assert [finding["published"] for finding in findings] == [0.13, 0.18]
    assert {finding["verdict"] for finding in findings} == {"undecided"}


def test_the_best_heuristic_is_chosen_by_its_mean_over_seeds():
    measured = {"finals": finals(a=0.5, b=0.6, mine=0.65)}
    found = lead_of_best("mine", ["a", "b", "absent"])(measured)
    assert list(found) == pytest.approx([0.05] * 6)
    with pytest.raises(CannotTell):
        lead_of_best("mine", ["absent"])(measured)
    with pytest.raises(CannotTell, match="'other'"):
        lead("mine", "other")(measured)


def test_schedulers_of_ones_own_get_a_row_each():
    labels = [names.ATS, "My Rule (2)"]
    (claim,) = noise.own_claims(labels, "characters", "scores-characters")
    assert claim.id == "metalearning/own-characters-my-rule-2"
    assert verdicts([claim], {"finals": finals(**{"My Rule (2)": 0.7, names.UNIFORM: 0.6})}) == {
        "own-characters-my-rule-2": "reproduced"
    }


def swept(column, gains):
    """Return finals where ATS leads by the given gains."""
    rows = [
        (label, seed, value, 0.6 + gain * (label == names.ATS) + 0.001 * seed)
        for value, gain in gains.items()
        for label in (names.ATS, names.UNIFORM)
        for seed in SEEDS
    ]
    return pd.DataFrame(rows, columns=["scheduler", "seed", column, "score"])


def test_slopes_of_the_gain_are_exact_on_straight_lines():
    measured = {
        "finals": swept("share", {0.0: 0.0, 0.4: 0.04, 0.8: 0.08}),
        "limited": swept("classes", {16: 0.06, 32: 0.04, 64: 0.02}),
    }
    assert list(sweep.gain_slope(measured)) == pytest.approx([0.1] * 6)
    assert list(sweep.gain_without_noise(measured)) == pytest.approx([0.0] * 6)
    assert list(sweep.gain_by_budget(measured)) == pytest.approx([0.02] * 6)
    assert list(sweep.gain_at_least_budget(measured)) == pytest.approx([0.06] * 6)


def test_the_preference_with_few_classes_is_read_where_classes_are_fewest():
    preferences = pd.DataFrame(
        {
            "scheduler": names.ATS,
            "world": ["16", "64"] * 3,
            "classes": [16.0, 64.0] * 3,
            "seed": [1, 1, 2, 2, 3, 3],
            "loss": [0.3, -0.9] * 3,
        }
    )
    assert sweep.hard_preferred({"preferences": preferences}) == [0.3] * 3


def test_late_weight_is_that_of_the_last_quarter_at_its_share():
    dynamics = pd.DataFrame(
        {
            "scheduler": names.ATS,
            "share": [0.5] * 5 + [0.2],
            "seed": 1,
            "phase": ["warm_up"] + ["training"] * 5,
            "step": [90, 0, 75, 80, 100, 100],
            "relative_weight": [9.0, 1.0, 0.4, 0.5, 0.6, 7.0],
        }
    )
    assert weighing.late_weight(0.5)({"dynamics": dynamics}) == pytest.approx([0.5])
    with pytest.raises(CannotTell):
        weighing.late_weight(0.9)({"dynamics": dynamics})
    assert len(weighing.weighing_claims([0.0, 0.5, 1.0])) == 1


def test_proposition_one_is_measured_on_pools_as_they_were():
    rng = np.random.default_rng(0)
    n, pool = 20, 6
    steps = pd.DataFrame(
        {
            "scheduler": names.ATS,
            "world": "0.5",
            "seed": 1,
            "phase": "training",
            "step": np.repeat(np.arange(n), pool),
            "candidate": np.tile(np.arange(pool), n),
            "loss": rng.random(n * pool),
        }
    )
    raw = np.exp(-steps["loss"])
    steps["weight"] = raw / raw.groupby(steps["step"]).transform("sum")
    losses = meta_training_losses(steps, names.ATS)
    late = steps[steps["step"] >= 4]
    expected = (late["weight"] * late["loss"]).sum() / 16
    assert losses["scheduled"].tolist() == pytest.approx([expected])
    assert losses["uniform"].tolist() == pytest.approx([late["loss"].mean()])
    assert weighing.identity_error({"losses": losses})[0] < 1e-12
    change = expected / late["loss"].mean() - 1
    assert weighing.loss_change({"losses": losses}) == pytest.approx([change])


def test_a_rival_that_leads_by_less_than_its_scatter_is_undecided():
    scores = finals(**{names.ATS: 0.6, names.BASS: 0.6})
    scores.loc[scores["scheduler"] == names.BASS, "score"] += [0.1, -0.1, 0.05, -0.04, 0.02, -0.02]
    measured = {"finals": scores, "selection": tables()["selection"]}
    found = verdicts(rivals.rival_claims(), measured)
    assert found["bass-beats-ats"] == "undecided"
    assert found["beats-uniform-of-equal-compute"] == "undecided"


def test_ids_of_all_stages_differ():
    claims = [
        *weighing.weighing_claims([0.2, 0.5, 0.8]),
        *weighing.proposition_claims(),
        *(c for world in noise.TASKS for c in noise.noise_claims(world)),
        *noise.headline_claims(),
        *rivals.rival_claims(),
        *sweep.sweep_claims(),
    ]
    assert len({claim.id for claim in claims}) == len(claims)
