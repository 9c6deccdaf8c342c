"""What the README shows is run as it stands there."""

import re

from schedlab.lab.paths import find_root


def test_the_example_for_ones_own_code_runs(capsys):
    text = (find_root() / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (example,) = [block for block in blocks if "build_requests" in block]
    exec(compile(example, "README.md", "exec"), {})
    assert "paying" in capsys.readouterr().out


def test_the_example_of_an_environment_runs():
    blocks = re.findall(r"```python\n(.*?)```", (find_root() / "README.md").read_text(), re.DOTALL)
    (example,) = [block for block in blocks if "RemoteEstimation" in block]
    scope: dict = {}
    exec(compile(example, "README.md", "exec"), scope)
    assert scope["reward"] <= 0


def test_every_file_that_the_readme_names_is_there():
    root = find_root()
    text = (root / "README.md").read_text()
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", text)
    assert links
    assert [link for link in links if not (root / link).exists()] == []


def test_the_example_of_a_ranker_runs(capsys):
    text = (find_root() / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (example,) = [block for block in blocks if "LinearRanker" in block]
    exec(compile(example, "README.md", "exec"), {})
    short, long = map(float, capsys.readouterr().out.strip("[] \n").split())
    assert short > long
