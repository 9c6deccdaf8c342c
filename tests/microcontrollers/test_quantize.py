from fractions import Fraction

import numpy as np
import pytest
import torch

from schedlab.microcontrollers.frontend import digits
from schedlab.microcontrollers.frontend.compiler import compile_model
from schedlab.microcontrollers.frontend.execute import HostModel
from schedlab.microcontrollers.frontend.export import tosa_text, write_onnx
from schedlab.microcontrollers.frontend.networks import LEVELS, NETWORKS
from schedlab.microcontrollers.frontend.quantize import rescale, run_integers
from schedlab.microcontrollers.frontend.training import activations, initial_weights, train


@pytest.mark.parametrize("ratio", [0.5, 1 / 3, 1e-5, 0.999999999999, 123.456])
def test_a_rescaling_is_the_nearest_of_31_bits(ratio):
    scale = rescale(ratio)
    multiplier, shift = int(scale.multiplier[0]), int(scale.shift[0])
    assert 2**30 <= multiplier < 2**31
    assert abs(Fraction(multiplier, 2**shift) / Fraction(ratio) - 1) <= Fraction(1, 2**31)
    for value in (-100000, -3, 0, 7, 123456):
        exact = Fraction(value * multiplier, 2**shift) + Fraction(1, 2)
        assert int(scale(np.array([value]))[0]) == exact.numerator // exact.denominator


@pytest.fixture(scope="module")
def small():
    """A residual network after one pass over the data."""
    return digits.trained("digits_resnet", epochs=1, seed=3)


def test_integers_follow_the_float_network(small):
    weights, network = small
    images = digits.digits()[2]
    real = activations(NETWORKS["digits_resnet"], weights, torch.as_tensor(images) / LEVELS)[-1]
    output = network.scales[-1]
    scores = run_integers(network, digits.test_inputs("int8")).astype(float)
    error = output.scale * (scores - output.zero_point) - real.reshape(len(images), -1).numpy()
    assert np.abs(error).mean() < 4 * output.scale


def test_compiled_kernels_give_the_very_integers(small, compile_cache, tmp_path):
    _, network = small
    path = tmp_path / "trained.mlir"
    path.write_text(tosa_text(network))
    model = HostModel(compile_model(path))
    images = digits.test_inputs("int8")
    found = np.stack([model.run(image[None])[0].ravel() for image in images])
    assert np.array_equal(found, run_integers(network, images))


def test_training_is_repeatable_and_learns():
    layers = NETWORKS["digits_mlp"]
    first, second = (train(layers, 2, torch.Generator().manual_seed(1)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
    images, labels = (torch.as_tensor(a) for a in digits.digits()[2:])
    read = activations(layers, first, images / LEVELS)[-1].flatten(1).argmax(1)
    assert (read == labels).float().mean() > 0.8


def test_test_digits_are_not_trained_on():
    train_images, _, test_images, _ = digits.digits()
    assert (len(train_images), len(test_images)) == (1437, 360)
    known = {image.tobytes() for image in train_images}
    assert sum(image.tobytes() in known for image in test_images) < 5


def test_layers_without_an_onnx_form_are_refused(tmp_path):
    layers = NETWORKS["digits_dscnn"]
    weights = initial_weights(layers, torch.Generator().manual_seed(0))
    weights = [tuple(t.detach() for t in pair) if pair else None for pair in weights]
    with pytest.raises(ValueError, match="no ONNX export for depthwise"):
        write_onnx(layers, weights, tmp_path / "model.onnx")
