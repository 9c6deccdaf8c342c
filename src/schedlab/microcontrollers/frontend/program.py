"""What a compiled model does, command by command: the form in which everything here takes it."""

from dataclasses import dataclass
from math import prod

import numpy as np

ELEMENT_TYPES = {
    "i1": "bool",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "f32": "float32",
    "f64": "float64",
}  # of MLIR, as numpy names them


@dataclass(frozen=True)
class Binding:
    """A range of a buffer that a dispatch may touch: ``length`` bytes from ``offset``."""

    buffer: str
    offset: int
    length: int


@dataclass(frozen=True)
class Dispatch:
    """One call of a kernel over a grid of independent workgroups.

    Attributes
    ----------
    ordinal
        Number of the kernel in the executable; repeated dispatches share one.
    name
        The compiler's name of the kernel.
    grid
        Workgroups in x, y, z.
    constants
        32-bit arguments of the call.
    bindings
        The buffers, in the order the kernel expects them.
    """

    ordinal: int
    name: str
    grid: tuple[int, int, int]
    constants: tuple[int, ...]
    bindings: tuple[Binding, ...]

    @property
    def workgroups(self) -> list[tuple[int, int, int]]:
        """Ids (x, y, z) in row-major order, x fastest: the order in which they are issued."""
        nx, ny, nz = self.grid
        return [(x, y, z) for z in range(nz) for y in range(ny) for x in range(nx)]


@dataclass(frozen=True)
class Fill:
    """Write ``pattern`` over and over into a range of a buffer, as padding with a zero point."""

    target: Binding
    pattern: bytes


@dataclass(frozen=True)
class Copy:
    """Copy a range of one buffer to another."""

    source: Binding
    target: Binding


@dataclass(frozen=True)
class Barrier:
    """All commands before it are done before any after it begins."""


Command = Dispatch | Fill | Copy | Barrier


@dataclass(frozen=True)
class Tensor:
    """Shape and element type of an input or output, and the buffer that holds it."""

    buffer: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Program:
    """A model after compilation.

    Attributes
    ----------
    commands
        In the order in which IREE replays them.
    inputs, outputs
        Of the entry function.
    transients
        Size of every scratch buffer, in bytes.
    constants
        Content of every constant buffer.
    """

    commands: tuple[Command, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    transients: dict[str, int]
    constants: dict[str, bytes]

    @property
    def dispatches(self) -> list[Dispatch]:
        """The dispatches alone, in order."""
        return [c for c in self.commands if isinstance(c, Dispatch)]
