"""The README's example, done as a reader would do it."""

import json
import re

import pandas as pd
import yaml

from schedlab.lab.paths import find_root
from tests.pipeline.conftest import Copy


def from_readme(language: str, words: str) -> str:
    """Return the README's code block of a language that contains some words."""
    text = (find_root() / "README.md").read_text()
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    (block,) = [block for block in blocks if words in block]
    return block


def test_a_scheduler_in_a_file_of_its_own_gets_a_curve_and_a_row_and_runs_again_when_edited(
    finished: Copy,
):
    code = from_readme("python", "def schedule(self, state, now)")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    (finished.root / "extensions" / "serving" / "mine.py").write_text(code)
    entry = from_readme("yaml", "extensions.serving.mine").strip().removeprefix("- ")
    finished.edit(
        lambda values: values["serving"]["load_fit"]["all"]["schedulers"].append(
            yaml.safe_load(entry)
        )
    )
    done = finished.run("dvc", "repro", "-s", "serving@load_fit")
    assert done.returncode == 0, done.stderr
    label = yaml.safe_load(entry)["label"]
    results = finished.root / "results" / "serving"
    curve = pd.read_parquet(results / "load_fit" / "latency.parquet").query("scheduler == @label")
    assert set(curve["rate"]) == {2.0, 4.0}
    assert (curve["ttft_p50_s"] > 0).all()
    claims = json.loads((results / "load_fit.json").read_text())["claims"]
    assert [c for c in claims.values() if c["sentence"].startswith(label)]
    again = ("dvc", "repro", "-s", "--dry", "serving@load_fit")
    assert "didn't change" in finished.run(*again).stdout
    (finished.root / "extensions" / "serving" / "mine.py").write_text(f"{code}# another thought\n")
    assert "Running stage" in finished.run(*again).stdout
