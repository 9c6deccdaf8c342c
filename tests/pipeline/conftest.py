"""Scratch copies of the checkout in which the pipeline can be run, damaged and killed."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from schedlab.lab import scratch
from schedlab.lab.paths import find_root

TINY = {
    "requests": 24,
    "rates": [2.0, 4.0],
    "near_capacity": [4.0],
    "priority_requests": 24,
    "horizon_s": 1,
    "seeds": [1, 2, 3],
}
"""Sizes at which a stage takes seconds; its claims are then undecided, which is fine here."""


STAGES = ("batch", "load_fit")
"""Stages of the copy: two notebooks that share no file."""

KEPT = (*STAGES, "own_lengths")
"""Sections of the copy's parameters."""


class Copy:
    """A scratch copy: where it lies, and how to run commands in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # At this size starting worker processes takes longer than the work.
        self.environment = {**scratch.environment(root), "SCHEDLAB_JOBS": "1"}

    def at(self, root: Path) -> "Copy":
        """Return a copy of this copy."""
        return Copy(shutil.copytree(self.root, root, symlinks=True))

    def run(self, *command: str, **options: object) -> subprocess.CompletedProcess[str]:
        """Run ``python -m command`` in the copy, and return its status and output."""
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.root,
            capture_output=True,
            text=True,
            **{"env": self.environment, **options},
        )

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start ``python -m command`` in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def edit(self, change: Callable[[dict], None]) -> None:
        """Change the copy's ``params.yaml``."""
        path = self.root / "params.yaml"
        values = yaml.safe_load(path.read_text())
        change(values)
        path.write_text(yaml.safe_dump(values, sort_keys=False))

    def outputs(self) -> dict[str, bytes]:
        """Return the bytes of everything the pipeline wrote, with the lock."""
        files = [p for top in ("results", "reports") for p in (self.root / top).rglob("*")]
        files.append(self.root / "dvc.lock")
        return {str(p.relative_to(self.root)): p.read_bytes() for p in files if p.is_file()}


def shrink(values: dict) -> None:
    """Bring the copy's stages down to :data:`TINY`, and leave out what no stage of it reads."""
    for system in [name for name, part in values.items() if isinstance(part, dict)]:
        values[system] = {k: part for k, part in values[system].items() if k in KEPT}
    values["scale"] = "smoke"
    for stage in STAGES:
        parts = values["serving"][stage]
        sizes = {**parts["all"], **parts["smoke"]}
        parts["smoke"] = parts["smoke"] | {k: v for k, v in TINY.items() if k in sizes}
        parts["all"] = parts["all"] | {"schedulers": parts["all"]["schedulers"][:2]}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Return a copy at tiny size, from which each test's own copy is made."""
    made = Copy(scratch.copy_checkout(find_root(), tmp_path_factory.mktemp("template") / "a copy"))
    made.edit(shrink)
    keep_stages(made.root)
    return made


@pytest.fixture(scope="session")
def reproduced(template: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Return a copy in which every stage has run, to be looked at and left as it is."""
    made = template.at(tmp_path_factory.mktemp("reproduced") / "a copy")
    done = made.run("dvc", "repro")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def copy(template: Copy, tmp_path: Path) -> Copy:
    """Return a fresh copy at tiny size, in a folder with a space in its name."""
    return template.at(tmp_path / "a copy")


@pytest.fixture
def finished(reproduced: Copy, tmp_path: Path) -> Copy:
    """Return such a copy with all its results."""
    return reproduced.at(tmp_path / "a copy")


def keep_stages(root: Path) -> None:
    """Leave only :data:`STAGES` in the copy's pipeline; CI runs all of them at smoke scale."""
    pipeline = yaml.safe_load((root / "dvc.yaml").read_text())
    stages = pipeline["stages"]
    kept = {f"results/serving/{key}{ending}" for key in STAGES for ending in ("", ".json")}
    for other in [name for name in stages if "foreach" in stages[name] and name != "serving"]:
        del stages[other]
    notebooks = stages["serving"]["foreach"]
    stages["serving"]["foreach"] = {key: notebooks[key] for key in notebooks if key in STAGES}
    for metrics in (root / "results").glob("*/*.json"):
        if str(metrics.relative_to(root)) not in kept:
            metrics.unlink()
    report = stages["report"]
    report["deps"] = [d for d in report["deps"] if not d.startswith("results/") or d in kept]
    (root / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
