"""Request lengths with the exact output-length histograms of the ranking paper's own traces.

The histogram says which bin of 10 tokens a length lies in; within a bin lengths are spread
evenly. Every step is integer arithmetic on raw generator words, so that any machine gets the same
requests.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from schedlab.data.slai_fit import spread
from schedlab.lab.seeds import generator

if TYPE_CHECKING:
    import pyarrow as pa

TRACES = ("lmsys", "sharegpt")


def figures() -> dict[str, Any]:
    """Return counts and prompt quantiles with their provenance (``llama3_lengths.yaml``)."""
    import yaml

    text = Path(__file__).with_name("llama3_lengths.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def unbinned(counts: list[int], width: int) -> np.ndarray:
    """Return one ascending value per count, those of a bin evenly spread over its width."""
    members = np.asarray(counts, dtype=np.int64)
    first = np.repeat(np.cumsum(members) - members, members)
    place = np.arange(members.sum()) - first
    within = (2 * place + 1) * width // (2 * np.repeat(members, members))
    return np.repeat(np.arange(len(members)) * width, members) + within


def draw(trace: str) -> tuple[np.ndarray, np.ndarray]:
    """Return prompt and output tokens of one trace in random order, independent of each other."""
    fit = figures()
    outputs = unbinned(fit[trace]["output_counts"], fit["bin"])
    prompts = spread(fit[trace]["prompt_tokens"]["quantiles"], len(outputs))
    words = generator(fit["seed"], "llama3-lengths", trace).bit_generator
    orders = (np.argsort(words.random_raw(len(outputs)), kind="stable") for _ in range(2))
    return prompts[next(orders)], outputs[next(orders)]


def request_table(trace: str) -> "pa.Table":
    """Return one trace, ``"lmsys"`` or ``"sharegpt"``, as a table."""
    import pyarrow as pa

    prompts, outputs = draw(trace)
    return pa.table(
        {"prompt_tokens": prompts.astype(np.int32), "output_tokens": outputs.astype(np.int32)}
    )
