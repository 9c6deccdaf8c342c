"""The house in order: dependencies in step, notebooks clean, stages naming what they use."""

import ast
import json
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from schedlab.lab.paths import find_root

ROOT = find_root()
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMETERS = yaml.safe_load((ROOT / "params.yaml").read_text())


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {canonicalize_name(n): v for n, v in (line.split("==") for line in lines)}


def declared() -> list[Requirement]:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return [Requirement(line) for line in lines]


def test_every_range_holds_its_pin():
    for requirement in declared():
        pin = pins().get(canonicalize_name(requirement.name))
        assert pin, f"{requirement.name} has no line in constraints.txt"
        assert requirement.specifier.contains(pin), f"{requirement} does not allow {pin}"


def test_pins_are_what_the_dependencies_need_and_no_more():
    needed: set[str] = set()
    todo = [(canonicalize_name(r.name), frozenset(r.extras)) for r in declared()]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        needed.add(name)
        for line in requires(name) or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
                todo.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    assert set(pins()) == needed - {"pip", "setuptools"}


def test_conda_reads_the_same_two_files():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-c constraints.txt", "-e .[dev]"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebooks_are_stored_clean(path: Path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) <= 1
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "language_info" not in notebook["metadata"]
    assert sum(len(cell["source"]) for cell in code) < 200
    assert not re.search(r'"/(home|root|Users|work)/', path.read_text())


def defaults(notebook: Path) -> dict[str, object]:
    """Return what a notebook's parameters cell sets, without running it."""
    cells = json.loads(notebook.read_text())["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    tree = ast.parse("".join(tagged[0]["source"]) if tagged else "")
    return {node.targets[0].id: ast.literal_eval(node.value) for node in tree.body}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_a_notebook_opens_at_the_smoke_size_of_one_of_its_stages(path: Path):
    given = defaults(path)
    if not given:
        return
    assert given.pop("scale") == "smoke"
    assert given.pop("output_folder").startswith("results/scratch/")
    sections = [
        {**parts["all"], **parts["smoke"]} for parts in PARAMETERS[path.parent.name].values()
    ]
    assert given in sections


def modules_used(source: str) -> set[str]:
    """Return the modules of schedlab that a piece of code imports, as file paths."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *[f"{node.module}.{alias.name}" for alias in node.names]]
        for name in names:
            base = ROOT / "src" / name.replace(".", "/")
            for path in (base.with_suffix(".py"), base / "__init__.py"):
                if name.startswith("schedlab") and path.is_file():
                    found.add(str(path.relative_to(ROOT)))
    return found


@cache
def modules_used_by(path: str) -> set[str]:
    return modules_used((ROOT / path).read_text())


@cache
def reachable(path: str) -> frozenset[str]:
    """Return all modules of schedlab that a module needs, itself included."""
    todo, seen = {path}, set()
    while todo:
        current = todo.pop()
        seen.add(current)
        todo |= modules_used_by(current) - seen
    return frozenset(seen)


def code_of(notebook: Path) -> str:
    cells = json.loads(notebook.read_text())["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


PLUMBING = re.compile(  # reading and writing files, which changes no result
    r"src/schedlab/(__init__|lab/(__init__|files|lifeline|paths|parameters|threads)"
    r"|data/(__init__|catalog|guard))\.py"
)


def used_by(notebook: str) -> set[str]:
    code = code_of(ROOT / notebook)
    return {m for top in modules_used(code) for m in reachable(top)}


SYSTEM_STAGES = [name for name, stage in STAGES.items() if "foreach" in stage]


def notebook_of(item: str | dict[str, str]) -> str:
    """Return the notebook of a stage: its only item, or one beside what it comes after."""
    return item if isinstance(item, str) else item["notebook"]


@pytest.mark.parametrize("name", SYSTEM_STAGES)
def test_stages_depend_on_the_modules_their_notebooks_use_and_no_others(name: str):
    stage = STAGES[name]
    items = map(notebook_of, stage["foreach"].values())
    notebooks = {f"notebooks/{name}/{item}.ipynb" for item in items}
    listed = [dep for dep in stage["do"]["deps"] if dep.startswith("src/")]
    used = {module for notebook in notebooks for module in used_by(notebook)}
    for module in sorted(used):
        covered = any(module == dep or module.startswith(f"{dep}/") for dep in listed)
        assert covered or PLUMBING.fullmatch(module), f"{name} lacks {module}"
    for dep in listed:
        wanted = any(module == dep or module.startswith(f"{dep}/") for module in used)
        assert wanted or dep == "src/schedlab/lab/run.py", f"{name} does not use {dep}"


def test_the_report_waits_for_every_stage():
    wanted = {
        f"results/{name}/{key}{ending}"
        for name in SYSTEM_STAGES
        for key in STAGES[name]["foreach"]
        for ending in ("", ".json")
    }
    assert wanted == {dep for dep in STAGES["report"]["deps"] if dep.startswith("results/")}


def test_what_git_keeps_for_readers_stays_small():
    folder = ROOT / ".published"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size < 20e6


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("schedlab", ("numpy", "torch", "pandas")),
        ("schedlab.data", ("pandas", "torch", "tiktoken")),
        ("schedlab.serving.schedulers", ("pandas", "torch", "seaborn", "matplotlib")),
        ("schedlab.serving.experiment", ("torch", "seaborn", "matplotlib")),
        ("schedlab.lab.reproduce", ("torch", "seaborn", "matplotlib")),
    ],
)
def test_importing_stays_light(module: str, heavy: tuple[str, ...]):
    code = f"import sys, {module}; print(*[m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == [], done.stderr
