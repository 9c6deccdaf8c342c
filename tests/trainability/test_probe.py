import copy
from functools import partial

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn
from torch.nn import functional as F

from schedlab.trainability.lanczos import top_eigenvalue
from schedlab.trainability.probe import Probe, groups_by_layer

LOSS = partial(F.cross_entropy, reduction="none")


class Tied(nn.Module):
    """A network with what no rule covers: a used-twice layer, a bare parameter, a layer norm."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.norm = nn.Linear(6, 6), nn.LayerNorm(6)
        self.scale, self.head = nn.Parameter(torch.ones(6)), nn.Linear(6, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(torch.tanh(self.twice(torch.tanh(self.twice(x))))) * self.scale)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 3))


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.Conv2d(4, 3, 2, bias=False),
        nn.ReLU(),
        nn.Conv2d(3, 3, 1, groups=3),
        nn.Flatten(),
        nn.Linear(12, 3),
    )


def sequence() -> nn.Module:
    """A linear layer applied at several places of a sample, more places than features."""
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(27, 3))


NETWORKS = {
    "mlp": (mlp, (5,)),
    "convolutional": (convolutional, (2, 6, 6)),
    "sequence": (sequence, (9, 4)),
    "no rule": (Tied, (6,)),
}


@pytest.fixture(params=NETWORKS)
def setting(request):
    torch.manual_seed(1)
    build, shape = NETWORKS[request.param]
    model = build().double()
    inputs, targets = torch.randn(8, *shape, dtype=torch.float64), torch.randint(3, (8,))
    optimizer = torch.optim.Adam(groups_by_layer(model, lr=1e-3))
    return model, optimizer, inputs, targets


def per_sample_gradients(model, parameters, inputs, targets):
    """One backward pass a sample: the slow way that needs no trust."""
    rows = []
    for x, y in zip(inputs, targets, strict=True):
        gradients = torch.autograd.grad(LOSS(model(x[None]), y[None]).sum(), parameters)
        rows.append(torch.cat([g.flatten() for g in gradients]))
    return torch.stack(rows)


def test_noise_equals_one_backward_pass_a_sample(setting):
    model, optimizer, inputs, targets = setting
    measured = Probe(model, optimizer, LOSS).measure(inputs, targets)
    assert list(measured) == [group["name"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        rows = per_sample_gradients(model, group["params"], inputs, targets)
        mean = rows.mean(0)
        layer = measured[group["name"]]
        assert layer.batch_size == 8
        assert layer.gradient_sq == pytest.approx(float(mean.square().sum()), rel=1e-6)
        exact = float((rows - mean).square().sum(1).mean())
        assert layer.variance == pytest.approx(exact, rel=1e-6)


def test_unbiased_noise_is_right_on_average_over_minibatches():
    torch.manual_seed(2)
    model = mlp().double()
    optimizer = torch.optim.SGD(groups_by_layer(model, lr=0.1))
    inputs, targets = torch.randn(6, 5, dtype=torch.float64), torch.randint(3, (6,))
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    probe = Probe(model, optimizer, LOSS, unbiased=True, iterations=0)
    found = [probe.measure(inputs[list(p)], targets[list(p)])["0"] for p in pairs]
    rows = per_sample_gradients(model, list(model[0].parameters()), inputs, targets)
    assert np.mean([f.variance for f in found]) == pytest.approx(
        float(rows.var(0, correction=1).sum()), rel=1e-6
    )
    assert all(f.gradient_sq >= 0 for f in found)


def test_the_unbiased_gradient_is_the_mean_product_of_different_samples():
    """(B‖ĝ‖² − mean ‖gᵢ‖²)/(B − 1) is the mean of ⟨gᵢ, gⱼ⟩ over all i ≠ j."""
    torch.manual_seed(2)
    model = mlp().double()
    optimizer = torch.optim.SGD(groups_by_layer(model, lr=0.1))
    inputs, targets = torch.randn(12, 5, dtype=torch.float64) + 1, torch.zeros(12, dtype=torch.long)
    probe = Probe(model, optimizer, LOSS, unbiased=True, iterations=0)
    for name, found in probe.measure(inputs, targets).items():
        parameters = list(model[int(name)].parameters())
        rows = per_sample_gradients(model, parameters, inputs, targets)
        products = rows @ rows.T
        exact = (products.sum() - products.trace()) / (12 * 11)
        assert found.gradient_sq == pytest.approx(float(exact), rel=1e-6)
        assert found.sharpness == 0  # left out


def test_a_layer_owns_what_it_trains_and_what_nobody_before_it_owns():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    first.bias.requires_grad_(False)
    groups = groups_by_layer(nn.Sequential(first, second), lr=0.5)
    assert [(group["name"], group["lr"]) for group in groups] == [("0", 0.5), ("1", 0.5)]
    assert [[id(p) for p in group["params"]] for group in groups] == [
        [id(first.weight)],
        [id(second.bias)],
    ]


def hessian(model, parameters, inputs, targets, penalty=0.0):
    flat = torch.cat([p.detach().flatten() for p in parameters])
    names = {p: n for n, p in model.named_parameters()}
    sizes = [p.numel() for p in parameters]

    def loss(vector):
        pieces = vector.split(sizes)
        own = {names[p]: v.view_as(p) for p, v in zip(parameters, pieces, strict=True)}
        output = torch.func.functional_call(model, own, (inputs,))
        return LOSS(output, targets).mean() + penalty * vector.square().sum()

    return torch.autograd.functional.hessian(loss, flat)


def test_sharpness_is_the_largest_eigenvalue_of_every_layers_block(setting):
    model, optimizer, inputs, targets = setting
    probe = Probe(model, optimizer, LOSS, iterations=60, tolerance=1e-9)
    measured = probe.measure(inputs, targets)
    for group in optimizer.param_groups:
        exact = torch.linalg.eigvalsh(hessian(model, group["params"], inputs, targets))[-1]
        assert measured[group["name"]].sharpness == pytest.approx(float(exact), rel=1e-4)


def test_a_warm_start_needs_few_products():
    torch.manual_seed(3)
    model = mlp().double()
    optimizer = torch.optim.SGD(groups_by_layer(model, lr=0.1))
    inputs, targets = torch.randn(32, 5, dtype=torch.float64), torch.randint(3, (32,))
    probe = Probe(model, optimizer, LOSS, iterations=40, tolerance=1e-9)
    exact = probe.measure(inputs, targets)["0"].sharpness
    probe.iterations = 1
    assert probe.measure(inputs, targets)["0"].sharpness == pytest.approx(exact, rel=1e-6)


def test_a_penalty_enters_gradient_and_sharpness_but_not_the_variance():
    torch.manual_seed(4)
    model = mlp().double()
    optimizer = torch.optim.SGD(groups_by_layer(model, lr=0.1))
    inputs, targets = torch.randn(8, 5, dtype=torch.float64), torch.randint(3, (8,))

    def penalty() -> torch.Tensor:
        return 3.0 * sum(p.square().sum() for p in model.parameters())

    options = {"iterations": 60, "tolerance": 1e-10}
    plain = Probe(model, optimizer, LOSS, **options).measure(inputs, targets)["0"]
    found = Probe(model, optimizer, LOSS, penalty=penalty, **options).measure(inputs, targets)["0"]
    assert found.variance == pytest.approx(plain.variance)
    assert found.sharpness == pytest.approx(plain.sharpness + 6.0)
    (LOSS(model(inputs), targets).mean() + penalty()).backward()
    exact = sum(float(p.grad.square().sum()) for p in model[0].parameters())
    assert found.gradient_sq == pytest.approx(exact)


def test_the_probe_leaves_no_trace():
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3))
    optimizer = torch.optim.Adam(groups_by_layer(model, lr=1e-2))
    inputs, targets = torch.randn(16, 5), torch.randint(3, (16,))
    LOSS(model(inputs), targets).mean().backward()
    model[2].eval()
    state = copy.deepcopy(model.state_dict())
    gradients = [p.grad.clone() for p in model.parameters()]
    modes, random = [m.training for m in model.modules()], torch.get_rng_state()
    measured = Probe(model, optimizer, LOSS).measure(inputs, targets)
    assert all(value.variance > 0 for value in measured.values())
    pairs = zip(state.values(), model.state_dict().values(), strict=True)
    assert all(torch.equal(before, now) for before, now in pairs)
    pairs = zip(gradients, model.parameters(), strict=True)
    assert all(torch.equal(before, p.grad) for before, p in pairs)
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(random, torch.get_rng_state())
    assert not any(m._forward_hooks for m in model.modules())


def test_batch_norm_sums_to_the_gradient_it_splits():
    torch.manual_seed(6)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 3))
    model = model.double().eval()
    optimizer = torch.optim.Adam(groups_by_layer(model, lr=1e-2))
    inputs, targets = torch.randn(8, 2, 6, 6, dtype=torch.float64), torch.randint(3, (8,))
    measured = Probe(model, optimizer, LOSS, iterations=0).measure(inputs, targets)["1"]
    rows = per_sample_gradients(model, list(model[1].parameters()), inputs, targets)
    exact = float((rows - rows.mean(0)).square().sum(1).mean())
    assert measured.variance == pytest.approx(exact, rel=1e-6)


def test_a_loss_without_a_value_per_sample_is_refused():
    model = mlp()
    probe = Probe(model, torch.optim.SGD(groups_by_layer(model, lr=0.1)), F.cross_entropy)
    with pytest.raises(ValueError, match=r"shape \(4,\), got \(\); .*reduction"):
        probe.measure(torch.randn(4, 5), torch.randint(3, (4,)))


def test_lanczos_finds_the_largest_not_the_loudest_eigenvalue_of_many_at_once():
    torch.manual_seed(7)
    bases = torch.linalg.qr(torch.randn(3, 12, 12, dtype=torch.float64)).Q
    values = torch.linspace(-9, 2, 12, dtype=torch.float64)
    matrices = bases @ torch.diag(values) @ bases.transpose(-1, -2)
    found, vectors = top_eigenvalue(
        lambda v: (matrices @ v.unsqueeze(-1)).squeeze(-1),
        torch.randn(3, 12, dtype=torch.float64),
        iterations=12,
        tolerance=0,
    )
    assert found.tolist() == pytest.approx([2.0] * 3)
    residual = (matrices @ vectors.unsqueeze(-1)).squeeze(-1) - 2 * vectors
    assert residual.norm() < 1e-6


def test_sharpness_of_a_larger_network_is_that_of_arpack():
    torch.manual_seed(8)
    model = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()).double()
    model.append(nn.Linear(64, 10).double())
    inputs, targets = torch.randn(128, 30, dtype=torch.float64), torch.randint(10, (128,))
    optimizer = torch.optim.Adam(groups_by_layer(model, lr=1e-3))
    measured = Probe(model, optimizer, LOSS, iterations=60, tolerance=1e-8).measure(inputs, targets)

    def loss(weight, bias):
        own = {"2.weight": weight, "2.bias": bias}
        return LOSS(torch.func.functional_call(model, own, (inputs,)), targets).mean()

    def product(vector):
        pieces = torch.from_numpy(vector.ravel()).split([64 * 64, 64])
        at = tuple(p.detach() for p in model[2].parameters())
        along = tuple(piece.view_as(p) for piece, p in zip(pieces, at, strict=True))
        _, images = torch.autograd.functional.hvp(loss, at, along)
        return np.concatenate([image.numpy().ravel() for image in images])

    size = 64 * 64 + 64
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    (top,) = eigsh(operator, k=1, which="LA", return_eigenvectors=False)
    assert measured["2"].sharpness == pytest.approx(float(top), rel=1e-4)
