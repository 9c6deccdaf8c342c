from pathlib import Path

import pytest


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of catalogued files, and no mirror."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(folder))
    monkeypatch.delenv("SCHEDLAB_DATA_MIRROR", raising=False)
    return folder


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """An empty checkout that we stand in."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "params.yaml").touch()
    (root / "dvc.yaml").touch()
    monkeypatch.chdir(root)
    return root
