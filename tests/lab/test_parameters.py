from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from schedlab.lab import parameters


class Toy(parameters.Parameters):
    rate: Annotated[float, Field(gt=0)]
    loads: Annotated[list[float], Field(min_length=1)]
    seeds: parameters.Seeds = Field(default=[0])


GOOD = """\
scale: smoke
threads: 1
toy:
  one:
    all: {rate: 2.0}
    smoke: {loads: [1.0]}
    laptop: {loads: [1.0, 2.0]}
    paper: {loads: [1.0, 2.0, 3.0]}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(parameters, "model", lambda system, stage: Toy)
    (tmp_path / "params.yaml").write_text(GOOD)
    return tmp_path


def rewrite(root: Path, old: str, new: str) -> None:
    text = (root / "params.yaml").read_text()
    assert old in text
    (root / "params.yaml").write_text(text.replace(old, new))


def test_a_section_is_its_shared_part_and_that_of_the_scale(root):
    assert parameters.section("toy.one", root).values == {"rate": 2.0, "loads": [1.0]}
    rewrite(root, "scale: smoke", "scale: paper")
    assert parameters.section("toy.one", root).values["loads"] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rate: 2.0", "rate: -2.0", r"toy\.one\.all\.rate: .*greater than 0 \(got -2\.0\)"),
        ("rate: 2.0", "rate: fast", r"toy\.one\.all\.rate: .*number"),
        ("rate: 2.0", "rate: .nan", r"toy\.one\.all\.rate: .*finite"),
        ("rate: 2.0", "rat: 2.0", r"toy\.one\.rate: missing|toy\.one\.all\.rat: unknown"),
        ("rate: 2.0", "rate: 2.0, x: 1", r"toy\.one\.all\.x: unknown.*loads, rate, seeds"),
        ("smoke: {loads: [1.0]}", "smoke: {loads: []}", r"toy\.one\.smoke\.loads: .*at least 1"),
        ("smoke: {loads: [1.0]}", "smoke: 3", r"toy\.one\.smoke: expected a mapping"),
        ("laptop:", "labtop:", r"toy\.one\.labtop: unknown key.*smoke, laptop, paper"),
        ("scale: smoke", "scale: huge", r"scale: 'huge' is not one of smoke, laptop, paper"),
        ("threads: 1", "threads: 0", r"threads: .*at least 1, got 0"),
        ("threads: 1", "threads: [", r"unreadable YAML, line \d+, column \d+"),
        ("toy:", "other:", r"no section toy\.one"),
    ],
)
def test_bad_values_are_refused_in_one_line_that_names_file_and_key(root, old, new, message):
    rewrite(root, old, new)
    with pytest.raises(ValueError, match=message) as caught:
        parameters.section("toy.one", root)
    assert str(caught.value).startswith("params.yaml")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_refused(root):
    (root / "params.yaml").write_bytes(b"scale: \xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8"):
        parameters.read(root)


def test_a_missing_file_is_named_with_its_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"git checkout params\.yaml"):
        parameters.read(tmp_path)


def test_a_system_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="astrology: no such system"):
        parameters.model("astrology", "one")


def test_every_scale_of_the_committed_file_is_valid(tmp_path):
    from schedlab.lab.paths import find_root

    text = (find_root() / "params.yaml").read_text()
    for scale in parameters.SCALES:
        (tmp_path / "params.yaml").write_text(text.replace("scale: laptop", f"scale: {scale}"))
        parameters.check_all(tmp_path)
