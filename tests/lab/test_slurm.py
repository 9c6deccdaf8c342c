"""The recipe for SLURM in ``docs/clusters.md``, its array run as processes of this machine."""

import os
import re
import subprocess
import sys

import pandas as pd
import pytest

from schedlab.lab.paths import find_root
from schedlab.lab.sweep import sweep
from schedlab.trainability.experiment.quadratic import measure

pytest.importorskip("submitit", reason="needs the extra: pip install -e '.[cluster]'")


@pytest.fixture
def recipe(tmp_path):
    """The script of the page, in a checkout of its own."""
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).touch()
    page = (find_root() / "docs" / "clusters.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    local = code.replace('CLUSTER = "slurm"', 'CLUSTER = "local"')
    assert local != code
    (tmp_path / "recipe.py").write_text(local)
    return tmp_path / "recipe.py"


def run(script):
    command = [sys.executable, script.name]
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    return subprocess.run(
        command, cwd=script.parent, env=environment, capture_output=True, text=True, timeout=120
    )


def test_an_array_goes_on_after_a_failure_to_the_table_of_one_sweep(recipe, tmp_path):
    sound = recipe.read_text()
    recipe.write_text(
        sound.replace("part: int) -> None:", "part: int) -> None:\n    1 / (1 - part)")
    )
    failed = run(recipe)
    assert failed.returncode != 0
    assert "ZeroDivisionError" in failed.stderr
    store = tmp_path / ".schedlab/array/store"
    kept = {path: path.stat().st_mtime_ns for path in store.rglob("*.point")}
    assert len(kept) == 6

    gather = 'sweep(measure, points, seeds, jobs=1, store=SHARED / "store"'
    recipe.write_text(sound.replace(gather, f"{gather}, keep=True"))
    done = run(recipe)
    assert done.returncode == 0, done.stderr
    assert len(list(store.rglob("*.point"))) == 10
    assert {path: path.stat().st_mtime_ns for path in kept} == kept

    scope: dict = {}
    exec(sound.partition("executor =")[0].replace("import submitit", ""), scope)
    whole = sweep(measure, scope["points"], scope["seeds"], jobs=1, store=tmp_path / "own")
    found = pd.read_parquet(tmp_path / ".schedlab/array/table.parquet")
    pd.testing.assert_frame_equal(found, whole)
