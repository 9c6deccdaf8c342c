"""Stacked learners against plain autograd, one task after the other."""

from __future__ import annotations

import pytest
import torch

from schedlab.metalearning.batches import Tasks
from schedlab.metalearning.learners.factors import Similarity, head_gradients
from tests.metalearning import plain
from tests.metalearning.conftest import SETTINGS, small


def of_seed(params, tasks: Tasks, seed: int):
    own = {name: value[seed].clone().requires_grad_() for name, value in params.items()}
    return own, tasks.take(torch.arange(len(tasks)))._each(lambda v: v[seed])


def adapting(learner: str, params) -> list[str]:
    return [n for n in params if learner == "maml" or n.startswith("head")]


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("learner", ["anil", "maml"])
@pytest.mark.parametrize("name", SETTINGS)
def test_losses_and_meta_gradients_equal_a_loop_over_tasks(name, learner, first_order):
    made, params, tasks = small(name, learner, first_order=first_order)
    found = made.candidates(params, tasks)
    index = torch.tensor([[0, 2, 2], [3, 1, 0]])
    coefficients = torch.tensor([[0.5, 0.2, 0.3], [1.0, 0.0, 2.0]])
    gradient = found.gradient(index, coefficients)
    for seed in range(2):
        own, its = of_seed(params, tasks, seed)
        losses = plain.query_losses(made, own, its, adapting(learner, params))
        assert torch.allclose(found.losses[seed], losses, atol=1e-5)
        total = (losses[index[seed]] * coefficients[seed]).sum()
        for key, expected in zip(own, torch.autograd.grad(total, list(own.values())), strict=True):
            assert torch.allclose(gradient[key][seed], expected, atol=1e-5), key


@pytest.mark.parametrize("learner", ["anil", "maml"])
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("scope", ["all", "head"])
def test_similarities_equal_those_of_gradients_task_by_task(name, learner, scope):
    made, params, tasks = small(name, learner)
    cosine = made.candidates(params, tasks, Similarity("cosine", scope))
    inner = made.candidates(params, tasks, Similarity("inner_product", scope))
    names = [n for n in params if scope == "all" or n.startswith("head")]
    names = [n for n in names if not is_scale(made, n)]
    for seed in range(2):
        own, its = of_seed(params, tasks, seed)
        for i in range(4):
            s = plain.gradients_before(made, own, its.x_support[i], its.y_support[i])
            q = plain.gradients_before(made, own, its.x_query[i], its.y_query[i])
            for j, key in enumerate(names):
                a, b = s[key].flatten(), q[key].flatten()
                assert torch.allclose(inner.similarity[seed, i, j], a @ b, atol=1e-5)
                assert torch.allclose(inner.query_norms[seed, i, j], b.norm(), atol=1e-5)
                if a.norm() > 1e-5:
                    expected = torch.cosine_similarity(a, b, dim=0)
                    assert torch.allclose(cosine.similarity[seed, i, j], expected, atol=1e-4)
            for of_set, flat in zip((s, q), head_gradients(inner.before), strict=True):
                expected = torch.cat([of_set["head.weight"].flatten(), of_set["head.bias"]])
                assert torch.allclose(flat[seed, i], expected, atol=1e-5)


def is_scale(made, name: str) -> bool:
    return not hasattr(made.network.get_submodule(name.rpartition(".")[0]), "fan_in")


@pytest.mark.parametrize("learner", ["anil", "maml"])
def test_the_outputs_are_those_of_the_candidates(learner):
    made, params, tasks = small("classifier", learner)
    outputs = made.outputs(params, tasks)
    assert torch.allclose(outputs, made.candidates(params, tasks).outputs, atol=1e-6)
    more = made.outputs(params, tasks, steps=20)
    assert not torch.allclose(outputs, more, atol=1e-3)


@pytest.mark.parametrize("learner", ["anil", "maml"])
def test_the_second_order_gradient_is_that_of_finite_differences(learner):
    made, params, tasks = small("regressor", learner)
    params = {name: value.double() for name, value in params.items()}
    tasks = tasks._each(lambda v: v.double() if v.is_floating_point() else v)
    everything = torch.arange(4).repeat(2, 1), torch.full((2, 4), 0.25).double()
    gradient = made.candidates(params, tasks).gradient(*everything)
    step = 1e-6
    for name, value in params.items():
        for place in [(0, *(0,) * (value.ndim - 1)), (1, *(-1,) * (value.ndim - 1))]:
            ends = []
            for sign in (1, -1):
                moved = {n: v.clone() for n, v in params.items()}
                moved[name][place] += sign * step
                ends.append(made.candidates(moved, tasks).losses[place[0]].mean())
            slope = (ends[0] - ends[1]) / (2 * step)
            assert torch.allclose(gradient[name][place], slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_stack_of_seeds_equals_each_seed_alone(name):
    made, params, tasks = small(name, "anil")
    found = made.candidates(params, tasks, Similarity())
    everything = torch.arange(4).repeat(2, 1), torch.full((2, 4), 0.25)
    together = found.gradient(*everything)
    for seed in range(2):
        one = {n: v[seed : seed + 1] for n, v in params.items()}
        alone = made.candidates(one, tasks._each(lambda v, s=seed: v[s : s + 1]), Similarity())
        assert torch.allclose(alone.losses[0], found.losses[seed], atol=1e-6)
        assert torch.allclose(alone.similarity[0], found.similarity[seed], atol=1e-4)
        own = alone.gradient(everything[0][:1], everything[1][:1])
        assert all(torch.allclose(own[n][0], together[n][seed], atol=1e-6) for n in own)
