"""The guard over ``data/``: what lies there must be what ``data.sha256`` in git says.

DVC itself adopts damaged data without a word, so a stage runs this before any experiment.
"""

from dataclasses import dataclass
from pathlib import Path

from schedlab.data.catalog import file_sha256

REBUILD = "python -m schedlab.data build --force"


@dataclass(frozen=True)
class Damage:
    """A file of ``data/`` that is missing (found None), altered, or extra (expected None)."""

    file: str
    expected: str | None
    found: str | None

    def __str__(self) -> str:
        """Return one line with both hashes and the remedy."""
        return (
            f"data/{self.file}: expected sha256 {self.expected or '(no such file)'}, "
            f"found {self.found or '(no such file)'}; rebuild data/ with: {REBUILD}"
        )


def expected_hashes(root: Path) -> dict[str, str]:
    """Read ``data.sha256`` (sha256sum format, names relative to ``data/``)."""
    lines = (root / "data.sha256").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("  ", 1) for line in lines)
    return {name: digest for digest, name in pairs}


def found_hashes(folder: Path) -> dict[str, str]:
    """Hash every file below a folder; an absent folder has none."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}


def compare(expected: dict[str, str], found: dict[str, str]) -> list[Damage]:
    """Return every file whose two hashes differ, in order of name."""
    return [
        Damage(name, expected.get(name), found.get(name))
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]


def damages(root: Path) -> list[Damage]:
    """Compare ``data/`` below ``root`` with ``data.sha256`` beside it."""
    return compare(expected_hashes(root), found_hashes(root / "data"))


def write_hashes(hashes: dict[str, str], folder: Path) -> None:
    """Write ``folder/<system>.json`` with the hashes of each system's files.

    A stage depends on its own system's file, so that new data for one system re-run no other.
    """
    from schedlab.lab.files import write_json

    systems = {name.split("/")[0] for name in hashes if "/" in name}
    for system in sorted(systems):
        own = {name: digest for name, digest in hashes.items() if name.startswith(f"{system}/")}
        write_json(folder / f"{system}.json", own)


def verified(root: Path, name: str) -> Path:
    """Return ``data/name`` after checking its hash.

    Raises
    ------
    ValueError
        If the file was altered.
    FileNotFoundError
        If it is not there.
    """
    path = root / "data" / name
    damage = Damage(
        name, expected_hashes(root).get(name), file_sha256(path) if path.is_file() else None
    )
    if damage.found is None:
        raise FileNotFoundError(str(damage))
    if damage.found != damage.expected:
        raise ValueError(str(damage))
    return path
