"""Bring a model file into MLIR that IREE 3.8.0 reads: as it is, from ONNX, or from TFLite."""

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

SUFFIXES = (".mlir", ".mlirbc", ".onnx", ".tflite")


class ModelError(ValueError):
    """A model that cannot be brought into the form wanted; one line says which, where and why."""

    def __init__(self, model: str, stage: str, reason: str) -> None:
        super().__init__(f"{model}: refused at {stage}: {reason}")


def import_model(path: Path) -> bytes:
    """Return the model as MLIR, text or bytecode.

    Parameters
    ----------
    path
        A ``.mlir``, ``.mlirbc``, ``.onnx`` or ``.tflite`` file. An unknown batch size becomes 1.

    Raises
    ------
    ModelError
        If the file is none of these or cannot be converted.
    FileNotFoundError
        If there is no such file, or a converter is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no model {path}; give a file that ends in {', '.join(SUFFIXES)}")
    if path.suffix in (".mlir", ".mlirbc"):
        return path.read_bytes()
    if path.suffix == ".onnx":
        return _from_onnx(path)
    if path.suffix == ".tflite":
        return _from_tflite(path)
    raise ModelError(path.name, "import", f"it must end in {', '.join(SUFFIXES)}")


def _from_onnx(path: Path) -> bytes:
    with TemporaryDirectory() as folder:
        out = Path(folder, "model.mlir")
        module = "iree.compiler.tools.import_onnx"
        command = [sys.executable, "-m", module, str(path), "-o", str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or not out.is_file():
            reason = done.stderr.strip().splitlines() or ["no output"]
            raise ModelError(path.name, "ONNX import", reason[-1])
        return out.read_bytes()


def _from_tflite(path: Path) -> bytes:
    try:
        from tosa_converter_for_tflite import tflite_flatbuffer_to_tosa_mlir as convert
    except ImportError:
        raise FileNotFoundError(
            f"{path.name} needs the converter: pip install 'schedlab[tflite]' (Linux only), "
            "or give the model as MLIR or ONNX"
        ) from None
    with TemporaryDirectory() as folder:
        out = Path(folder, "model.mlir")
        try:
            _convert(convert, path, out)
        except Exception as error:  # the converter raises its own kinds
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(path.name, "TFLite import", first) from None
        return _lower_tosa(path.name, out.read_text(encoding="utf-8"))


def _convert(convert: object, path: Path, out: Path) -> None:
    from tosa_converter_for_tflite import TosaConverterOutputFormat

    convert(str(path), str(out), TosaConverterOutputFormat.Text)


def _lower_tosa(name: str, text: str) -> bytes:
    """Lower the converter's TOSA to linalg, keeping TFLite's rounding exactly.

    IREE 3.8.0 lowers a rescale that rounds twice but refuses to read one. So it is given single
    rounding, and the scale operation that came from that very line gets its double rounding back.
    """
    from schedlab.microcontrollers.frontend.compiler import run_compiler

    text = text.replace("<?x", "<1x")
    twice = {n for n, line in enumerate(text.splitlines(), 1) if "= DOUBLE_ROUND" in line}
    with TemporaryDirectory() as folder:
        source, lowered = Path(folder, "model.mlir"), Path(folder, "lowered.mlir")
        source.write_text(text.replace("DOUBLE_ROUND", "SINGLE_ROUND"), encoding="utf-8")
        flags = ["--iree-input-type=tosa", "--compile-to=input", "--mlir-print-debuginfo"]
        arguments = [source.name, *flags, "-o", lowered.name]
        run_compiler(name, "TOSA lowering", arguments, Path(folder))
        restored = _restore_rounding(lowered.read_text(encoding="utf-8"), twice)
        return _SINGLE.sub(_in_plain_arithmetic, restored).encode()


def _restore_rounding(lowered: str, twice: set[int]) -> str:
    """Give the scale operations that stem from one of the lines ``twice`` double rounding."""

    def restored(match: re.Match[str]) -> str:
        again = int(match[1]) in twice
        return match[0].replace("SINGLE_ROUND", "DOUBLE_ROUND") if again else match[0]

    return re.sub(r'tosa\.apply_scale .*SINGLE_ROUND.* loc\("[^"]*":(\d+):\d+\)', restored, lowered)


_SINGLE = re.compile(
    r"%(\w+) = tosa\.apply_scale (%\w+), (%\w+), (%\w+) "
    r"\{rounding_mode = SINGLE_ROUND\} : \(i32, i32, i8\) -> i32"
)


def _in_plain_arithmetic(match: re.Match[str]) -> str:
    """Write (value * multiplier + half) >> shift out, which IREE 3.8.0 cannot do for scalars."""
    result, value, multiplier, shift = match.groups()
    name = f"%scale_{result}_{match.start()}"
    return f"""{name}_value = arith.extsi {value} : i32 to i64
      {name}_multiplier = arith.extsi {multiplier} : i32 to i64
      {name}_shift = arith.extui {shift} : i8 to i64
      {name}_one = arith.constant 1 : i64
      {name}_bits = arith.subi {name}_shift, {name}_one : i64
      {name}_half = arith.shli {name}_one, {name}_bits : i64
      {name}_product = arith.muli {name}_value, {name}_multiplier : i64
      {name}_sum = arith.addi {name}_product, {name}_half : i64
      {name}_shifted = arith.shrsi {name}_sum, {name}_shift : i64
      %{result} = arith.trunci {name}_shifted : i64 to i32"""
