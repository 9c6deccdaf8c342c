"""Scores made to measure: the wanted tau, the wanted errors, and nothing else."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from schedlab.ranking.dials import class_scores, copula_scores, shuffled_scores


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def lengths(rng):
    return rng.geometric(1 / 300, 4000)


@pytest.mark.parametrize("tau", [-0.5, 0.0, 0.2, 0.52, 0.64, 0.9])
def test_the_copula_has_the_tau_that_was_asked_for(lengths, rng, tau):
    found = kendalltau(copula_scores(lengths, tau, rng), -lengths).statistic
    assert found == pytest.approx(tau, abs=0.03)


def test_at_one_the_copula_orders_exactly_and_ties_stay_ties(lengths, rng):
    assert kendalltau(copula_scores(lengths, 1.0, rng), -lengths).statistic == pytest.approx(1)


@pytest.mark.parametrize("which", ["any", "shortest", "longest"])
def test_shuffling_a_share_leaves_the_rest_in_perfect_order(rng, which):
    lengths = rng.permutation(5000)
    scores = shuffled_scores(lengths, 0.7, which, rng)
    assert sorted(scores) == sorted(-lengths)
    kept = {"shortest": lengths >= 3500, "longest": lengths < 1500}
    assert (scores == -lengths)[kept.get(which, scores == -lengths)].all()
    expected = {"any": 0.0, "shortest": 1 - 0.7**2, "longest": 1 - 0.7**2}
    if which != "any":  # pairs inside the shuffled share are as often right as wrong
        assert kendalltau(scores, -lengths).statistic == pytest.approx(expected[which], abs=0.02)


def test_shuffling_nothing_or_everything(rng):
    lengths = rng.permutation(3000)
    assert (shuffled_scores(lengths, 0, "any", rng) == -lengths).all()
    everything = shuffled_scores(lengths, 1, "any", rng)
    assert kendalltau(everything, -lengths).statistic == pytest.approx(0, abs=0.04)


def test_a_classifier_finds_the_share_of_long_answers_that_it_is_given(lengths, rng):
    scores = class_scores(lengths, 820, 0.3, rng)
    long = lengths >= 820
    assert (scores[~long] == 0).all()
    assert (scores[long] < 0).mean() == pytest.approx(0.3, abs=0.06)
    assert set(-scores) <= set(lengths // 820)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, g: copula_scores(x, 1.5, g), "tau must lie between"),
        (lambda x, g: shuffled_scores(x, 2, "any", g), "share must lie"),
        (lambda x, g: shuffled_scores(x, 0.5, "worst", g), "got 'worst'"),
        (lambda x, g: class_scores(x, 0, 0.5, g), "width >= 1"),
    ],
)
def test_what_cannot_be_is_refused(lengths, rng, wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong(lengths, rng)
