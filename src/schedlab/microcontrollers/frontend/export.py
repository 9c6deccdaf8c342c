"""Write a network as a model file: quantised as TOSA text, in float as ONNX."""

from pathlib import Path
from typing import Any

import numpy as np

from schedlab.microcontrollers.frontend.networks import IMAGE, Layer, inputs_of, shapes
from schedlab.microcontrollers.frontend.quantize import QuantLayer, QuantNetwork, Rescale
from schedlab.microcontrollers.frontend.training import Weights

_TYPES = {np.dtype("int8"): "i8", np.dtype("int32"): "i32"}


class _Text:
    """Lines of a TOSA function, with numbered values."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0

    def add(self, operation: str) -> str:
        """Append an operation and return the name of its result."""
        name = f"%{self.count}"
        self.count += 1
        self.lines.append(f"  {name} = {operation}")
        return name

    def constant(self, values: object, dtype: str) -> str:
        """Append a constant tensor."""
        array = np.atleast_1d(np.asarray(values, dtype=dtype))
        kind = _type(array.shape, _TYPES[array.dtype])
        data = array.astype(array.dtype.newbyteorder("<")).tobytes().hex().upper()
        return self.add(f'"tosa.const"() <{{values = dense<"0x{data}"> : {kind}}}> : () -> {kind}')

    def shape(self, sizes: tuple[int, ...]) -> str:
        """Append a constant shape."""
        rank = len(sizes)
        values = f"dense<{list(sizes)}> : tensor<{rank}xindex>"
        return self.add(f"tosa.const_shape {{values = {values}}} : () -> !tosa.shape<{rank}>")


def _type(shape: tuple[int, ...], element: str) -> str:
    return f"tensor<{''.join(f'{n}x' for n in shape)}{element}>"


def tosa_text(network: QuantNetwork) -> str:
    """Return the quantised network as a module in MLIR's TOSA dialect."""
    text = _Text()
    sizes = [(1, *shape) for shape in shapes(network.definition)]
    values = ["%image"]
    for index, quantised in enumerate(network.layers, 1):
        sources = [
            (values[i], sizes[i], network.scales[i].zero_point)
            for i in inputs_of(network.definition, index)
        ]
        total = _LOWERINGS[quantised.layer.op](text, quantised, sources, sizes[index])
        zero = quantised.output.zero_point
        values.append(_rescaled(text, total, sizes[index], quantised.result, 0, zero))
    taken, given = _type(sizes[0], "i8"), _type(sizes[-1], "i8")
    head = f"func.func @main(%image: {taken}) -> {given} {{"
    return "\n".join([head, *text.lines, f"  return {values[-1]} : {given}", "}", ""])


def _rescaled(
    text: _Text, value: str, shape: tuple, scale: Rescale, zero: int, to: int | None
) -> str:
    """Rescale int32 to int8 (``to`` is its zero point), or int8 to int32 (``to`` is None)."""
    source, target = ("i8", "i32") if to is None else ("i32", "i8")
    channels = len(scale.multiplier)
    multiplier = text.constant(scale.multiplier, "int32")
    shift = text.constant(scale.shift, "int8")
    zeros = (
        text.constant(zero, "int8" if to is None else "int32"),
        text.constant(to or 0, "int32" if to is None else "int8"),
    )
    options = (
        "input_unsigned = false, output_unsigned = false, scale32 = true, "
        f"rounding_mode = SINGLE_ROUND, per_channel = {str(channels > 1).lower()}"
    )
    types = f"{_type(shape, source)}, tensor<{channels}xi32>, tensor<{channels}xi8>"
    return text.add(
        f"tosa.rescale {value}, {multiplier}, {shift}, {zeros[0]}, {zeros[1]} {{{options}}} : "
        f"({types}, tensor<1x{source}>, tensor<1x{target}>) -> {_type(shape, target)}"
    )


def _convolution(text: _Text, quantised: QuantLayer, sources: list, shape: tuple) -> str:
    layer, (value, source, zero) = quantised.layer, sources[0]
    before = layer.kernel // 2
    after = [  # TOSA wants the windows to end where the padded image ends
        (out - 1) * layer.stride + layer.kernel - before - size
        for out, size in zip(shape[1:3], source[1:3], strict=True)
    ]
    if min(after) < 0:
        value, source = _cropped(text, value, source, after)
        after = [0, 0]
    operation = "depthwise_conv2d" if layer.op == "depthwise" else "conv2d"
    weight, bias = text.constant(quantised.weight, "int8"), text.constant(quantised.bias, "int32")
    zeros = text.constant(zero, "int8"), text.constant(0, "int8")
    options = (
        f"acc_type = i32, dilation = array<i64: 1, 1>, stride = array<i64: {layer.stride}, "
        f"{layer.stride}>, pad = array<i64: {before}, {after[0]}, {before}, {after[1]}>"
    )
    types = (
        f"{_type(source, 'i8')}, {_type(quantised.weight.shape, 'i8')}, "
        f"tensor<{layer.channels}xi32>, tensor<1xi8>, tensor<1xi8>"
    )
    return text.add(
        f"tosa.{operation} {value}, {weight}, {bias}, {zeros[0]}, {zeros[1]} {{{options}}} : "
        f"({types}) -> {_type(shape, 'i32')}"
    )


