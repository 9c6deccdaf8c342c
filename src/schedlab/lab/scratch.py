"""A throw-away copy of the checkout, to run the pipeline without touching its results."""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from schedlab.lab import parameters
from schedlab.lab.files import write_text
from schedlab.lab.lock import only_one
from schedlab.lab.paths import find_root, tool_environment


def main(arguments: list[str] | None = None) -> int:
    """Copy the checkout, set the scale, and reproduce everything there."""
    parser = argparse.ArgumentParser(prog="schedlab.lab.scratch", description=__doc__)
    parser.add_argument("scale", choices=parameters.SCALES)
    parser.add_argument("--jobs", help="processes at most (default: all cores)")
    chosen = parser.parse_args(arguments)
    root = find_root()
    command = [sys.executable, "-m", "schedlab.lab.reproduce"]
    command += ["--jobs", chosen.jobs] if chosen.jobs else []
    try:
        with only_one(root, chosen.scale):
            target = copy_checkout(root, root / ".schedlab" / chosen.scale)
            set_scale(target, chosen.scale)
            return subprocess.run(command, cwd=target, env=environment(target)).returncode
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def copy_checkout(root: Path, target: Path) -> Path:
    """Copy what git tracks or would track, and ``data/``, into a new repository at ``target``.

    What was at ``target`` before is removed.
    """
    shutil.rmtree(target, ignore_errors=True)
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listing.split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    if (root / "data").is_dir():
        shutil.copytree(root / "data", target / "data")
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    subprocess.run(["git", "add", "--all"], cwd=target, check=True)
    return target


def set_scale(root: Path, scale: str) -> None:
    """Choose another scale in ``params.yaml``, leaving the rest of the file as it is."""
    path = root / parameters.FILE
    text, count = re.subn(r"(?m)^scale: \w+", f"scale: {scale}", path.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"{path}: expected one line 'scale: ...', found {count}")
    write_text(path, text)


def environment(root: Path) -> dict[str, str]:
    """Return the environment in which commands use the package of this very copy."""
    return {**tool_environment(), "PYTHONPATH": str(root / "src")}


if __name__ == "__main__":
    sys.exit(main())
