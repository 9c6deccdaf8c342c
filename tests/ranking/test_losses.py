"""Losses against closed forms, brute force and finite differences."""

import math
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schedlab.ranking.losses import LIST_LOSSES, listmle, listnet, margin, ranknet

SCORES = st.lists(st.floats(-20, 20), min_size=2, max_size=12)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def tensors(scores, labels=None):
    labels = range(len(scores)) if labels is None else labels
    return torch.tensor(scores, dtype=torch.float64), torch.tensor(list(labels))


@pytest.mark.parametrize("n", [1, 2, 5, 32])
def test_equal_scores_give_the_log_of_n_factorial(n, rng):
    assert listmle(*tensors([1.5] * n), rng).item() == pytest.approx(math.lgamma(n + 1))


def test_it_is_the_plackett_luce_likelihood(rng):
    scores = [0.3, -1.2, 2.0, 0.5]
    total = 0.0
    for order in permutations(range(4)):
        left, likelihood = list(order), 1.0
        for i in order:
            likelihood *= math.exp(scores[i]) / sum(math.exp(scores[k]) for k in left)
            left.remove(i)
        labels = [3 - order.index(i) for i in range(4)]
        assert listmle(*tensors(scores, labels), rng).item() == pytest.approx(-math.log(likelihood))
        total += likelihood
    assert total == pytest.approx(1)


@settings(max_examples=50, deadline=None)
@given(SCORES, st.floats(-50, 50))
def test_a_shift_of_all_scores_changes_nothing_and_the_gradient_sums_to_zero(values, shift):
    for name, loss in LIST_LOSSES.items():
        scores, labels = tensors(values)
        scores.requires_grad_()
        found = loss(scores, labels, torch.Generator().manual_seed(1))
        moved = loss(scores.detach() + shift, labels, torch.Generator().manual_seed(1))
        found.backward()
        assert moved.item() == pytest.approx(found.item(), rel=1e-6, abs=1e-6), name
        assert scores.grad.sum().item() == pytest.approx(0, abs=1e-6), name


def test_the_gradient_is_the_papers(rng):
    """The gradient of s_j is exp(s_j) times the sum of 1/C_i over i up to j, less 1."""
    scores, labels = tensors([0.2, 1.0, -0.7, 0.1], [4, 3, 2, 1])
    scores.requires_grad_()
    listmle(scores, labels, rng).backward()
    weights = scores.detach().exp()
    tails = weights.flip(0).cumsum(0).flip(0)
    assert torch.allclose(scores.grad, weights * (1 / tails).cumsum(0) - 1)


@pytest.mark.parametrize("name", ["listmle", "ranknet", "margin"])
def test_a_well_separated_right_order_costs_nothing_and_a_wrong_one_much(name, rng):
    scores, labels = tensors([90.0, 60.0, 30.0, 0.0], [9, 7, 5, 1])
    assert LIST_LOSSES[name](scores, labels, rng).item() == pytest.approx(0, abs=1e-9)
    assert LIST_LOSSES[name](-scores, labels, rng).item() > 30


def test_scores_far_apart_do_not_saturate(rng):
    """The authors' 1e-10 in the logarithm would give 23 here."""
    assert listmle(*tensors([0.0, 80.0], [1, 0]), rng).item() == pytest.approx(80)


def test_ties_are_broken_at_random_and_without_preference():
    scores, labels = tensors([3.0, 0.0], [5, 5])
    rng = torch.Generator().manual_seed(2)
    found = torch.tensor([listmle(scores, labels, rng).item() for _ in range(4000)])
    right, wrong = math.log1p(math.exp(-3)), math.log1p(math.exp(3))
    assert found.unique().numel() == 2
    assert found.mean().item() == pytest.approx((right + wrong) / 2, abs=0.1)


def test_ranknet_and_margin_compare_pairs_by_hand(rng):
    scores, labels = tensors([0.5, 0.0, 2.0], [3, 3, 1])
    pairs = [0.5 - 2.0, 0.0 - 2.0]
    logistic = sum(math.log1p(math.exp(-lead)) for lead in pairs) / 2
    assert ranknet(scores, labels, rng).item() == pytest.approx(logistic)
    assert margin(scores, labels, rng).item() == pytest.approx(sum(1 - lead for lead in pairs) / 2)


def test_listnet_is_least_where_scores_are_the_spread_labels(rng):
    labels = torch.tensor([4, 1, 1, 9])
    best = (labels - labels.double().mean()) / labels.double().std(correction=0)
    least = listnet(best, labels, rng)
    assert torch.allclose(least, -(best.softmax(0) * best.log_softmax(0)).sum())
    assert listnet(best + torch.tensor([0.1, 0, 0, 0]), labels, rng) > least


def test_listnet_spreads_labels_that_are_close_as_well(rng):
    # One bucket apart, a deviation of 0.5: brought to 1 like any other.
    scores = torch.tensor([0.5, -0.5], dtype=torch.float64)
    wanted = torch.tensor([1.0, -1.0], dtype=torch.float64).softmax(0)
    found = listnet(scores, torch.tensor([2, 1]), rng)
    assert found.item() == pytest.approx(-(wanted * scores.log_softmax(0)).sum().item(), rel=1e-6)


@pytest.mark.parametrize("name", LIST_LOSSES)
def test_a_list_of_equal_labels_is_harmless(name, rng):
    scores, labels = tensors([1.0, 2.0, 3.0], [7, 7, 7])
    scores.requires_grad_()
    loss = LIST_LOSSES[name](scores, labels, rng)
    loss.backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()
