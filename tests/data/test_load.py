import pandas as pd
import pytest

from schedlab.data import build, catalog, guard, load, slai_fit


@pytest.fixture
def built(checkout):
    """A checkout with the fitted set built and pinned."""
    path = checkout / "data" / load.BUILT["slai-fit"]
    path.parent.mkdir(parents=True)
    build._write_plain_parquet(path, slai_fit.request_table())
    digest = catalog.file_sha256(path)
    (checkout / "data.sha256").write_text(f"{digest}  {load.BUILT['slai-fit']}\n")
    return path


def test_a_built_set_is_read(built):
    table = load.lengths("slai-fit")
    assert list(table) == load.COLUMNS
    assert (table.dtypes == "int64").all()
    assert len(table) == 16384


def test_an_altered_built_set_is_refused(built):
    built.write_bytes(built.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=guard.REBUILD) as caught:
        load.lengths("slai-fit")
    assert catalog.file_sha256(built) in str(caught.value)


def test_a_missing_built_set_names_the_remedy(built):
    built.unlink()
    with pytest.raises(FileNotFoundError, match=guard.REBUILD):
        load.lengths("slai-fit")


def test_a_set_without_pin_is_refused(built, checkout):
    (checkout / "data.sha256").write_text("")
    with pytest.raises(ValueError, match=r"expected sha256 \(no such file\)"):
        load.lengths("slai-fit")


@pytest.mark.parametrize("name", ["azure", "fsmol-ecfp1024"])
def test_an_unknown_name_lists_the_known(name):
    with pytest.raises(ValueError, match=rf"{name}.*sharegpt-turns, slai-fit, arxiv") as caught:
        load.lengths(name)
    assert "\n" not in str(caught.value)


FIRST_ROWS = {
    "sharegpt4-8k-llama2": (30731, 74, 918),
    "arxiv-summarization-llama2": (28257, 3772, 54),
    "azure2023-conv": (19366, 374, 44),
    "azure2023-code": (8819, 4808, 10),
    "azure-llm-2023-conv": (19366, 374, 44),
    "mooncake-conversation": (12031, 6758, 500),
    "mooncake-conversation-lengths": (12031, 6758, 500),
}


@pytest.mark.parametrize("name", FIRST_ROWS)
def test_catalogued_sets_are_read(name, real_mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(tmp_path))
    table = load.lengths(name)
    assert list(table) == load.COLUMNS
    assert (len(table), *table.iloc[0]) == FIRST_ROWS[name]
    assert (table >= 0).all(axis=None)


def test_two_renderings_of_one_trace_agree(real_mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(tmp_path))
    raw, processed = load.lengths("azure-llm-2023-code"), load.lengths("azure2023-code")
    pd.testing.assert_frame_equal(raw, processed)
