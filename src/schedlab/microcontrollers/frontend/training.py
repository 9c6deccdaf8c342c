"""Run and train the networks for the digits in float32, with torch."""

from math import prod

import numpy as np
import torch
from torch.nn import functional

from schedlab.microcontrollers.frontend.networks import LEVELS, Layer, inputs_of, weight_shape

Weights = list[tuple[torch.Tensor, torch.Tensor] | None]


def initial_weights(layers: tuple[Layer, ...], generator: torch.Generator) -> Weights:
    """Draw He-normal weights and zero biases."""
    found: Weights = []
    for index in range(1, len(layers) + 1):
        shape = weight_shape(layers, index)
        if shape is None:
            found.append(None)
            continue
        scale = (2.0 / prod(shape[1:])) ** 0.5
        weight = scale * torch.randn(shape, generator=generator)
        found.append((weight.requires_grad_(), torch.zeros(shape[0], requires_grad=True)))
    return found


def activations(
    layers: tuple[Layer, ...], weights: Weights, images: torch.Tensor
) -> list[torch.Tensor]:
    """Return the images and the output of every layer, each (n, height, width, channels)."""
    values = [images]
    for index, (layer, weight) in enumerate(zip(layers, weights, strict=True), 1):
        arguments = [values[i] for i in inputs_of(layers, index)]
        result = _apply(layer, weight, arguments)
        values.append(functional.relu(result) if layer.relu else result)
    return values


def _apply(layer: Layer, weight: tuple | None, values: list[torch.Tensor]) -> torch.Tensor:
    if layer.op == "add":
        return values[0] + values[1]
    if layer.op == "mean":
        return values[0].mean((1, 2), keepdim=True)
    if layer.op == "dense":
        return functional.linear(values[0].flatten(1), *weight)[:, None, None, :]
    groups = layer.channels if layer.op == "depthwise" else 1
    result = functional.conv2d(
        values[0].permute(0, 3, 1, 2),
        *weight,
        stride=layer.stride,
        padding=layer.kernel // 2,
        groups=groups,
    )
    return result.permute(0, 2, 3, 1)


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return scikit-learn's digits: training images and labels, then every fifth for the test.

    Images are (n, 8, 8, 1) float32 in 0..16.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images[..., None].astype(np.float32)
    test = np.arange(len(images)) % 5 == 0
    return images[~test], bunch.target[~test], images[test], bunch.target[test]


def train(layers: tuple[Layer, ...], epochs: int, generator: torch.Generator) -> Weights:
    """Fit a network to the training digits with Adam and a falling step size.

    Parameters
    ----------
    epochs
        Passes over the 1437 training images.
    generator
        Draws the weights and the order of the images.
    """
    images, labels, _, _ = (torch.as_tensor(a) for a in digits())
    weights = initial_weights(layers, generator)
    parameters = [tensor for pair in weights if pair for tensor in pair]
    optimizer = torch.optim.Adam(parameters, lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        order = torch.randperm(len(images), generator=generator)
        for batch in order.split(64):
            logits = activations(layers, weights, images[batch] / LEVELS)[-1].flatten(1)
            optimizer.zero_grad()
            functional.cross_entropy(logits, labels[batch]).backward()
            optimizer.step()
        schedule.step()
    return [tuple(t.detach() for t in pair) if pair else None for pair in weights]
