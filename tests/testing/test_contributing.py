"""What CONTRIBUTING tells to do is done, in a scratch copy, and what comes of it is run."""

import json
import re
import subprocess
import sys

import nbformat
import pytest
import yaml

from schedlab.lab import scratch
from schedlab.lab.paths import find_root

BLOCK = re.compile(r"```(?:python|yaml)\n# (\S+\.(?:py|yaml|ipynb))(,[^\n]*)?\n(.*?)```", re.DOTALL)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def section(page, heading):
    """Return the part of a page from a heading to the next one of its level."""
    text = (find_root() / page).read_text()
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[1]


@pytest.fixture
def checkout(tmp_path):
    root = scratch.copy_checkout(find_root(), tmp_path / "a copy")
    scratch.set_scale(root, "smoke")
    return root


def follow(text, root):
    """Write, append or merge each block of a text into its file below a root."""
    blocks = BLOCK.findall(text)
    assert blocks
    for name, where, block in blocks:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".yaml":
            merged = merge(yaml.safe_load(path.read_text()), yaml.safe_load(block))
            path.write_text(yaml.safe_dump(merged, sort_keys=False))
        elif path.suffix == ".ipynb":
            add_cell(path, block, tags=["parameters"] * where.endswith("tagged parameters"))
        elif "at the end" in where:
            path.write_text(f"{path.read_text()}\n\n{block}")
        else:
            assert not path.exists()
            path.write_text(block)


def merge(old, new):
    if isinstance(old, dict):
        return {**old, **{k: merge(old[k], v) if k in old else v for k, v in new.items()}}
    return [*old, *new]


def add_cell(path, source, tags):
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": KERNEL})
    notebook.cells.append(nbformat.v4.new_markdown_cell("# A story"))
    if path.exists():
        notebook = nbformat.read(path, as_version=4)
    cell = nbformat.v4.new_code_cell(source.strip(), metadata={"tags": tags} if tags else {})
    notebook.cells.append(cell)
    nbformat.write(notebook, path)


def python(root, *command):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env={**scratch.environment(root), "SCHEDLAB_JOBS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def keeps_the_house_in_order(root):
    """Run the tests of the house that look at stages and notebooks, and the linter."""
    rules = "stages_depend or report_waits or a_notebook_opens or stored_clean"
    python(root, "-m", "pytest", "-n", "0", "tests/test_house.py", "-k", rules)
    python(root, "-m", "ruff", "check", "src", "notebooks")
    python(root, "-m", "ruff", "format", "--check", "src")


def test_a_scheduler(checkout):
    text = section("CONTRIBUTING.md", "A scheduler")
    follow(text, checkout)
    (command,) = re.findall(r"```sh\npython (.*)\n```", text)
    assert "keeps its contract" in python(checkout, *command.split())
    registry = checkout / "src/schedlab/serving/schedulers/__init__.py"
    line = '    "mlfq": MLFQ,\n'
    added = '    "longest_first": LongestFirst,\n'
    imported = "from schedlab.serving.schedulers.longest_first import LongestFirst\n"
    written = registry.read_text().replace(line, added + line)
    at = written.index("from schedlab.serving.schedulers.mlfq")
    registry.write_text(written[:at] + imported + written[at:])
    assert "keeps" in python(checkout, "-m", "schedlab.testing", "serving", "longest_first")


def test_a_claim(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", section("CONTRIBUTING.md", "A claim"), re.DOTALL)
    scope = {}
    exec(compile(block, "CONTRIBUTING.md", "exec"), scope)
    printed = capsys.readouterr().out
    assert "-0.53" in printed
    assert "1 reproduced" in printed
    assert scope["claim"].holds_if.startswith("95 % interval within")


def test_a_notebook(checkout):
    follow(section("CONTRIBUTING.md", "A notebook"), checkout)
    name = "notebooks/microcontrollers/06-how-evenly-work-is-shared.ipynb"
    python(checkout, "-m", "schedlab.lab.run", "microcontrollers.balance", name)
    results = checkout / "results" / "microcontrollers"
    assert 1 <= json.loads((results / "balance.json").read_text())["mean"]["lpt"] < 1.2
    assert (results / "balance" / "balance.svg").is_file()


def test_a_system(checkout):
    follow((find_root() / "docs" / "a-new-system.md").read_text(), checkout)
    names = checkout / "src/schedlab/lab/claims.py"
    last = '    "estimation",\n'
    names.write_text(names.read_text().replace(f"{last})", f'{last}    "caching",\n)'))
    (checkout / "extensions" / "caching").mkdir()
    (checkout / "extensions" / "caching" / "README.md").write_text("# Rules of one's own\n")
    keeps_the_house_in_order(checkout)
    python(checkout, "-m", "pytest", "-n", "0", "tests/caching")
    python(checkout, "-m", "dvc", "repro", "-s", "caching@hits")
    found = json.loads((checkout / "results/caching/hits.json").read_text())["claims"]
    assert found["caching/lru-misses-less"]["verdict"] == "reproduced"
