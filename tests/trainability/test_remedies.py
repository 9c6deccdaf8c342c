import numpy as np
import pytest
import torch

from schedlab.trainability.networks import CReLU, perceptron
from schedlab.trainability.remedies import hidden_activity, redo, reset, shrink_and_perturb


def trained(activation="relu"):
    model = perceptron((6, 8, 5, 3), activation, np.random.default_rng(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    inputs = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
    model(inputs).square().mean().backward()
    optimizer.step()
    return model, optimizer, inputs


def test_initialisation_is_kaiming_uniform_in_every_layer_with_zero_biases():
    model = perceptron((784, 256, 256, 10), "crelu", np.random.default_rng(1))
    assert [tuple(layer.weight.shape) for layer in (model.fc1, model.fc2, model.fc3)] == [
        (256, 784),
        (256, 512),
        (10, 512),
    ]
    for layer in (model.fc1, model.fc2, model.fc3):
        bound = (6 / layer.weight.shape[1]) ** 0.5
        assert float(layer.weight.abs().max()) <= bound
        assert float(layer.weight.std()) == pytest.approx(bound / 3**0.5, rel=0.05)
        assert not layer.bias.any()


def test_concatenated_rectifiers_keep_both_signs():
    assert CReLU()(torch.tensor([[2.0, -3.0]])).tolist() == [[2.0, 0.0, 0.0, 3.0]]


def test_reset_is_a_fresh_network_with_a_fresh_optimizer():
    model, optimizer, inputs = trained()
    reset(model, optimizer, np.random.default_rng(7), inputs)
    fresh = perceptron((6, 8, 5, 3), "relu", np.random.default_rng(7))
    for mine, new in zip(model.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(mine, new)
    assert not optimizer.state


def test_shrink_and_perturb_mixes_old_and_fresh_weights():
    model, optimizer, inputs = trained()
    before = model.fc1.weight.detach().clone()
    shrink_and_perturb(model, optimizer, np.random.default_rng(7), inputs, shrink=0.5, perturb=0.1)
    fresh = perceptron((6, 8, 5, 3), "relu", np.random.default_rng(7)).fc1.weight
    assert torch.allclose(model.fc1.weight, 0.5 * before + 0.1 * fresh)


@pytest.mark.parametrize("activation", ["relu", "crelu"])
def test_redo_recycles_dormant_units_and_no_others(activation):
    model, optimizer, inputs = trained(activation)
    with torch.no_grad():
        # A unit that never fires: with concatenated rectifiers one whose two halves are silent.
        model.fc1.weight[2] = 0
        model.fc1.bias[2] = -1 if activation == "relu" else 0
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    outputs = model(inputs)
    redo(model, optimizer, np.random.default_rng(3), inputs, dormant=0.01)
    changed = (model.fc1.weight != before["fc1.weight"]).any(1)
    assert torch.nonzero(changed).flatten().tolist() == [2]
    halves = [2] if activation == "relu" else [2, 10]
    assert not model.fc2.weight[:, halves].any()
    assert torch.allclose(model(inputs), outputs, atol=1e-5)  # what was silent stays so at first
    moments = optimizer.state[model.fc1.weight]["exp_avg"]
    assert not moments[2].any()
    assert moments[3].any()
    assert float(hidden_activity(model, inputs)[0][2]) > 0
