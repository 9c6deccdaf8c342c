"""Sizes of compiled kernels, read from the object file."""

from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile


@dataclass(frozen=True)
class Sizes:
    """Bytes of code with read-only data (flash), and of data that starts in RAM."""

    text: int
    data: int


def object_sizes(path: Path) -> Sizes:
    """Return what the ``size`` tool calls text and data.

    Raises
    ------
    ValueError
        If the file is no ELF object.
    """
    from elftools.common.exceptions import ELFError

    text = data = 0
    with path.open("rb") as file:
        try:
            sections = list(ELFFile(file).iter_sections())
        except ELFError as error:
            raise ValueError(f"{path.name} is no ELF object: {error}") from None
    for section in sections:
        flags = section["sh_flags"]
        if not flags & SH_FLAGS.SHF_ALLOC or section["sh_type"] == "SHT_NOBITS":
            continue
        if flags & SH_FLAGS.SHF_WRITE:
            data += section["sh_size"]
        else:
            text += section["sh_size"]
    return Sizes(text, data)
