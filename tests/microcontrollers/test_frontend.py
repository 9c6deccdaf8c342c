import json
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from schedlab.microcontrollers.frontend import compiler, digits
from schedlab.microcontrollers.frontend.compiler import compile_model
from schedlab.microcontrollers.frontend.dense import composite_bytes, dense_bytes
from schedlab.microcontrollers.frontend.execute import HostModel
from schedlab.microcontrollers.frontend.graph import dispatch_graph, kind_and_extents
from schedlab.microcontrollers.frontend.hal import read_program
from schedlab.microcontrollers.frontend.importer import (
    ModelError,
    _restore_rounding,
    import_model,
)
from schedlab.microcontrollers.frontend.networks import NETWORKS, inputs_of, shapes
from schedlab.microcontrollers.frontend.objects import object_sizes
from schedlab.microcontrollers.frontend.program import Fill

M33 = "thumbv8m_m33_hardfp"
MEASURED = {"instructions", "fill_instructions"}


def shipped_counts():
    path = files("schedlab.microcontrollers") / "costs" / "own_workgroup_costs.json"
    return json.loads(path.read_text())["models"]


@pytest.mark.parametrize(("name", "target"), [("digits_resnet", M33), ("digits_mlp", "rv32imac")])
def test_a_compiled_network_has_the_graph_whose_counts_are_shipped(compiled, name, target):
    found = dispatch_graph(compiled(f"{name}_int8", target))
    shipped = shipped_counts()[f"{name}_int8"][target]
    for key in ("buffers_bytes", "object_text_bytes", "object_data_bytes", "triple", "cpu"):
        assert found[key] == shipped[key]
    wanted = [{k: v for k, v in d.items() if k not in MEASURED} for d in shipped["dispatches"]]
    assert found["dispatches"] == wanted


def test_loop_extents_are_the_networks_multiplications(compiled):
    layers = NETWORKS["digits_resnet"]
    sizes = shapes(layers)
    wanted = []
    for index, layer in enumerate(layers, 1):
        height, width, channels = sizes[index]
        source = sizes[inputs_of(layers, index)[0]]
        if layer.op == "conv":
            wanted.append(height * width * channels * source[2] * layer.kernel**2)
        elif layer.op == "dense":
            wanted.append(channels * int(np.prod(source)))
    graph = dispatch_graph(compiled("digits_resnet_int8", M33))
    kinds = ("conv", "matmul_like", "matvec_like")
    found = [d["loop_points"] for d in graph["dispatches"] if d["op"] in kinds]
    assert sorted(found) == sorted(wanted)


def test_the_skip_connection_may_run_beside_the_main_path(compiled):
    graph = dispatch_graph(compiled("digits_resnet_int8", M33))
    groups = [d.get("concurrent") for d in graph["dispatches"]]
    assert [g for g in groups if g is not None] == [0, 0]


def test_padding_is_filled_with_the_zero_point(compiled):
    fills = [c for c in compiled("digits_resnet_int8", M33).program.commands if isinstance(c, Fill)]
    assert fills[0].target.length == 10 * 10  # the 8 x 8 image and its margin
    assert {fill.pattern for fill in fills} == {(-128).to_bytes(1, "little", signed=True)}


def test_a_second_call_does_not_compile(compiled, monkeypatch):
    first = compiled("digits_mlp_int8", "rv32imac")
    monkeypatch.setattr(compiler, "_compile_into", lambda *_: pytest.fail("compiled again"))
    assert compiled("digits_mlp_int8", "rv32imac").folder == first.folder


def test_a_changed_model_or_grid_is_another_compilation(tmp_path):
    path = tmp_path / "model.mlir"
    path.write_text("first")
    key = compiler._key(path, ("--flag",))
    assert compiler._key(path, ("--flag", "--other")) != key
    path.write_text("second")
    assert compiler._key(path, ("--flag",)) != key


