"""Small networks for scikit-learn's digits, as lists of layers.

The same list is trained (:mod:`~schedlab.microcontrollers.frontend.training`), quantised
(:mod:`~schedlab.microcontrollers.frontend.quantize`) and exported
(:mod:`~schedlab.microcontrollers.frontend.export`), so there is one definition of each network.
"""

from dataclasses import dataclass
from math import prod

IMAGE = (8, 8, 1)  # height, width, channels
LEVELS = 16.0  # pixels run from 0 to 16


@dataclass(frozen=True)
class Layer:
    """One layer; activations are laid out batch, height, width, channels.

    Attributes
    ----------
    op
        ``conv``, ``depthwise``, ``dense``, ``add`` or ``mean`` (over the image).
    channels
        Of the output.
    inputs
        Which earlier values it takes: 0 is the image, ``i`` the output of layer ``i``; by
        default the one before.
    kernel, stride
        Of convolutions, padded to ``kernel // 2`` on every side.
    relu
        Whether negative results become zero.
    """

    op: str
    channels: int
    inputs: tuple[int, ...] = ()
    kernel: int = 1
    stride: int = 1
    relu: bool = True


NETWORKS = {
    "digits_mlp": (
        Layer("dense", 64),
        Layer("dense", 32),
        Layer("dense", 10, relu=False),
    ),
    "digits_cnn": (
        Layer("conv", 16, kernel=3),
        Layer("conv", 24, kernel=3, stride=2),
        Layer("dense", 32),
        Layer("dense", 10, relu=False),
    ),
    "digits_dscnn": (
        Layer("conv", 16, kernel=3),
        Layer("depthwise", 16, kernel=3),
        Layer("conv", 24),
        Layer("depthwise", 24, kernel=3, stride=2),
        Layer("conv", 48),
        Layer("mean", 48),
        Layer("dense", 10, relu=False),
    ),
    "digits_resnet": (
        Layer("conv", 16, kernel=3),
        Layer("conv", 24, (1,), kernel=3, stride=2),
        Layer("conv", 24, (2,), kernel=3, relu=False),
        Layer("conv", 24, (1,), stride=2, relu=False),
        Layer("add", 24, (3, 4)),
        Layer("mean", 24),
        Layer("dense", 10, relu=False),
    ),
}


def inputs_of(layers: tuple[Layer, ...], index: int) -> tuple[int, ...]:
    """Return which values layer number ``index`` (from 1) takes."""
    return layers[index - 1].inputs or (index - 1,)


def shapes(layers: tuple[Layer, ...]) -> list[tuple[int, int, int]]:
    """Return height, width and channels of the image and of every layer's output."""
    found = [IMAGE]
    for index, layer in enumerate(layers, 1):
        height, width, _ = found[inputs_of(layers, index)[0]]
        if layer.op in ("dense", "mean"):
            height = width = 1
        else:
            height, width = -(-height // layer.stride), -(-width // layer.stride)
        found.append((height, width, layer.channels))
    return found


def weight_shape(layers: tuple[Layer, ...], index: int) -> tuple[int, ...] | None:
    """Return the shape of a layer's weights as torch has it, or None where it has none."""
    layer, source = layers[index - 1], shapes(layers)[inputs_of(layers, index)[0]]
    return {
        "conv": (layer.channels, source[2], layer.kernel, layer.kernel),
        "depthwise": (layer.channels, 1, layer.kernel, layer.kernel),
        "dense": (layer.channels, prod(source)),
    }.get(layer.op)
