import gzip
import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from schedlab.data import catalog

CONTENT = b"num_prefill_tokens,num_decode_tokens\n" + b"12,34\n" * 500
PACKED = gzip.compress(CONTENT, mtime=0)


def sha(content):
    return hashlib.sha256(content).hexdigest()


def files_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def entry(monkeypatch):
    """A catalogue of one packed set with no public copy."""
    entry = catalog.Dataset(
        name="toy",
        about="a toy",
        file="traces/toy.csv.gz",
        sha256=sha(CONTENT),
        size=len(CONTENT),
        origin="a/b",
        licence="MIT",
        citation="nobody",
        packed_sha256=sha(PACKED),
        packed_size=len(PACKED),
        lengths=("num_prefill_tokens", "num_decode_tokens"),
    )
    monkeypatch.setattr(catalog, "datasets", lambda: {"toy": entry})
    return entry


@pytest.fixture
def mirror(tmp_path, cache, monkeypatch, entry):
    """The mirror's copy of the toy set, undamaged."""
    path = tmp_path / "mirror" / entry.file
    path.parent.mkdir(parents=True)
    path.write_bytes(PACKED)
    monkeypatch.setenv("SCHEDLAB_DATA_MIRROR", str(tmp_path / "mirror"))
    return path


@pytest.fixture
def server(entry, monkeypatch):
    """Serve whatever ``server.content`` is, as the toy set's public copy."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = self.server.content
            self.send_response(200 if content is not None else 404)
            for number in range(self.server.headers):
                self.send_header(f"X-{number}", "x" * 1000)
            self.end_headers()
            self.wfile.write(content or b"")
            self.server.asked += 1

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.asked, server.headers = CONTENT, 0, 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/toy.csv"
    monkeypatch.setattr(catalog, "datasets", lambda: {"toy": replace(entry, url=url)})
    yield server
    server.shutdown()
    server.server_close()


def test_the_mirror_serves_the_unpacked_file(mirror, cache):
    path = catalog.fetch("toy")
    assert path == cache / "traces/toy.csv"
    assert path.read_bytes() == CONTENT
    assert files_below(cache) == [path]


def test_a_cached_file_needs_no_mirror(mirror, cache, monkeypatch):
    catalog.fetch("toy")
    mirror.unlink()
    monkeypatch.delenv("SCHEDLAB_DATA_MIRROR")
    assert catalog.fetch("toy").read_bytes() == CONTENT


def test_a_damaged_cached_file_is_replaced(mirror):
    path = catalog.fetch("toy")
    path.write_bytes(CONTENT + b"1,1\n")
    assert catalog.fetch("toy").read_bytes() == CONTENT


def test_a_damaged_cached_file_without_source_is_refused(mirror, monkeypatch):
    path = catalog.fetch("toy")
    path.write_bytes(b"other")
    monkeypatch.delenv("SCHEDLAB_DATA_MIRROR")
    with pytest.raises(FileNotFoundError) as caught:
        catalog.fetch("toy")
    assert sha(b"other") in str(caught.value)


def test_a_differently_packed_copy_is_the_same_data(mirror):
    mirror.write_bytes(gzip.compress(CONTENT, compresslevel=9, mtime=0))
    assert catalog.fetch("toy").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "damage",
    [
        PACKED[:-40],
        PACKED[:5],
        b"",
        PACKED[:60] + bytes([PACKED[60] ^ 1]) + PACKED[61:],
        gzip.compress(CONTENT.replace(b"34", b"35", 1), mtime=0),
        gzip.compress(CONTENT + b"1,1\n", mtime=0),
        b"<html>not found</html>",
        b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 20_000_000 + b"\0",
        b"\x1f\x8b\x08\x08" + PACKED[4:10] + b"../../../evil.csv\0" + PACKED[10:],
    ],
    ids=[
        "truncated",
        "stump",
        "empty",
        "bit flip",
        "altered",
        "longer",
        "not gzip",
        "huge header",
        "a path for a name",
    ],
)
def test_a_damaged_mirror_file_is_refused_with_both_hashes(mirror, cache, damage):
    mirror.write_bytes(damage)
    with pytest.raises(ValueError, match="toy: refused") as caught:
        catalog.fetch("toy")
    message = str(caught.value)
    assert sha(PACKED) in message
    assert sha(damage) in message
    assert "python -m schedlab.data fetch toy" in message
    assert "\n" not in message
    assert files_below(mirror.parents[2]) == [mirror]


def test_a_bomb_is_not_unpacked(entry):
    bomb = gzip.compress(bytes(50_000_000))
    assert len(catalog._unpacked(bomb, entry.size)) == entry.size + 1


def test_a_mirror_without_the_file_is_refused(mirror, cache):
    mirror.unlink()
    with pytest.raises(FileNotFoundError, match="the mirror has no") as caught:
        catalog.fetch("toy")
    assert str(mirror) in str(caught.value)
    assert sha(PACKED) in str(caught.value)
    assert files_below(cache) == []


def test_a_derived_set_without_mirror_names_the_variable(entry, cache):
    with pytest.raises(FileNotFoundError, match="SCHEDLAB_DATA_MIRROR=FOLDER") as caught:
        catalog.fetch("toy")
    assert entry.sha256 in str(caught.value)


def test_the_public_copy_is_verified_and_got_once(server, cache):
    for _ in range(2):
        assert catalog.fetch("toy").read_bytes() == CONTENT
    assert server.asked == 1


@pytest.mark.parametrize("content", [CONTENT[:-6], CONTENT[:-1] + b"x"])
def test_a_damaged_public_copy_is_refused(server, cache, content):
    server.content = content
    with pytest.raises(ValueError, match=sha(content)):
        catalog.fetch("toy")
    assert files_below(cache) == []


@pytest.mark.parametrize("content", [None, CONTENT * 1000], ids=["not found", "endless"])
def test_an_unusable_public_copy_is_refused(server, cache, content):
    server.content = content
    with pytest.raises(FileNotFoundError, match="SCHEDLAB_DATA_MIRROR=FOLDER"):
        catalog.fetch("toy")
    assert files_below(cache) == []


def test_a_huge_header_is_refused(server, cache):
    server.headers = 5000
    with pytest.raises(FileNotFoundError, match="could not be read"):
        catalog.fetch("toy")
    assert files_below(cache) == []


def test_no_network_is_a_clear_error(entry, cache, monkeypatch):
    closed = replace(entry, url="http://127.0.0.1:9/toy.csv")
    monkeypatch.setattr(catalog, "datasets", lambda: {"toy": closed})
    with pytest.raises(FileNotFoundError, match=r"ConnectionError.*SCHEDLAB_DATA_MIRROR"):
        catalog.fetch("toy")


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"'nothing'.*azure2023-conv"):
        catalog.fetch("nothing")


def test_names_are_given_once():
    groups = yaml.safe_load(Path(catalog.__file__).with_name("catalog.yaml").read_text())
    assert sum(len(group["sets"]) for group in groups) == len(catalog.datasets())


@pytest.mark.parametrize("entry", catalog.datasets().values(), ids=lambda entry: entry.name)
def test_every_entry_is_complete(entry):
    assert all([entry.origin, entry.licence, entry.citation, entry.about])
    assert entry.url or entry.changes  # a public copy, or how it was derived
    assert (entry.packed_sha256 is not None) == entry.file.endswith(".gz")
    assert entry.url is None or (entry.commit in entry.url and entry.url.startswith("https://"))
    assert ".." not in entry.file
    assert len(entry.sha256) == 64


@pytest.mark.parametrize("name", catalog.datasets())
def test_the_mirror_holds_what_the_catalogue_says(name, real_mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(tmp_path))
    entry = catalog.dataset(name)
    if not (real_mirror / entry.file).is_file():
        pytest.skip(f"the mirror has no {entry.file}")
    assert catalog.fetch(name).stat().st_size == entry.size
    if entry.packed_sha256:
        assert catalog.file_sha256(real_mirror / entry.file) == entry.packed_sha256
        assert (real_mirror / entry.file).stat().st_size == entry.packed_size