BAD = {
    "broken.mlir": ("func.func @main( -> {", r"^broken.mlir: refused at compilation: expected "),
    "dynamic.mlir": (
        "func.func @main(%a: tensor<?xf32>) -> tensor<?xf32> {\n"
        "  %b = arith.addf %a, %a : tensor<?xf32>\n  return %b : tensor<?xf32>\n}\n",
        r"^dynamic: refused at reading the commands: .*(dynamic shapes|not supported)",
    ),
    "broken.onnx": ("no protobuf", r"^broken.onnx: refused at ONNX import: "),
    "broken.tflite": ("no flatbuffer", r"^broken.tflite: refused at TFLite import: "),
    "model.h5": ("", r"^model.h5: refused at import: it must end in .mlir"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_model_is_refused_in_one_line(compile_cache, tmp_path, name):
    text, message = BAD[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=message) as error:
        assert compile_model(tmp_path / name).program
    assert "\n" not in str(error.value)
    kept = [folder.name for folder in compile_cache.iterdir() if folder.is_dir()]
    assert not any(folder.startswith((".compiling", "broken")) for folder in kept)


def test_missing_files_and_unknown_names_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model"):
        compile_model(tmp_path / "nothing.mlir")
    model = digits.shipped_model("digits_mlp_int8")
    with pytest.raises(ValueError, match=r"unknown target 'z80'.*rv32imac"):
        compile_model(model, "z80")
    for grid in ("threads", "threads=0", "distribution=x", "default=2", "coarse"):
        with pytest.raises(ValueError, match="unknown grid"):
            compile_model(model, "host", grid)
    with pytest.raises(ValueError, match="no default model 'lenet'"):
        digits.shipped_model("lenet")


def test_what_a_table_of_commands_cannot_hold_is_refused(compiled):
    source = compiled("digits_mlp_int8", "rv32imac")
    hal, stream = source.phase("hal"), source.phase("stream")
    twice = hal.replace("hal.command_buffer.finalize", "hal.command_buffer.begin_debug", 1)
    with pytest.raises(ValueError, match="begin_debug is not supported"):
        read_program(twice, stream)
    with pytest.raises(ValueError, match="computed at start-up"):
        read_program(hal.replace("util.buffer.constant", "util.buffer.other"), stream)
    with pytest.raises(ValueError, match="2 kernels are named"):
        read_program(hal, stream.replace("stream.cmd.dispatch", "stream.cmd.other", 1))
    with pytest.raises(ValueError, match="depends on run-time data"):
        read_program(hal.replace("workgroups([%c", "workgroups([%arg", 1), stream)


@pytest.mark.parametrize(
    ("text", "values", "dtype"),
    [
        ("dense<[[1, -2], [3, 4]]> : tensor<2x2xi8>", [1, -2, 3, 4], "int8"),
        ("dense<7> : tensor<3xi32>", [7, 7, 7], "int32"),
        ('dense<"0x01000000FFFFFFFF"> : tensor<2xi32>', [1, -1], "int32"),
        ('dense<"0xFE"> : tensor<4xi8>', [-2] * 4, "int8"),
        ("dense<[1.5, -2.5e-01]> : tensor<2xf32>", [1.5, -0.25], "float32"),
        ("dense<0x7F800000> : vector<1xf32>", [np.inf], "float32"),
        ("dense<[true, false]> : tensor<2xi1>", [True, False], "bool"),
        ("dense<9> : tensor<i64>", [9], "int64"),
    ],
)
def test_constants_become_their_bytes(text, values, dtype):
    assert composite_bytes(f"{text},\n") == np.array(values, dtype).tobytes()


def test_constants_of_unknown_type_are_refused():
    with pytest.raises(ValueError, match="bf16"):
        dense_bytes("1.0", "2x", "bf16")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("main_dispatch_1_conv_24x24x6x5x5_i8xi8xi32", ("conv", [24, 24, 6, 5, 5])),
        ("main_dispatch_0_elementwise_784_f32xi8", ("elementwise", [784])),
        ("m_dispatch_9_matmul_like_16x16x32x16_i8xi8xi32", ("matmul_like", [16, 16, 32, 16])),
        ("main_dispatch_0_slow_memcpy", (None, None)),
        ("main_dispatch_15_softmax_12xf32_generic", (None, None)),
    ],
)
def test_kind_and_extents_come_from_the_name(name, kind):
    assert kind_and_extents(name) == kind


def test_rounding_returns_to_the_lines_that_had_it():
    lowered = (
        '%1 = tosa.apply_scale %a, %b, %c {rounding_mode = SINGLE_ROUND} : i32 loc("m.mlir":7:3)\n'
        '%2 = tosa.apply_scale %a, %b, %c {rounding_mode = SINGLE_ROUND} : i32 loc("m.mlir":9:3)\n'
    )
    lines = _restore_rounding(lowered, {9}).splitlines()
    assert "SINGLE_ROUND" in lines[0]
    assert "DOUBLE_ROUND" in lines[1]


@pytest.fixture
def real_mlir():
    if not os.environ.get("SCHEDLAB_DATA_MIRROR"):
        pytest.skip("SCHEDLAB_DATA_MIRROR is not set: no folder with the public models")
    return Path(os.environ["SCHEDLAB_DATA_MIRROR"], "tinyml")


def test_tflite_keeps_its_rounding(real_mlir):
    """The other conversion was made with TensorFlow's own converter."""
    pytest.importorskip("tosa_converter_for_tflite", reason="no TFLite converter on this platform")
    ours = import_model(real_mlir / "tflite" / "kws_dscnn_int8.tflite").decode()
    theirs = (real_mlir / "mlir" / "kws_dscnn_int8.mlir").read_text()
    assert ours.count("DOUBLE_ROUND") == theirs.count("DOUBLE_ROUND") == 10
    assert "SINGLE_ROUND" not in ours
    assert ours.count("arith.shrsi %scale_") == 12  # the average and the softmax, written out


def test_onnx_gives_what_its_reference_evaluator_gives(compiled):
    from onnx.reference import ReferenceEvaluator

    model = HostModel(compiled("digits_cnn_f32"))
    reference = ReferenceEvaluator(str(digits.shipped_model("digits_cnn_f32")))
    for image in digits.test_inputs("float32")[:5]:
        (wanted,) = reference.run(None, {"image": image[None]})
        np.testing.assert_allclose(model.run(image[None])[0], wanted, rtol=1e-4, atol=1e-5)


def test_sizes_are_those_of_the_sections(compiled):
    from elftools.elf.elffile import ELFFile

    path = compiled("digits_resnet_int8", M33).kernels
    with path.open("rb") as file:
        elf = ELFFile(file)
        code = sum(s["sh_size"] for s in elf.iter_sections() if s.name.startswith(".text"))
        data = sum(s["sh_size"] for s in elf.iter_sections() if s.name.startswith(".data"))
    sizes = object_sizes(path)
    assert sizes.data == data > 0
    assert code < sizes.text < 1.5 * code


def test_a_file_that_is_no_object_is_refused(tmp_path):
    (tmp_path / "kernels.o").write_text("text")
    with pytest.raises(ValueError, match=r"kernels.o is no ELF object"):
        object_sizes(tmp_path / "kernels.o")