def _cropped(text: _Text, value: str, source: tuple, excess: list[int]) -> tuple[str, tuple]:
    """Cut off the last rows and columns, which no window of the convolution reaches."""
    kept = (1, source[1] + excess[0], source[2] + excess[1], source[3])
    start, size = text.shape((0, 0, 0, 0)), text.shape(kept)
    types = f"{_type(source, 'i8')}, !tosa.shape<4>, !tosa.shape<4>"
    cut = text.add(f"tosa.slice {value}, {start}, {size} : ({types}) -> {_type(kept, 'i8')}")
    return cut, kept


def _dense(text: _Text, quantised: QuantLayer, sources: list, shape: tuple) -> str:
    """Add a dense layer as a 1x1 convolution over one pixel, as TFLite models have it."""
    value, source, zero = sources[0]
    flat = (1, 1, 1, int(np.prod(source)))
    if flat != source:
        sizes = text.shape(flat)
        value = text.add(
            f"tosa.reshape {value}, {sizes} : ({_type(source, 'i8')}, !tosa.shape<4>) "
            f"-> {_type(flat, 'i8')}"
        )
    return _convolution(text, quantised, [(value, flat, zero)], shape)


def _addition(text: _Text, quantised: QuantLayer, sources: list, shape: tuple) -> str:
    left, right = (
        _rescaled(text, value, source, scale, zero, None)
        for (value, source, zero), scale in zip(sources, quantised.operands, strict=True)
    )
    kind = _type(shape, "i32")
    return text.add(f"tosa.add {left}, {right} : ({kind}, {kind}) -> {kind}")


def _mean(text: _Text, quantised: QuantLayer, sources: list, shape: tuple) -> str:
    """Sum over the image; the division is in the rescaling."""
    value, source, zero = sources[0]
    rows = (1, 1, *source[2:])
    wide = text.add(f"tosa.cast {value} : ({_type(source, 'i8')}) -> {_type(source, 'i32')}")
    for axis, before, after in ((1, source, rows), (2, rows, shape)):
        types = f"({_type(before, 'i32')}) -> {_type(after, 'i32')}"
        wide = text.add(f"tosa.reduce_sum {wide} {{axis = {axis} : i32}} : {types}")
    offset = text.constant(np.full((1, 1, 1, 1), zero * source[1] * source[2]), "int32")
    kind = _type(shape, "i32")
    return text.add(f"tosa.sub {wide}, {offset} : ({kind}, tensor<1x1x1x1xi32>) -> {kind}")


_LOWERINGS = {
    "conv": _convolution,
    "depthwise": _convolution,
    "dense": _dense,
    "add": _addition,
    "mean": _mean,
}


def write_onnx(layers: tuple[Layer, ...], weights: Weights, path: Path) -> Path:
    """Write the float network as ONNX; input (1, 8, 8, 1) in 0..1, output the ten scores."""
    import onnx
    from onnx import TensorProto, helper

    nodes, tensors, values = [], [], ["image"]
    for index, (layer, weight) in enumerate(zip(layers, weights, strict=True), 1):
        names = [f"weight{index}", f"bias{index}"] if weight else []
        tensors += [
            onnx.numpy_helper.from_array(t.numpy(), name)
            for t, name in zip(weight or (), names, strict=True)
        ]
        taken = [values[i] for i in inputs_of(layers, index)]
        nodes += _onnx_nodes(helper, layer, index, taken, names)
        values.append(nodes[-1].output[0])
    first = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, *IMAGE))
    last = helper.make_tensor_value_info(values[-1], TensorProto.FLOAT, (1, layers[-1].channels))
    graph = helper.make_graph(nodes, path.stem, [first], [last], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def _onnx_nodes(
    helper: Any, layer: Layer, index: int, taken: list[str], names: list[str]
) -> list[Any]:
    """Return the nodes of one layer; ONNX convolves channels first, so it transposes around."""
    out = f"value{index}"
    raw = f"raw{index}" if layer.relu else out
    if layer.op == "dense":
        nodes = [
            helper.make_node("Flatten", taken, [f"flat{index}"]),
            helper.make_node("Gemm", [f"flat{index}", *names], [raw], transB=1),
        ]
    elif layer.op == "conv":
        first, last = f"first{index}", f"conv{index}"
        nodes = [
            helper.make_node("Transpose", taken, [first], perm=[0, 3, 1, 2]),
            helper.make_node(
                "Conv",
                [first, *names],
                [last],
                strides=[layer.stride] * 2,
                pads=[layer.kernel // 2] * 4,
            ),
            helper.make_node("Transpose", [last], [raw], perm=[0, 2, 3, 1]),
        ]
    else:
        raise ValueError(f"no ONNX export for {layer.op} layers")
    return [*nodes, helper.make_node("Relu", [raw], [out])] if layer.relu else nodes
