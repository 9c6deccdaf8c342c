"""Data that is damaged or from elsewhere, as the pipeline meets it."""

import gzip
import json
import os
from pathlib import Path

import pytest

from tests.pipeline.conftest import Copy

MIRROR = os.environ.get("SCHEDLAB_DATA_MIRROR")
needs_mirror = pytest.mark.skipif(not MIRROR, reason="SCHEDLAB_DATA_MIRROR names no folder")
TRACE = "traces/sharegpt4_8k_llama2.csv.gz"


def test_damaged_data_stops_the_pipeline_before_anything_runs(copy: Copy):
    with (copy.root / "data" / "serving" / "slai_fit.parquet").open("ab") as file:
        file.write(b"\0")
    done = copy.run("dvc", "repro")
    assert done.returncode != 0
    assert "data/serving/slai_fit.parquet: expected sha256" in done.stderr
    assert "python -m schedlab.data build --force" in done.stderr
    assert not list(copy.root.glob("results/serving/*/"))


def use_trace(values: dict) -> None:
    values["serving"]["load_fit"]["all"]["workload"] = "sharegpt4-8k-llama2"


@needs_mirror
def test_a_stage_runs_on_the_papers_own_trace(copy: Copy, tmp_path: Path):
    copy.environment["SCHEDLAB_DATA_CACHE"] = str(tmp_path / "cache")
    copy.edit(use_trace)
    for stage in ("data", "serving@load_fit"):
        done = copy.run("dvc", "repro", "-s", stage)
        assert done.returncode == 0, done.stderr
    claims = json.loads((copy.root / "results" / "serving" / "load_fit.json").read_text())["claims"]
    assert claims["serving/slai-median-ttft"]["published"] == -0.53


@needs_mirror
def test_an_altered_trace_is_refused_with_both_hashes(finished: Copy, tmp_path: Path):
    mirror = tmp_path / "mirror"
    (mirror / TRACE).parent.mkdir(parents=True)
    text = gzip.decompress((Path(MIRROR) / TRACE).read_bytes())
    (mirror / TRACE).write_bytes(gzip.compress(text.replace(b"1", b"2", 1)))
    finished.environment |= {
        "SCHEDLAB_DATA_MIRROR": str(mirror),
        "SCHEDLAB_DATA_CACHE": str(tmp_path / "cache"),
    }
    before = finished.outputs()
    finished.edit(use_trace)
    done = finished.run("dvc", "repro", "-s", "serving@load_fit")
    assert done.returncode != 0
    assert "sharegpt4-8k-llama2" in done.stderr
    assert "expected" in done.stderr
    assert finished.outputs() == before
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
