"""What the README shows is run as it stands there."""

import re

import pytest

from schedlab.lab.paths import find_root


def examples(word: str) -> list[str]:
    """Return the README's blocks of Python that contain a word."""
    text = (find_root() / "README.md").read_text()
    return [b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if word in b]


def run(word: str) -> dict:
    """Run the one example with this word and return its variables."""
    (example,) = examples(word)
    scope: dict = {}
    exec(compile(example, "README.md", "exec"), scope)
    return scope


def test_the_example_of_an_engine_runs(capsys):
    run("build_requests")
    assert "paying" in capsys.readouterr().out


def test_the_example_of_an_environment_runs():
    assert run("RemoteEstimation")["reward"] <= 0


def test_the_example_of_a_ranker_runs(capsys):
    run("LinearRanker")
    short, long = map(float, capsys.readouterr().out.strip("[] \n").split())
    assert short > long


def test_the_example_of_step_sizes_runs(capsys):
    history = run("NoiseCurvatureLR")["scheduler"].history
    assert len(history) == 2 * 5
    assert "normalised_sharpness" in capsys.readouterr().out


def test_the_example_of_task_scheduling_runs(capsys):
    meta = run("metalearning")["meta"]
    assert sorted(meta.scores["step"].unique()) == [0, 20]
    assert "weight" in capsys.readouterr().out


def test_the_example_of_a_board_runs(capsys):
    scope = run("rp2040")
    assert 1 < float(capsys.readouterr().out.split()[0]) < 2
    assert scope["network"].dispatches


@pytest.mark.parametrize("word", ["LongestFirst", "DPMSolverMultistepScheduler", "scheduler_cls"])
def test_examples_that_need_more_than_the_package_parse(word):
    (example,) = examples(word)
    compile(example, "README.md", "exec")


def test_every_file_that_the_readme_names_is_there():
    root = find_root()
    text = (root / "README.md").read_text()
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", text)
    assert links
    assert [link for link in links if not (root / link).exists()] == []
