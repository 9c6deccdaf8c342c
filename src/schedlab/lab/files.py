"""Files that are written whole or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import torch

ABOUT = "about"


def write_atomically(path: Path, write: Callable[[Path], None]) -> Path:
    """Let ``write`` fill a temporary neighbour of ``path``, then rename it into place.

    A reader never sees half a file, and a failure leaves the earlier file untouched.

    Raises
    ------
    OSError
        Naming ``path``, if the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        _fill(Path(name), path, write)
    except OSError as error:  # which may name the temporary file, or, from a write, none
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    return path


def _fill(temporary: Path, path: Path, write: Callable[[Path], None]) -> None:
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write ``text`` as UTF-8."""
    return write_atomically(path, lambda p: p.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> Path:
    """Write ``value`` as JSON with sorted keys, so that equal values are equal bytes."""
    return write_text(
        path,
        json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n",
    )


def write_table(path: Path, table: "pd.DataFrame") -> Path:
    """Write a tidy table as parquet (zstd, no index)."""
    return write_atomically(path, lambda p: table.to_parquet(p, index=False, compression="zstd"))


def write_tensors(path: Path, tensors: Mapping[str, "torch.Tensor"], about: dict[str, Any]) -> Path:
    """Write tensors and what JSON can say about them as safetensors, equal for equal values.

    What is said is one entry of the file's metadata: several are written in an order that changes
    from run to run.
    """
    from safetensors.torch import save_file

    metadata = {ABOUT: json.dumps(about, sort_keys=True)}
    return write_atomically(path, lambda p: save_file(dict(tensors), p, metadata))


def read_tensors(path: Path) -> tuple[dict[str, "torch.Tensor"], dict[str, Any]]:
    """Return a file's tensors, and what :func:`write_tensors` was told about them, else nothing.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: no safetensors file: {error}") from None


def replace_folder(staged: Path, final: Path) -> Path:
    """Put the finished folder ``staged`` in the place of ``final``, which may exist."""
    final.parent.mkdir(parents=True, exist_ok=True)
    retired = staged.with_name(staged.name + ".retired")
    shutil.rmtree(retired, ignore_errors=True)
    if final.exists():
        final.rename(retired)
    staged.rename(final)
    shutil.rmtree(retired, ignore_errors=True)
    return final
