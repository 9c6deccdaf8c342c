"""The first notebook, run as a reader would, in a copy, before and after there are results."""

import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from schedlab.lab import scratch
from schedlab.lab.paths import find_root


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDLAB_JOBS", "1")
    return scratch.copy_checkout(find_root(), tmp_path / "a copy")


def run(root, cells=None):
    """Run the notebook, or its first code cells, where JupyterLab would; return texts and cells."""
    notebook = nbformat.read(root / "notebooks" / "00-start-here.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"][:cells]
    notebook.cells = code
    resources = {"metadata": {"path": str(root / "notebooks")}}
    NotebookClient(notebook, resources=resources, timeout=300).execute()
    return ["".join(map(shown, cell.outputs)) for cell in code], code


def shown(output):
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")


def pictures(cell):
    return [output for output in cell.outputs if "image/png" in output.get("data", {})]


def test_it_leads_from_a_claim_to_a_run_of_everything_with_ones_own_scheduler(checkout):
    texts, cells = run(checkout)
    claim, facts, source, changed, own, caught, again, new = texts
    assert "lowers the median" in claim
    assert "holds_if: 95 % interval within [-0.7, -0.35]" in facts
    assert "make reproduce" in source
    assert "latency_against_load" in source
    assert "3,000 blocks" in changed
    assert "keeps its contract" in own
    assert "does_not_look_ahead: plenty of memory: batch" in caught
    assert "error" not in again.lower()
    assert "Longest first" in new
    assert pictures(cells[-1])

    copy = checkout / ".schedlab" / "start-here"
    shutil.copytree(copy / "results/serving/load_fit", checkout / "results/serving/load_fit")
    texts, cells = run(checkout, 3)
    assert "make reproduce" not in texts[2]
    assert "latency_against_load" in texts[2]
    assert pictures(cells[2])
