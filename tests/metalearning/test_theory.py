"""The propositions that can be checked: an identity, an expansion, and what follows from both."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import grad, vmap

from schedlab.metalearning.learners.factors import Similarity
from schedlab.metalearning.schedulers.theory import (
    covariance,
    expanded_losses,
    expected_gain,
    scheduled_loss,
)
from tests.metalearning.conftest import SETTINGS, small

pools = st.integers(2, 30).flatmap(
    lambda n: st.tuples(*[st.lists(st.floats(0.01, 10), min_size=n, max_size=n) for _ in range(3)])
)


def tensors(*lists):
    return [torch.tensor(values, dtype=torch.float64) for values in lists]


@given(pools)
def test_a_schedules_loss_is_the_mean_and_n_covariances(pool):
    raw, losses, _ = tensors(*pool)
    weights = raw / raw.sum()
    assert scheduled_loss(weights, losses) == pytest.approx(float(weights @ losses), rel=1e-9)
    expected = np.cov(weights, losses, bias=True)[0, 1]
    assert float(covariance(weights, losses)) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(pools, st.floats(0.001, 1))
def test_the_gain_is_uniform_minus_scheduled_loss_of_the_expansion(pool, inner_lr):
    raw, losses, products = tensors(*pool)
    weights = raw / raw.sum()
    expanded = expanded_losses(losses, products, inner_lr)
    difference = float(expanded.mean() - weights @ expanded)
    gain = float(expected_gain(weights, losses, products, inner_lr))
    assert gain == pytest.approx(difference, rel=1e-6, abs=1e-9)


@given(st.integers(2, 30), st.floats(0.1, 3), st.integers(0, 99))
def test_weights_against_loss_and_along_similarity_gain(n, sharpness, seed):
    generator = torch.Generator().manual_seed(seed)
    losses, products = torch.rand(2, n, generator=generator, dtype=torch.float64)
    assert expected_gain((-sharpness * losses).softmax(0), losses, 0 * products, 0.1) >= 0
    assert expected_gain((sharpness * products).softmax(0), 0 * losses, products, 0.1) >= 0
    assert expected_gain((sharpness * losses).softmax(0), losses, 0 * products, 0.1) <= 0


def test_many_schedules_at_once_are_each_schedule_alone():
    generator = torch.Generator().manual_seed(0)
    weights, losses, products = torch.rand(3, 4, 7, generator=generator, dtype=torch.float64)
    for i in range(4):
        alone = covariance(weights[i], losses[i])
        torch.testing.assert_close(covariance(weights, losses)[i], alone)
        alone = scheduled_loss(weights[i], losses[i])
        torch.testing.assert_close(scheduled_loss(weights, losses)[i], alone)
        alone = expected_gain(weights[i], losses[i], products[i], 0.1)
        torch.testing.assert_close(expected_gain(weights, losses, products, 0.1)[i], alone)


def adapted(n: int = 12, inner_lr: float = 0.1):
    """Return losses before and after one inner step, and products of gradients, of small tasks."""
    g = torch.Generator().manual_seed(4)
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    theta, xs, ys, xq, yq = draw(5), draw(n, 8, 5), draw(n, 8), draw(n, 8, 5), draw(n, 8)

    def loss(theta, x, y):
        return ((x @ theta).tanh() - y).square().mean()

    gradient = vmap(grad(loss), (None, 0, 0))
    g_s, g_q = gradient(theta, xs, ys), gradient(theta, xq, yq)
    before = vmap(loss, (None, 0, 0))(theta, xq, yq)
    after = vmap(loss)(theta - inner_lr * g_s, xq, yq)
    return before, after, (g_s * g_q).sum(1)


def test_what_the_expansion_leaves_out_falls_with_the_square_of_the_inner_step():
    steps = np.logspace(-4, -2, 9)
    errors = []
    for alpha in steps:
        before, after, products = adapted(inner_lr=float(alpha))
        errors.append(float((after - expanded_losses(before, products, float(alpha))).abs().mean()))
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(2.0, abs=0.02)


def test_the_expected_gain_is_the_true_one_for_a_small_inner_step():
    alpha = 1e-3
    before, after, products = adapted(inner_lr=alpha)
    expanded = expanded_losses(before, products, alpha)
    weights = (-expanded).softmax(0)
    gain = float(expected_gain(weights, before, products, alpha))
    true = float(after.mean() - weights @ after)
    assert gain > 0
    assert true > 0
    assert gain == pytest.approx(true, abs=1e-4)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_task_whose_query_is_its_support_has_similarity_one(name):
    made, params, tasks = small(name, "anil")
    twice = replace(tasks, x_query=tasks.x_support, y_query=tasks.y_support)
    found = made.candidates(params, twice, Similarity())
    cosines = found.similarity[found.query_norms > 1e-5]  # a bias before a norm has no gradient
    assert len(cosines) > 0
    torch.testing.assert_close(cosines, torch.ones_like(cosines), atol=1e-5, rtol=0)
