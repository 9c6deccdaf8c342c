"""Read arrays of a user's own file, or say what is wrong with it and how to mend it."""

from pathlib import Path
from typing import NoReturn
from zipfile import BadZipFile

import numpy as np


def open_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return all arrays of an ``.npz`` that has at least the named ones; nothing is unpickled.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is none, or lacks an array.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; give the path of an .npz with the arrays {', '.join(names)}"
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except (ValueError, OSError, BadZipFile, AttributeError) as error:
        raise ValueError(
            f"{path}: no .npz of plain arrays ({error}); write it with numpy.savez_compressed"
        ) from None
    if missing := [name for name in names if name not in found]:
        raise ValueError(
            f"{path}: lacks the array {missing[0]}; it has {', '.join(found) or 'none'}; "
            f"needed are {', '.join(names)}"
        )
    return found


def refuse(path: str, name: str, wanted: str, found: np.ndarray) -> NoReturn:
    """Raise ``ValueError`` with what was expected of an array and what was found."""
    raise ValueError(
        f"{path}: {name}: expected {wanted}, found {found.dtype} of shape {found.shape}; "
        "mend the array and save it again"
    )
