"""Bytes of the constants that MLIR prints as ``dense<...> : tensor<...>``."""

import re

import numpy as np

from schedlab.microcontrollers.frontend.program import ELEMENT_TYPES

DENSE = re.compile(r"dense<([^>]*)> : (?:tensor|vector)<((?:\d+x)*)(\w+)>")


def dense_bytes(body: str, shape: str, element: str) -> bytes:
    """Return the little-endian bytes of one dense attribute.

    Parameters
    ----------
    body
        What stands between the angle brackets: a hex string, one value, or nested lists.
    shape, element
        Of the type, as in ``"10x4x"`` and ``"i8"``.

    Raises
    ------
    ValueError
        If the element type is none that a kernel's constants have.
    """
    if element not in ELEMENT_TYPES:
        raise ValueError(f"constants of type {element} are not supported")
    dtype = np.dtype(ELEMENT_TYPES[element]).newbyteorder("<")
    count = int(np.prod([int(n) for n in shape.split("x") if n], dtype=int))
    if body.startswith('"0x'):
        data = bytes.fromhex(body.strip('"')[2:])
        return data if len(data) == count * dtype.itemsize else data * count
    values = [_number(v, dtype) for v in re.findall(r"[^\s,\[\]]+", body)]
    array = np.array(values, dtype=dtype)
    return (array if array.size == count else np.repeat(array, count)).tobytes()


def _number(text: str, dtype: np.dtype) -> int | float | bool:
    """Read one element; a float in hex is its bit pattern."""
    if text in ("true", "false"):
        return text == "true"
    if dtype.kind != "f":
        return int(text, 0)
    if text.startswith("0x"):
        return float(np.array(int(text, 16), dtype=f"u{dtype.itemsize}").view(dtype))
    return float(text)


def composite_bytes(text: str) -> bytes:
    """Return the bytes of all dense attributes in ``text``, one behind the other."""
    return b"".join(dense_bytes(*match.groups()) for match in DENSE.finditer(text))
