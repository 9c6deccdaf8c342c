"""The larger public data sets: origin, licence, hash, and a verified local copy of each.

The entries are data and live in ``catalog.yaml``. What is verified is always the *unpacked* file:
the public origin may serve it plain and a mirror gzipped, and both must yield the same bytes.
"""

import hashlib
import io
import os
import zlib
from dataclasses import dataclass, fields
from functools import cache, partial
from pathlib import Path
from typing import Any

MIRROR = "SCHEDLAB_DATA_MIRROR"
CACHE = "SCHEDLAB_DATA_CACHE"
TIMEOUT = (5, 20)  # seconds to connect, and between two chunks


@dataclass(frozen=True)
class Dataset:
    """One file of the catalogue.

    Attributes
    ----------
    name
        How ``params.yaml`` and the command line call it.
    about, origin, commit, licence, citation, changes
        What it is, where it comes from, what it demands of its users, and what was changed.
    file
        Place below a mirror folder; a ``.gz`` is unpacked on fetch.
    sha256, size
        Of the unpacked bytes.
    packed_sha256, packed_size
        Of the ``.gz``, where ``file`` is one.
    url
        Public copy, or None for derived sets, which only a mirror holds.
    lengths
        Columns with prompt and output tokens, for sets of request lengths.
    """

    name: str
    about: str
    file: str
    sha256: str
    size: int
    origin: str
    licence: str
    citation: str
    commit: str | None = None
    changes: str | None = None
    packed_sha256: str | None = None
    packed_size: int | None = None
    url: str | None = None
    lengths: tuple[str, str] | None = None

    @property
    def local(self) -> str:
        """Place of the unpacked file below the cache folder."""
        return self.file.removesuffix(".gz")


def _entry(name: str, group: dict[str, Any], own: dict[str, Any]) -> Dataset:
    values = {**group, **own, "name": name}
    if "public" in own:
        values["url"] = group["base"] + own["public"]
    if "lengths" in own:
        values["lengths"] = tuple(own["lengths"])
    known = {field.name for field in fields(Dataset)}
    return Dataset(**{key: value for key, value in values.items() if key in known})


@cache
def datasets() -> dict[str, Dataset]:
    """Return the whole catalogue, by name."""
    import yaml

    text = Path(__file__).with_name("catalog.yaml").read_text(encoding="utf-8")
    return {
        name: _entry(name, group, own)
        for group in yaml.safe_load(text)
        for name, own in group["sets"].items()
    }


def dataset(name: str) -> Dataset:
    """Return one entry.

    Raises
    ------
    ValueError
        If the catalogue has no such name; the message lists those it has.
    """
    try:
        return datasets()[name]
    except KeyError:
        allowed = ", ".join(sorted(datasets()))
        raise ValueError(f"no data set {name!r} in the catalogue; it has {allowed}") from None


def cache_folder() -> Path:
    """Return where fetched files are kept: ``SCHEDLAB_DATA_CACHE`` or the user's cache folder."""
    if os.environ.get(CACHE):
        return Path(os.environ[CACHE])
    import pooch

    return Path(pooch.os_cache("schedlab"))


def mirror_file(entry: Dataset) -> Path | None:
    """Return where the mirror should hold the file, or None when no mirror is set."""
    folder = os.environ.get(MIRROR)
    return Path(folder) / entry.file if folder else None


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(name: str) -> Path:
    """Return a verified local copy of a catalogued set, getting it first where needed.

    A good copy in the cache is used as it is. Otherwise the file comes from the mirror folder
    named by ``SCHEDLAB_DATA_MIRROR``, or, when that is not set, from its public URL. The cache
    only ever receives whole, verified files.

    Raises
    ------
    ValueError
        If the name is unknown, or the bytes found are not those the catalogue pins.
    FileNotFoundError
        If the file is neither cached nor to be had.
    """
    import pooch

    entry = dataset(name)
    pooch.get_logger().setLevel("WARNING")  # its notes would carry paths into notebooks
    store = pooch.create(
        path=cache_folder(),
        base_url="",
        registry={entry.local: f"sha256:{entry.sha256}"},
        urls={entry.local: entry.url or entry.file},
    )
    return Path(store.fetch(entry.local, downloader=partial(_obtain, entry)))


def _obtain(entry: Dataset, _url: str, output: str, _store: Any) -> None:
    """Write the verified, unpacked bytes of ``entry`` to ``output``; a pooch downloader."""
    mirror = mirror_file(entry)
    raw = _from_mirror(entry, mirror) if mirror else _from_public(entry)
    source = str(mirror or entry.url)
    content = _unpacked(raw, entry.size) if source.endswith(".gz") else raw
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        _refuse(entry, source, file_sha256(mirror) if mirror else hashlib.sha256(raw).hexdigest())
    Path(output).write_bytes(content)


def _from_mirror(entry: Dataset, path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(
            f"{_absence(entry)}; the mirror has no {path}: put the file with sha256 "
            f"{_expected(entry, path.name)} there, or unset {MIRROR} and run: {_command(entry)}"
        )
    with path.open("rb") as file:
        return file.read(_limit(entry, path.name))


def _from_public(entry: Dataset) -> bytes:
    if entry.url is None:
        raise FileNotFoundError(
            f"{_absence(entry)}; derived from {entry.origin}, it has no public copy: "
            f"get it with {MIRROR}=FOLDER {_command(entry)}"
        )
    import pooch

    received = _Bounded(_limit(entry, entry.url))
    try:
        pooch.HTTPDownloader(timeout=TIMEOUT)(entry.url, received, None)
    except OSError as error:
        raise FileNotFoundError(
            f"{_absence(entry)}; {entry.url} could not be read ({type(error).__name__}): "
            f"with a network run {_command(entry)}, "
            f"without one {MIRROR}=FOLDER {_command(entry)}"
        ) from None
    return received.getvalue()


class _Bounded(io.BytesIO):
    """A buffer that keeps no more than ``limit`` bytes, whatever a server sends."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._limit:
            raise OSError(f"more than the {self._limit} bytes expected")
        return super().write(data)


def _limit(entry: Dataset, source: str) -> int:
    """Bytes worth reading: one more than a good file has, so that a longer one is noticed."""
    return 1 + (entry.packed_size if source.endswith(".gz") else entry.size)


def _unpacked(raw: bytes, size: int) -> bytes:
    """Unpack a gzip up to one byte more than ``size``; nothing comes from a damaged one."""
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, size + 1)
    except zlib.error:
        return b""


def _expected(entry: Dataset, source: str) -> str:
    return entry.packed_sha256 if source.endswith(".gz") else entry.sha256


def _absence(entry: Dataset) -> str:
    """Say what is wanted and what the cache holds, which is not that."""
    path = cache_folder() / entry.local
    found = f"{file_sha256(path)} at {path}" if path.is_file() else "no file"
    return f"{entry.name}: expected sha256 {entry.sha256}, found {found}"


def _command(entry: Dataset) -> str:
    return f"python -m schedlab.data fetch {entry.name}"


def _refuse(entry: Dataset, source: str, found: str) -> None:
    raise ValueError(
        f"{entry.name}: refused, {source} is truncated or altered: expected sha256 "
        f"{_expected(entry, source)}, found {found}; put an unaltered copy in its place (or point "
        f"{MIRROR} elsewhere) and run: {_command(entry)}"
    )
