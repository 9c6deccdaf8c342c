"""Read data sets by name, each verified before it is read."""

from pathlib import Path
from typing import TYPE_CHECKING

from schedlab.data import catalog
from schedlab.data.guard import verified
from schedlab.lab.paths import find_root

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["prompt_tokens", "output_tokens"]

BUILT = {
    "llama3-8b-lmsys": "ranking/llama3_8b_lmsys.parquet",
    "llama3-8b-sharegpt": "ranking/llama3_8b_sharegpt.parquet",
    "sharegpt-first-turns": "ranking/sharegpt_first_turns.parquet",
    "sharegpt-turns": "serving/sharegpt_turns.parquet",
    "slai-fit": "serving/slai_fit.parquet",
}


def length_sets() -> list[str]:
    """Return every name that :func:`lengths` takes, the built sets first."""
    catalogued = (entry.name for entry in catalog.datasets().values() if entry.lengths)
    return [*sorted(BUILT), *sorted(catalogued)]


def check_name(name: str) -> None:
    """Refuse a name that is no set of request lengths, without reading any.

    Raises
    ------
    ValueError
        Naming the sets that there are.
    """
    if name not in length_sets():
        raise ValueError(f"no request lengths named {name!r}; there are {', '.join(length_sets())}")


def lengths(name: str, root: Path | None = None) -> "pd.DataFrame":
    """Return request lengths as integer columns ``prompt_tokens`` and ``output_tokens``.

    Rows keep the order of the set; traces are in order of arrival.

    Parameters
    ----------
    name
        A built set (``sharegpt-turns``, ``slai-fit``, ...) or a catalogued one
        (``sharegpt4-8k-llama2``, ``azure2023-conv``, ...), see :func:`length_sets`.
    root
        Repository whose ``data/`` holds the built sets; by default the one we are in.

    Raises
    ------
    ValueError
        If the name is unknown or the file was altered.
    FileNotFoundError
        If the file is not there and cannot be got.
    """
    check_name(name)
    table = _built(name, root) if name in BUILT else _catalogued(name)
    return table.astype("int64")


def _built(name: str, root: Path | None) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(verified(root or find_root(), BUILT[name]), columns=COLUMNS)


def _catalogued(name: str) -> "pd.DataFrame":
    import pandas as pd

    path, columns = catalog.fetch(name), list(catalog.dataset(name).lengths)
    if path.suffix == ".jsonl":
        return pd.read_json(path, lines=True)[columns].set_axis(COLUMNS, axis=1)
    return pd.read_csv(path, usecols=columns)[columns].set_axis(COLUMNS, axis=1)
