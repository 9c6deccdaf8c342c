import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from schedlab.data import build, guard
from schedlab.lab.paths import find_root


def fill(folder: Path) -> None:
    (folder / "serving").mkdir()
    (folder / "serving/a.parquet").write_bytes(b"PAR1")
    (folder / "SOURCES.json").write_text("[]")


@pytest.fixture
def pinned(checkout, monkeypatch):
    """A checkout whose ``data/`` takes no time to build, pinned but not there."""
    monkeypatch.setattr(build, "fill", fill)
    build.pin(checkout)
    (checkout / "data").rename(checkout.parent / "moved away")
    return checkout


def test_a_missing_folder_is_built(pinned):
    assert "built and verified (2 files)" in build.build(pinned)
    assert guard.damages(pinned) == []
    assert list((pinned / ".schedlab").glob("data-*")) == []


def test_a_verified_folder_is_left_alone(pinned, monkeypatch):
    build.build(pinned)
    monkeypatch.setattr(build, "fill", lambda folder: pytest.fail("built again"))
    assert "complete and verified" in build.build(pinned)


def test_a_missing_file_is_built_again(pinned):
    build.build(pinned)
    (pinned / "data/SOURCES.json").unlink()
    build.build(pinned)
    assert guard.damages(pinned) == []


@pytest.mark.parametrize("name", ["SOURCES.json", "my-own-notes.txt"])
def test_altered_and_foreign_files_are_kept_unless_forced(pinned, name):
    build.build(pinned)
    (pinned / "data" / name).write_text("mine")
    with pytest.raises(ValueError, match="build --force"):
        build.build(pinned)
    assert (pinned / "data" / name).read_text() == "mine"
    build.build(pinned, force=True)
    assert guard.damages(pinned) == []


def test_other_bytes_than_pinned_are_not_put_in_place(pinned, monkeypatch):
    def fill_otherwise(folder):
        fill(folder)
        (folder / "SOURCES.json").write_text("other")

    build.build(pinned)
    monkeypatch.setattr(build, "fill", fill_otherwise)
    with pytest.raises(ValueError, match=r"SOURCES.json: built sha256 .*constraints.txt"):
        build.build(pinned, force=True)
    assert guard.damages(pinned) == []
    assert list((pinned / ".schedlab").glob("data-*")) == []


def test_a_failing_build_leaves_nothing(pinned, monkeypatch):
    def fail(folder):
        (folder / "half").touch()
        raise OSError("disk full")

    monkeypatch.setattr(build, "fill", fail)
    with pytest.raises(OSError, match="disk full"):
        build.build(pinned)
    assert not (pinned / "data").exists()
    assert list((pinned / ".schedlab").glob("data-*")) == []


def test_the_pointer_is_what_dvc_would_write(tmp_path):
    """The hash of this folder was made by ``dvc add`` 3.67."""
    fill(tmp_path)
    pointer = yaml.safe_load(build.dvc_pointer(tmp_path))
    assert pointer == {
        "outs": [
            {
                "md5": "f9eec1567ac66dcd17728d9bc1c1753b.dir",
                "size": 6,
                "nfiles": 2,
                "hash": "md5",
                "cache": False,
                "path": "data",
            }
        ]
    }


def test_the_committed_pointer_pins_the_real_data():
    root = find_root()
    if guard.damages(root):
        pytest.skip("data/ is not built: python -m schedlab.data build")
    assert (root / "data.dvc").read_text() == build.dvc_pointer(root / "data")


def test_a_verified_build_imports_nothing_heavy():
    code = (
        "import sys; from schedlab.data.__main__ import main; status = main(['list']);"
        "heavy = {'torch', 'pandas', 'numpy', 'tiktoken', 'pyarrow'} & set(sys.modules);"
        "sys.exit(f'{heavy}' if heavy else status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sharegpt4-8k-llama2" in done.stdout
