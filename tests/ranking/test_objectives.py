"""Labels, classes and tau by hand and by scipy."""

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from schedlab.ranking.metrics import kendall_tau
from schedlab.ranking.objectives import Classes, objective


def test_labels_are_the_papers():
    """floor(8192 / g) - floor(min(l, 8192) / g), shorter is larger."""
    lengths = np.array([1, 9, 10, 8191, 8192, 20000])
    labels = objective("listmle", 10).labels(lengths)
    assert labels.tolist() == [819, 819, 818, 0, 0, 0]


@pytest.mark.parametrize(("bucket", "classes"), [(820, 10), (100, 82), (10, 820), (1, 8192)])
def test_a_width_gives_the_papers_number_of_classes(bucket, classes):
    made = objective("classes", bucket).fit(np.array([1]))
    assert len(made.state["ends"]) + 1 == classes
    lengths = np.array([0, 819, 820, 8191, 30000])
    assert (made.classes(lengths) == np.minimum(lengths, 8191) // bucket).all()


def test_classes_that_never_occur_are_left_out_and_scores_keep_their_numbers():
    lengths = np.array([5, 250, 930])
    made = objective("classes", 100).fit(lengths)
    assert made.outputs == 3
    assert made.labels(lengths).tolist() == [0, 1, 2]
    assert made.scores(torch.eye(3)).tolist() == [0, -2, -9]
    assert made.accuracy(torch.eye(3), np.array([99, 299, 100])) == pytest.approx(2 / 3)


def test_percentile_classes_hold_equal_shares():
    lengths = np.random.default_rng(0).permutation(1000) ** 2
    made = objective("percentiles", 10).fit(lengths)
    assert np.bincount(made.labels(lengths)).tolist() == [100] * 10
    finest = objective("percentiles", 1).fit(lengths)
    assert np.bincount(finest.labels(lengths)).tolist() == [10] * 100


def test_classes_are_ranges_of_tokens_unless_shares_are_asked_for():
    lengths = np.array([5, 15, 25, 905])
    assert Classes(10).fit(lengths).classes(lengths).tolist() == [0, 1, 2, 90]
    assert Classes(50, percentiles=True).fit(lengths).classes(lengths).tolist() == [0, 0, 1, 1]


def test_regression_gives_back_the_mean():
    made = objective("regression", 10).fit(np.array([10, 1000]))
    assert made.outputs == 1
    labels = made.labels(np.array([10, 1000]))
    assert labels.sum().item() == pytest.approx(0, abs=1e-6)
    assert made.scores(labels[:, None]).numpy() == pytest.approx(-np.log([10, 1000]), rel=1e-6)
    assert made.loss(labels[:, None], labels, torch.Generator()).item() == 0


def test_tau_is_scipys_with_ties_and_zero_for_no_order():
    rng = np.random.default_rng(1)
    lengths, scores = rng.integers(1, 50, 300), rng.integers(0, 9, 300)
    assert kendall_tau(scores, lengths) == kendalltau(scores, -lengths, variant="b").statistic
    assert kendall_tau(-lengths, lengths) == pytest.approx(1)
    assert kendall_tau(np.zeros(300), lengths) == 0.0


def test_tau_counts_pairs_as_equation_1_does():
    scores, lengths = np.array([3, 1, 1, 0]), np.array([2, 2, 5, 9])
    # pairs: (0,1) tied in lengths; (0,2) (0,3) (1,3) (2,3) right; (1,2) tied in scores
    assert kendall_tau(scores, lengths) == pytest.approx(4 / np.sqrt((6 - 1) * (6 - 1)))
