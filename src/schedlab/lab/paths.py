"""Where the repository lies, found once and never guessed from the working directory."""

import os
import sys
from pathlib import Path


def find_root(start: Path | None = None) -> Path:
    """Return the repository's root: the nearest folder upwards that holds ``params.yaml``.

    Parameters
    ----------
    start
        Folder to begin at; by default the working directory, then this file's own place.

    Raises
    ------
    FileNotFoundError
        If neither the start nor the installed package lies inside a checkout.
    """
    starts = [start] if start else [Path.cwd(), Path(__file__).parent]
    for first in starts:
        for folder in (first.resolve(), *first.resolve().parents):
            if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
                return folder
    raise FileNotFoundError(
        f"no checkout of schedlab (params.yaml beside dvc.yaml) at or above {starts[0]}; "
        "run inside a clone of the repository"
    )


def tool_environment() -> dict[str, str]:
    """Return the environment in which commands find the programs of this very Python.

    Without it a stage's ``python`` would be the system's wherever no environment is activated.
    """
    programs = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
