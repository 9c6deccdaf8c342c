"""Post-training int8 quantisation, and what the quantised network computes, in integers.

The scheme is TFLite's (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018): weights symmetric per output channel, activations
asymmetric per tensor, biases int32, and every rescaling a 31-bit multiplier with a shift.
"""

from dataclasses import dataclass

import numpy as np
import torch

from schedlab.microcontrollers.frontend.networks import LEVELS, Layer, inputs_of
from schedlab.microcontrollers.frontend.training import Weights, activations

ADD_BITS = 20  # spare bits of a sum's operands


@dataclass(frozen=True)
class Scale:
    """real = scale * (integer - zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Rescale:
    """integer * multiplier / 2**shift, rounded half up: TOSA's apply_scale with single rounding."""

    multiplier: np.ndarray  # int32, one per channel or one for all
    shift: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Apply it to integers whose last axis is the channels."""
        shift = self.shift.astype(np.int64)
        half = np.int64(1) << (shift - 1)
        return (values.astype(np.int64) * self.multiplier + half) >> shift


@dataclass(frozen=True)
class QuantLayer:
    """A layer in integers.

    Attributes
    ----------
    layer
        Its definition.
    weight
        int8 in TOSA's layout, or None.
    bias
        int32 per channel, or None.
    operands
        For an addition: one rescaling per operand to the common scale.
    result
        From the accumulator to the output's scale.
    output
        Scale of the output.
    """

    layer: Layer
    weight: np.ndarray | None
    bias: np.ndarray | None
    operands: tuple[Rescale, ...]
    result: Rescale
    output: Scale


@dataclass(frozen=True)
class QuantNetwork:
    """A whole network in integers; ``scales`` has the image first, then every layer's output."""

    layers: tuple[QuantLayer, ...]
    scales: tuple[Scale, ...]

    @property
    def definition(self) -> tuple[Layer, ...]:
        """The layers as defined."""
        return tuple(q.layer for q in self.layers)


def rescale(ratio: np.ndarray | float) -> Rescale:
    """Return the nearest multiplier of 31 bits and its shift for each positive ratio."""
    mantissa, exponent = np.frexp(np.atleast_1d(np.asarray(ratio, dtype=np.float64)))
    multiplier = np.round(mantissa * (1 << 31)).astype(np.int64)
    carry = multiplier == 1 << 31
    multiplier, exponent = np.where(carry, multiplier // 2, multiplier), exponent + carry
    return Rescale(multiplier.astype(np.int32), (31 - exponent).astype(np.int8))


def quantize(layers: tuple[Layer, ...], weights: Weights, images: np.ndarray) -> QuantNetwork:
    """Turn a trained network into integers.

    Parameters
    ----------
    images
        Calibration images (n, 8, 8, 1) in 0..16; they set the ranges of the activations.
    """
    values = activations(layers, weights, torch.as_tensor(images) / LEVELS)
    scales = tuple(_activation_scale(v.numpy()) for v in values)
    quantised = []
    for index, (layer, weight) in enumerate(zip(layers, weights, strict=True), 1):
        sources = inputs_of(layers, index)
        size = int(np.prod(values[sources[0]].shape[1:3]))
        sizes = [scales[i] for i in sources]
        quantised.append(_quantize_layer(layer, weight, sizes, scales[index], size))
    return QuantNetwork(tuple(quantised), scales)


def _activation_scale(values: np.ndarray) -> Scale:
    low, high = min(float(values.min()), 0.0), float(values.max())
    scale = (high - low) / 255
    return Scale(scale, round(-128 - low / scale))


def _quantize_layer(
    layer: Layer, weight: tuple | None, inputs: list[Scale], output: Scale, pixels: int
) -> QuantLayer:
    if layer.op == "add":
        common = 2 * max(s.scale for s in inputs) / (1 << ADD_BITS)
        operands = tuple(rescale(s.scale / common) for s in inputs)
        return QuantLayer(layer, None, None, operands, rescale(common / output.scale), output)
    if layer.op == "mean":
        result = rescale(inputs[0].scale / (pixels * output.scale))
        return QuantLayer(layer, None, None, (), result, output)
    real, bias = (t.numpy().astype(np.float64) for t in weight)
    per_channel = np.abs(real).reshape(len(real), -1).max(axis=1) / 127
    integers = np.round(real / per_channel.reshape(-1, *[1] * (real.ndim - 1))).astype(np.int8)
    accumulator = inputs[0].scale * per_channel
    return QuantLayer(
        layer,
        _tosa_layout(layer, integers),
        np.round(bias / accumulator).astype(np.int32),
        (),
        rescale(accumulator / output.scale),
        output,
    )


def _tosa_layout(layer: Layer, weight: np.ndarray) -> np.ndarray:
    """From torch's (out, in, h, w) to (out, h, w, in), or (h, w, channels, 1) for depthwise."""
    if layer.op == "depthwise":
        return np.ascontiguousarray(weight.transpose(2, 3, 0, 1))
    if layer.op == "conv":
        return np.ascontiguousarray(weight.transpose(0, 2, 3, 1))
    return weight.reshape(len(weight), 1, 1, -1)


def quantize_images(network: QuantNetwork, images: np.ndarray) -> np.ndarray:
    """Return images in 0..16 as the network's int8 input."""
    scale = network.scales[0]
    levels = np.round(images / LEVELS / scale.scale) + scale.zero_point
    return np.clip(levels, -128, 127).astype(np.int8)


def run_integers(network: QuantNetwork, images: np.ndarray) -> np.ndarray:
    """Return the int8 scores (n, 10) of int8 images, computed with numpy's integers.

    This is the reference for compiled kernels: they must give these very bytes.
    """
    values = [images]
    for index, quantised in enumerate(network.layers, 1):
        sources = inputs_of(network.definition, index)
        operands = [(values[i].astype(np.int64), network.scales[i].zero_point) for i in sources]
        total = quantised.result(_accumulate(quantised, operands)) + quantised.output.zero_point
        values.append(np.clip(total, -128, 127).astype(np.int8))
    return values[-1].reshape(len(images), -1)


def _accumulate(quantised: QuantLayer, operands: list[tuple[np.ndarray, int]]) -> np.ndarray:
    layer = quantised.layer
    centred = [value - zero for value, zero in operands]
    if layer.op == "add":
        return sum(scale(v) for scale, v in zip(quantised.operands, centred, strict=True))
    if layer.op == "mean":
        return centred[0].sum((1, 2), keepdims=True)
    weight = quantised.weight.astype(np.int64)
    if layer.op == "dense":
        flat = centred[0].reshape(len(centred[0]), -1)
        return (flat @ weight.reshape(len(weight), -1).T + quantised.bias)[:, None, None, :]
    patches = _patches(centred[0], layer)
    equation = "nhwcij,ijco->nhwc" if layer.op == "depthwise" else "nhwcij,oijc->nhwo"
    return np.einsum(equation, patches, weight, optimize=True) + quantised.bias


def _patches(values: np.ndarray, layer: Layer) -> np.ndarray:
    """Return the receptive fields (n, h, w, c, kernel, kernel) of a padded, centred input."""
    margin, kernel = layer.kernel // 2, layer.kernel
    padded = np.pad(values, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))
    return windows[:, :: layer.stride, :: layer.stride]
