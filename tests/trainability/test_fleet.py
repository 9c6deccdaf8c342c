from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from schedlab.trainability.fleet import Fleet
from schedlab.trainability.networks import perceptron
from schedlab.trainability.penalties import _ascending, l2_init, wasserstein

LOSS = partial(F.cross_entropy, reduction="none")
WIDTHS = (20, 16, 12, 4)


def networks(count: int, activation: str = "relu"):
    return [perceptron(WIDTHS, activation, np.random.default_rng(i)).double() for i in range(count)]


def batches(members: int, updates: int):
    generator = torch.Generator().manual_seed(0)
    for _ in range(updates):
        inputs = torch.randn(members, 32, 20, generator=generator, dtype=torch.float64)
        yield inputs, torch.randint(4, (members, 32), generator=generator)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("activation", ["relu", "crelu"])
@pytest.mark.parametrize(
    "optimizer",
    [
        partial(torch.optim.Adam, weight_decay=1e-2, fused=True),
        partial(torch.optim.Adam, amsgrad=True),
        partial(torch.optim.SGD, momentum=0.9),
    ],
    ids=["fused Adam", "AMSGrad", "SGD"],
)
def test_a_stack_trains_as_its_members_would_alone(members, activation, optimizer):
    fleet = Fleet(networks(members, activation), optimizer, LOSS, lr=1e-2)
    alone = networks(members, activation)
    optimizers = [optimizer(model.parameters(), lr=1e-2) for model in alone]
    for inputs, targets in batches(members, 20):
        outputs, losses = fleet.gradients(inputs, targets)
        fleet.update()
        for member, model in enumerate(alone):
            optimizers[member].zero_grad()
            prediction = model(inputs[member])
            loss = LOSS(prediction, targets[member]).mean()
            assert torch.allclose(outputs[member], prediction, atol=1e-10)
            assert float(losses[member]) == pytest.approx(loss.item())
            loss.backward()
            optimizers[member].step()
    for member, model in enumerate(alone):
        for name, parameter in model.named_parameters():
            assert torch.allclose(fleet.weights[name][member], parameter, atol=1e-10)
            assert torch.equal(
                fleet.models[member].get_parameter(name), fleet.weights[name][member]
            )


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("make", [wasserstein, l2_init])
def test_a_penalty_acts_on_a_stack_as_on_each_member(make, members):
    fleet = Fleet(networks(members), torch.optim.SGD, LOSS, lr=0.1)
    fleet.penalise(partial(make, strength=0.1))
    for weight in fleet.weights.values():
        weight.data += torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    ((inputs, targets),) = batches(members, 1)
    fleet.gradients(inputs, targets)
    for member, model in enumerate(fleet.models):
        own = dict(model.named_parameters())
        stacked = [parameter.grad.clone() for parameter in own.values()]
        total = LOSS(model(inputs[member]), targets[member]).mean()
        total = total + fleet.penalties[member](own).sum()
        for mine, found in zip(
            torch.autograd.grad(total, list(own.values())), stacked, strict=True
        ):
            assert torch.allclose(mine, found, atol=1e-10)
        probe = fleet.probe(member, iterations=0).measure(inputs[member], targets[member])
        exact = sum(float(g.square().sum()) for g in stacked[:2])
        assert probe["fc1"].gradient_sq == pytest.approx(exact)


def test_wasserstein_distance_is_that_of_sorted_weights_and_blind_to_their_order():
    start = {"w": torch.tensor([[3.0, 1.0, 2.0]])}
    penalty = wasserstein(start, strength=1.0)
    assert penalty({"w": torch.tensor([[1.0, 2.0, 3.0]])}).tolist() == [0.0]
    moved = torch.tensor([[1.0, 5.0, 2.0]], requires_grad=True)
    value = penalty({"w": moved})
    value.sum().backward()
    assert value.tolist() == [4.0]
    assert moved.grad.tolist() == [[0.0, 4.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_are_ranked_by_value_whatever_their_sign_and_precision(dtype):
    rows = torch.randn(3, 500, generator=torch.Generator().manual_seed(0), dtype=dtype)
    rows[0, :3] = torch.tensor([0.0, float("inf"), -float("inf")])
    rows[1, 0] = 1e-42  # below the normal numbers of 32 bits
    assert torch.equal(rows.gather(1, _ascending(rows)), rows.sort(-1).values)


def test_the_weights_before_an_update_are_kept_when_asked():
    fleet = Fleet(networks(2), torch.optim.SGD, LOSS, lr=0.1)
    ((inputs, targets),) = batches(2, 1)
    fleet.gradients(inputs, targets)
    before = fleet.weights["fc1.weight"].detach().clone()
    fleet.update(remember=True)
    assert torch.equal(fleet.previous["fc1.weight"], before)
    assert not torch.equal(fleet.weights["fc1.weight"], before)
