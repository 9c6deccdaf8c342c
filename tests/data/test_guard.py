import json
import re

import pytest

from schedlab.data import guard
from schedlab.data.__main__ import main
from schedlab.data.catalog import file_sha256
from schedlab.lab.paths import find_root


@pytest.fixture
def data(checkout):
    """A pinned ``data/`` of two files."""
    folder = checkout / "data"
    (folder / "serving").mkdir(parents=True)
    (folder / "SOURCES.json").write_text("[]")
    (folder / "serving/a.parquet").write_bytes(b"PAR1")
    lines = (f"{digest}  {name}\n" for name, digest in guard.found_hashes(folder).items())
    (checkout / "data.sha256").write_text("".join(lines))
    return folder


def verify():
    return main(["verify", "results/data"])


def test_sound_data_writes_the_hashes(data, checkout):
    assert verify() == 0
    hashes = json.loads((checkout / "results/data/serving.json").read_text())
    assert hashes == {"serving/a.parquet": file_sha256(data / "serving/a.parquet")}


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda data: (data / "serving/a.parquet").write_bytes(b"PAR2"), "data/serving/a.parquet"),
        (lambda data: (data / "serving/a.parquet").unlink(), r"a\.parquet.*found \(no such file\)"),
        (lambda data: (data / "serving/b").touch(), r"serving/b: expected sha256 \(no such file\)"),
        (lambda data: data.rename(data.with_name("gone")), "data/SOURCES.json"),
    ],
    ids=["altered", "missing", "extra", "no folder"],
)
def test_damage_is_named_and_nothing_written(data, checkout, capsys, damage, line):
    damage(data)
    assert verify() == 1
    message = capsys.readouterr().err
    assert re.search(line, message)
    assert "python -m schedlab.data build --force" in message
    assert not (checkout / "results").exists()


def test_damage_leaves_an_earlier_result(data, checkout):
    verify()
    before = (checkout / "results/data/serving.json").read_bytes()
    (data / "SOURCES.json").unlink()
    assert verify() == 1
    assert (checkout / "results/data/serving.json").read_bytes() == before


def test_every_damaged_file_has_a_line(data, capsys):
    (data / "SOURCES.json").unlink()
    (data / "serving/a.parquet").write_bytes(b"")
    verify()
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_missing_pin_file_is_one_line(checkout, capsys):
    assert verify() == 1
    message = capsys.readouterr().err
    assert "data.sha256" in message
    assert message.count("\n") == 1


def test_the_real_data_is_as_pinned():
    root = find_root()
    if not (root / "data").exists():
        pytest.skip("data/ is not built: python -m schedlab.data build")
    assert guard.damages(root) == []
