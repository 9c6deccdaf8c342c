"""Mutation testing itself: faults are faults, drawn by seed, and tried without touching a file."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from schedlab.lab.paths import find_root

pytest.importorskip("cosmic_ray", reason="pip install -e '.[mutants]'")

from mutants.sample import places, sample

SETTINGS = yaml.safe_load((find_root() / "mutants/settings.yaml").read_text())
MODULE = "src/schedlab/lab/seeds.py"


@pytest.fixture(autouse=True)
def root(monkeypatch):
    monkeypatch.chdir(find_root())


def write(folder: Path, text: str) -> str:
    path = folder / "module.py"
    path.write_text(text)
    return str(path)


def test_annotations_and_stars_of_signatures_are_no_places_for_faults(tmp_path):
    text = "def f(a: int | None, *, b: float = 2.5) -> dict[str, float | int]:\n    return a * b\n"
    module = write(tmp_path, text)
    assert {line for line, _ in places(module, SETTINGS["operators"])} == {1, 2}
    drawn = sample([module], SETTINGS["operators"], 99, 0)
    changed = {ast.unparse(ast.parse(mutant.source)) for mutant in drawn}
    signature = "def f(a: int | None, *, b: float={}) -> dict[str, float | int]:\n    return a {} b"
    assert changed <= {signature.format(b, sign) for b in (1.5, 2.5, 3.5) for sign in "*/"}
    assert len(changed) == 2


def test_a_sample_is_drawn_by_seed_without_repetition():
    modules = ["src/schedlab/serving/schedulers/steps.py", MODULE]
    first, again, other = (sample(modules, SETTINGS["operators"], 15, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len({(mutant.module, mutant.line, mutant.column) for mutant in first}) == len(first)
    assert all(mutant.source != Path(mutant.module).read_text() for mutant in first)


@pytest.mark.parametrize("core", SETTINGS["cores"])
def test_every_core_names_files_that_exist(core):
    patterns = SETTINGS["cores"][core]["modules"]
    assert all(list(Path().glob(pattern)) for pattern in patterns)
    assert all(Path(test).is_file() for test in SETTINGS["cores"][core]["tests"])


def test_a_trial_tells_who_noticed_and_leaves_the_file_alone(tmp_path):
    module = "src/schedlab/serving/schedulers/options.py"
    ((fault,), *_) = places(module, ["core/AddNot"]).values()
    (tmp_path / "test_it.py").write_text(
        "from schedlab.serving.schedulers import options\n"
        "def test_notices():\n    options.one_of('n', 3, [3])\n"
    )
    (tmp_path / "test_other.py").write_text("def test_sleeps():\n    pass\n")
    code = (
        "from pathlib import Path; from mutants.trial import trial; from mutants.sample import *\n"
        f"fault, folder = {fault!r}, Path({str(tmp_path)!r})\n"
        "for name, mutant in [('it', None), ('it', fault), ('other', fault)]:\n"
        "    print(trial([str(folder / f'test_{name}.py')], mutant, 60, folder / 'log')[0])\n"
    )
    before = Path(module).read_bytes()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["passed", "failed", "passed"], done.stderr
    assert Path(module).read_bytes() == before
