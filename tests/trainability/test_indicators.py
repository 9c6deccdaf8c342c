import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from schedlab.trainability.indicators import (
    NAMES,
    effective_rank,
    hessian_rank,
    indicators,
    rank_of,
    sharpness,
    sign_entropy,
)
from schedlab.trainability.networks import perceptron


@pytest.fixture
def setting():
    model = perceptron((5, 6, 4, 3), "relu", np.random.default_rng(0))
    generator = torch.Generator().manual_seed(0)
    return model, torch.randn(12, 5, generator=generator), torch.randint(3, (12,))


def test_hessian_rank_counts_the_gradients_that_matter(setting):
    model, inputs, targets = setting
    rows = []
    for x, y in zip(inputs, targets, strict=True):
        loss = F.cross_entropy(model(x[None]), y[None])
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        rows.append(torch.cat([g.flatten() for g in gradients]))
    values = torch.linalg.svdvals(torch.stack(rows)) ** 2
    share = values.cumsum(0) / values.sum()
    expected = (int((share < 0.99).sum()) + 1) / 12
    assert hessian_rank(model, inputs, targets) == pytest.approx(expected)
    same = inputs[:1].expand(6, -1), targets[:1].expand(6)
    assert hessian_rank(model, *same) == pytest.approx(1 / 6)


def test_sharpness_is_the_largest_eigenvalue_of_the_whole_hessian(setting):
    model, inputs, targets = setting
    model, inputs = model.double(), inputs.double()
    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    sizes = [p.numel() for p in model.parameters()]
    names = dict(model.named_parameters())

    def loss(vector):
        pieces = zip(names.items(), vector.split(sizes), strict=True)
        own = {name: piece.view_as(p) for (name, p), piece in pieces}
        return F.cross_entropy(torch.func.functional_call(model, own, (inputs,)), targets)

    exact = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))[-1]
    assert sharpness(model, inputs, targets) == pytest.approx(float(exact), rel=1e-3)


def test_sign_entropy_is_ln_2_for_coin_flips_and_0_for_constant_units(setting):
    model, inputs, _ = setting
    assert 0 < sign_entropy(model, inputs) < math.log(2)
    both = torch.cat([inputs, -inputs])
    single = perceptron((5, 6, 3), "relu", np.random.default_rng(0))
    assert sign_entropy(single, both) == pytest.approx(math.log(2))
    with torch.no_grad():
        single.fc1.bias.fill_(100.0)
    assert sign_entropy(single, both) == 0.0


def test_ranks_of_known_matrices():
    assert rank_of(torch.tensor([1.0, 0.0, 0.0])) == 1
    assert rank_of(torch.tensor([50.0, 49.0, 1.0])) == 2
    assert effective_rank(torch.eye(10)) == 10


def test_norms_are_means_of_absolute_values(setting):
    model, inputs, targets = setting
    before = {name: p.detach() - 0.25 for name, p in model.named_parameters()}
    found = indicators(model, inputs, targets, before)
    assert set(found) == set(NAMES)
    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert found["weight_norm"] == pytest.approx(float(flat.abs().mean()))
    assert found["update_norm"] == pytest.approx(0.25)
    assert found["update_ratio"] == pytest.approx(0.25 / found["weight_norm"])
