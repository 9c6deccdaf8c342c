"""The paper's two backbones, built of layers that serve tasks and seeds in stacks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from schedlab.metalearning.learners.layers import Convolution, Dense, Normalisation


class Network(nn.Module):
    """A body that turns inputs into features, and a linear head.

    Attributes
    ----------
    body
        Layers with parameters and those without, in order.
    head
        The last layer; in ANIL the only one that adapts to a task.
    """

    def __init__(self, body: Sequence[nn.Module], head: Dense) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(*body), head

    def forward(self, x: Tensor) -> Tensor:
        """Map sets of samples, ``(..., k, *shape)``, to outputs, ``(..., k, outputs)``."""
        return self.head(self.body(x))

    def initial(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw parameters: Kaiming-normal weights, zero biases, unit scales.

        Parameters
        ----------
        generator
            Where randomness comes from.
        """
        drawn = {}
        for path, layer in self.named_modules():
            for name, parameter in layer.named_parameters(recurse=False):
                value = parameter.detach().clone()
                if name == "weight" and hasattr(layer, "fan_in"):
                    value = torch.randn(value.shape, generator=generator)
                    value *= (2 / layer.fan_in) ** 0.5
                drawn[f"{path}.{name}"] = value
        return drawn


class Flatten(nn.Module):
    """Merge the axes of a sample into one.

    Parameters
    ----------
    axes
        Number of axes that a sample has.
    """

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., k, *shape)`` to ``(..., k, d)``."""
        return x.flatten(-self.axes)


class MaxPool(nn.Module):
    """The largest of every 2 by 2 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        """Halve the last two axes, rounding down."""
        images = x.flatten(0, -4)
        return F.max_pool2d(images, 2).unflatten(0, x.shape[:-3])


def fully_connected(
    shape: Sequence[int],
    outputs: int,
    *,
    widths: Sequence[int] = (500, 500),
    normalise: bool = True,
    slope: float = 0.01,
) -> Network:
    """Return the paper's regressor: layers of batch-normalised leaky rectifiers.

    Parameters
    ----------
    shape
        Axes of a sample, which are flattened; 1,024 fingerprint bits in the paper.
    outputs
        Width of the head.
    widths
        Hidden units of each layer.
    normalise
        Whether a layer is normalised by the statistics of its set.
    slope
        Of the rectifier's negative side.
    """
    sizes = (int(torch.Size(shape).numel()), *widths)
    body: list[nn.Module] = [Flatten(len(shape))] if len(shape) > 1 else []
    for inputs, units in pairwise(sizes):
        body.append(Dense(inputs, units))
        body += [Normalisation(units, images=False)] if normalise else []
        body.append(nn.LeakyReLU(slope))
    return Network(body, Dense(sizes[-1], outputs))


def convnet(
    shape: Sequence[int], outputs: int, *, widths: Sequence[int] = (32, 32, 32, 32)
) -> Network:
    """Return the paper's convnet: blocks of convolution, batch statistics, rectifier and pooling.

    Parameters
    ----------
    shape
        Channels, height and width of an image; 3, 84 and 84 in the paper.
    outputs
        Classes that a task tells apart.
    widths
        Channels of each block.

    Raises
    ------
    ValueError
        If the image is too small for so many poolings.
    """
    channels, height, width = shape
    left = (height >> len(widths)) * (width >> len(widths))
    if not left:
        raise ValueError(f"images of {height} by {width} vanish in {len(widths)} poolings")
    body: list[nn.Module] = []
    for inputs, units in pairwise((channels, *widths)):
        body += [Convolution(inputs, units), Normalisation(units, images=True)]
        body += [MaxPool(), nn.ReLU()]  # in this order the same, and fewer pixels to rectify
    body.append(Flatten(3))
    return Network(body, Dense(left * widths[-1], outputs))


NETWORKS = {"fully_connected": fully_connected, "convnet": convnet}
"""Backbones by name."""
