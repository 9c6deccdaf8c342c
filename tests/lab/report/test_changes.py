"""What changed between two revisions, on a small repository with two commits."""

import json
import subprocess
import sys

import pytest
import yaml

from schedlab.lab.report.__main__ import main
from schedlab.lab.report.changes import Change, compare, write_changes
from schedlab.lab.report.findings import Finding

HOSTILE = "</p><script>alert('x')</script>"
METRICS = "results/serving/load.json"


def claim(name, estimate, half=0.1, verdict="reproduced", **changes):
    low, high = (None, None) if estimate is None else (estimate - half, estimate + half)
    base = {
        "id": f"serving/{name}",
        "system": "serving",
        "sentence": f"What {name} says",
        "source": "section 1",
        "published": None,
        "unit": "s",
        "holds_if": "95 % interval above 0 s",
        "holds_from": 0,
        "holds_to": None,
        "estimate": estimate,
        "low": low,
        "high": high,
        "seeds": 3,
        "scale": "laptop",
        "verdict": verdict,
        "reason": "so it is",
        "position": 0,
    }
    return base | changes


def run(*command, cwd):
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


def commit(root, message, claims, parameters, **numbers):
    path = root / METRICS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"claims": {c["id"]: c for c in claims}, **numbers}))
    (root / "params.yaml").write_text(yaml.safe_dump(parameters))
    run("git", "add", "-A", cwd=root)
    run("git", "commit", "-qm", message, cwd=root)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("with space") / "checkout"
    root.mkdir()
    run("git", "init", "-q", "-b", "main", cwd=root)
    for key, value in (("user.name", "A"), ("user.email", "a@example.org")):
        run("git", "config", key, value, cwd=root)
    run(sys.executable, "-m", "dvc", "init", "-q", cwd=root)
    stage = {"cmd": "true", "params": ["seeds", "gone"], "metrics": [{METRICS: {"cache": False}}]}
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"load": stage}}))
    commit(
        root,
        "Measure once",
        [
            claim("steady", 0.5),
            claim("near", 0.5),
            claim("far", 0.5),
            claim("turned", 0.5),
            claim("unmeasured", None),
            claim("dropped", 0.5, sentence=HOSTILE),
        ],
        {"seeds": [0, 1, 2], "gone": 1},
        capacity={"slai": 4.5, "vllm": 3.0},
    )
    run("git", "tag", "first", cwd=root)
    commit(
        root,
        "Measure again",
        [
            claim("steady", 0.5),
            claim("near", 0.52),
            claim("far", 0.9, half=0.2),
            claim("turned", -0.5, verdict="not reproduced"),
            claim("unmeasured", 0.7),
            claim("added", 0.3),
        ],
        {"seeds": [0, 1, 2, 3]},
        capacity={"slai": 4.75, "vllm": 3.0},
    )
    return root


def names(changes, kind):
    return [change.claim.id.removeprefix("serving/") for change in changes.of_kind(kind)]


def test_claims_are_sorted_by_what_happened_to_them_and_how_far_they_moved(repository):
    found = compare(repository, "first", "HEAD")
    assert names(found, "verdict") == ["turned"]
    assert names(found, "estimate") == ["far", "near", "unmeasured"]
    assert names(found, "new") == ["added"]
    assert names(found, "removed") == ["dropped"]
    assert names(found, "") == ["steady"]
    far, near, unmeasured = found.of_kind("estimate")
    assert far.shift == pytest.approx(0.4)
    assert far.relative_shift == pytest.approx(4.0)
    assert near.relative_shift == pytest.approx(0.2)
    assert unmeasured.shift is None


def test_parameters_and_numbers_that_changed_are_listed_with_both_values(repository):
    found = compare(repository, "first", "HEAD")
    assert found.parameters == {
        "params.yaml: gone": (1, None),
        "params.yaml: seeds": ("[0, 1, 2]", "[0, 1, 2, 3]"),
    }
    assert found.numbers == {f"{METRICS}: capacity.slai": (4.5, 4.75)}


def test_page_says_what_changed_and_shows_no_markup_of_a_claim(repository):
    path = write_changes(repository, "first", "HEAD")
    text = path.read_text()
    assert path == repository / "changes.html"
    assert "Measure once" in text
    assert "Measure again" in text
    rows = [f'id="serving/{name}"' for name in ("turned", "far", "near", "added", "dropped")]
    assert sorted(rows, key=text.index) == rows
    assert "What steady says" not in text
    assert "+4 times half the earlier interval" in text
    assert "<script>" not in text
    assert "&lt;script&gt;alert" in text
    assert "reports/" not in text  # there is no report here that a link could lead to


def test_links_lead_to_the_claims_that_the_report_has(repository):
    (repository / "reports").mkdir()
    (repository / "reports" / "ledger.json").write_text(json.dumps([{"id": "serving/far"}]))
    text = write_changes(repository, "first", "HEAD").read_text()
    assert 'href="reports/index.html#serving/far"' in text
    assert 'href="reports/index.html#serving/near"' not in text


def test_without_a_second_revision_the_files_here_are_compared(repository):
    path = repository / METRICS
    before = path.read_text()
    assert "<b>0</b> estimates moved" in write_changes(repository).read_text()
    path.write_text(before.replace('"estimate": 0.9', '"estimate": 0.8'))
    text = write_changes(repository).read_text()
    path.write_text(before)
    assert "<b>1</b> estimates moved" in text
    assert "to <b>the working tree</b>" in text


def test_an_unknown_revision_is_refused_on_one_line(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    assert main(["changes", "nowhere"]) == 1
    assert capsys.readouterr().err == "error: unknown Git revision 'nowhere'\n"


def test_metrics_of_another_form_are_refused_with_the_claim(repository):
    path = repository / METRICS
    before = path.read_text()
    path.write_text(before.replace('"verdict": "not reproduced"', '"verdict": "perhaps"'))
    with pytest.raises(ValueError, match="claim serving/turned: verdict: "):
        compare(repository, "HEAD", None)
    path.write_text(before)


def test_an_interval_without_width_gives_no_relative_shift():
    before, after = (Finding.model_validate(claim("x", e, half=0.0)) for e in (0.5, 0.6))
    change = Change(before, after)
    assert change.shift == pytest.approx(0.1)
    assert change.relative_shift is None
