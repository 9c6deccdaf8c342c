import json
from pathlib import Path

import pytest

from schedlab.lab import audit


def advisory(*events: dict[str, str], package: str = "Some.Package", **more: object) -> dict:
    affected = {
        "package": {"name": package, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": list(events)}],
    }
    return {"id": "PYSEC-1", "modified": "2026-01-02", "affected": [affected], **more}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(audit, "find_root", lambda: tmp_path)
    (tmp_path / "constraints.txt").write_text("some-package==1.10\nother==2.0\n")
    (tmp_path / "advisories").mkdir()
    return tmp_path / "advisories"


def write(folder: Path, content: dict) -> None:
    (folder / f"{len(list(folder.iterdir()))}.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("events", "concerned"),
    [
        ([{"introduced": "0"}], True),
        ([{"introduced": "0"}, {"fixed": "1.11"}], True),
        ([{"introduced": "0"}, {"fixed": "1.10"}], False),
        ([{"introduced": "0"}, {"fixed": "1.9"}], False),  # 1.10 is later than 1.9
        ([{"introduced": "1.11"}], False),
        ([{"introduced": "0"}, {"last_affected": "1.10"}], True),
        ([{"introduced": "0"}, {"last_affected": "1.9"}], False),
        ([{"fixed": "1.2"}, {"introduced": "0"}, {"introduced": "1.5"}], True),
    ],
)
def test_ranges_are_those_of_osv(folder, capsys, events, concerned):
    write(folder, advisory(*events, aliases=["CVE-7"]))
    assert audit.main([str(folder)]) == int(concerned)
    assert ("some-package 1.10: PYSEC-1 CVE-7" in capsys.readouterr().out) == concerned


def test_yaml_and_listed_versions_count_too(folder, capsys):
    (folder / "a.yaml").write_text(
        'id: GHSA-1\nmodified: "2026-01-01"\naffected:\n'
        '- package: {name: other, ecosystem: PyPI}\n  versions: ["2.0"]\n'
    )
    assert audit.main([str(folder)]) == 1
    assert "other 2.0: GHSA-1\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        advisory({"introduced": "0"}, package="unpinned"),
        advisory({"introduced": "0"}, withdrawn="2026-02-01"),
    ],
)
def test_what_concerns_no_pin_is_left_out(folder, capsys, content):
    write(folder, content)
    assert audit.main([str(folder)]) == 0
    assert "2 pins, 0 advisories" in capsys.readouterr().out


def test_an_empty_folder_is_no_clean_bill(folder, capsys):
    assert audit.main([str(folder)]) == 1
    assert "no OSV files" in capsys.readouterr().err
