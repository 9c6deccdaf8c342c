import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from schedlab.lab import parameters, run

PARAMETERS = 'amount = 1\nscale = "smoke"\noutput_folder = "results/scratch/toy"'
SAVE = """\
from schedlab.lab.outputs import save_metrics
save_metrics(output_folder, amount=amount)
"""


class Toy(parameters.Parameters):
    amount: int


def write_notebook(root: Path, *cells: str, head: str = PARAMETERS) -> Path:
    first = new_code_cell(head, metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[new_markdown_cell("# Toy"), first, *map(new_code_cell, cells)])
    someone_elses = {"name": "someone-elses", "display_name": "x", "language": "python"}
    notebook.metadata.kernelspec = someone_elses
    path = root / "notebooks" / "toy.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)
    return path.relative_to(root)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(parameters, "model", lambda system, stage: Toy)
    for name in ("PYTHONHASHSEED", "MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "TZ"):
        monkeypatch.setenv(name, "")  # so that what a run sets is undone afterwards
    (tmp_path / "params.yaml").write_text(
        "scale: smoke\nthreads: 2\ntoy:\n  one: {all: {amount: 7}}\n"
    )
    (tmp_path / "dvc.yaml").touch()
    return tmp_path


def results(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted((root / "results").rglob("*"))
        if path.is_file()
    }


def test_a_stage_leaves_notebook_and_metrics_and_the_same_bytes_again(root):
    notebook = write_notebook(
        root,
        "import os, sys\nprint(amount, scale, os.environ['OMP_NUM_THREADS'], {'b', 'a'})",
        "print('beside the notebook:', [name for name in os.listdir() if 'ipc' in name])",
        "print('note', file=sys.stderr)\nobject()",
        SAVE,
    )
    run.run("toy.one", notebook, root)
    first = results(root)
    assert set(first) == {
        "results/toy/one/notebook.ipynb",
        "results/toy/one.json",
    }
    assert json.loads(first["results/toy/one.json"]) == {"amount": 7, "claims": {}}
    text = first["results/toy/one/notebook.ipynb"].decode()
    assert "7 smoke 2" in text
    assert "beside the notebook: []" in text  # two stages at once would share such sockets
    assert str(root) not in text
    run.run("toy.one", notebook, root)
    assert results(root) == first


def test_a_failing_cell_is_shown_kept_and_leaves_earlier_results(root, capsys):
    run.run("toy.one", write_notebook(root, SAVE), root)
    before = results(root)
    broken = write_notebook(root, "print('fine')", "1 / 0", SAVE)
    with pytest.raises(run.NotebookFailed) as caught:
        run.run("toy.one", broken, root)
    message = str(caught.value)
    assert "1 / 0" in message
    assert "ZeroDivisionError: division by zero" in message
    assert "Traceback" not in message
    assert results(root) == before
    assert "fine" in (root / ".schedlab" / "failed" / "toy.one.ipynb").read_text()


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (PARAMETERS.replace("amount", "amounts"), "toy.ipynb: its parameters cell lacks amount"),
        (PARAMETERS + "\nextra = 1", r"params.yaml: toy.ipynb also needs extra"),
    ],
)
def test_names_must_agree_before_anything_runs(root, head, message):
    with pytest.raises(ValueError, match=message):
        run.run("toy.one", write_notebook(root, SAVE, head=head), root)
    assert not (root / "results").exists()


def test_a_notebook_without_metrics_is_refused(root):
    with pytest.raises(ValueError, match="wrote no metrics"):
        run.run("toy.one", write_notebook(root, "pass"), root)
    assert not (root / "results" / "toy").exists()


def test_a_missing_notebook_is_refused(root):
    with pytest.raises(FileNotFoundError, match="no such notebook"):
        run.run("toy.one", Path("notebooks/none.ipynb"), root)


def test_papermill_works_without_the_module_that_the_runner_leaves_out():
    code = (
        "import sys; sys.modules['rfc3987_syntax'] = None\n"
        "import papermill, nbformat\n"
        "nbformat.validate(nbformat.v4.new_notebook())"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
