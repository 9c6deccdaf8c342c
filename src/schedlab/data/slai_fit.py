"""Request lengths drawn from a fit to the SLAI paper's trace; a fit, not the trace.

Both marginals follow the published quantiles and the pair a Gaussian copula with the published
rank correlation, under the trace's own limit on prompt plus output. Every step is integer
arithmetic on raw generator words, so that any machine draws the same requests.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from schedlab.lab.seeds import generator

if TYPE_CHECKING:
    import pyarrow as pa

UNIFORMS = 12  # their sum is a normal variate to well within the fit, and exact


def figures() -> dict[str, Any]:
    """Return the published figures of the fit with their provenance (``slai_fit.yaml``)."""
    import yaml

    text = Path(__file__).with_name("slai_fit.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def quantiles(values: Sequence[int], intervals: int = 64) -> list[int]:
    """Return ``intervals + 1`` order statistics, the smallest and largest value included.

    The k-th is the smallest value that at least k/intervals of all values do not exceed.
    """
    ordered = sorted(values)
    ranks = (-(-k * len(ordered) // intervals) for k in range(intervals + 1))
    return [int(ordered[max(rank - 1, 0)]) for rank in ranks]


def spread(table: Sequence[int], rows: int) -> np.ndarray:
    """Return ``rows`` ascending integers that follow a quantile table, linear in between.

    Row i sits at probability (2 i + 1) / (2 rows); values are rounded half up.
    """
    edges = np.asarray(table, dtype=np.int64)
    place = (2 * np.arange(rows, dtype=np.int64) + 1) * (len(edges) - 1)
    left, step = np.divmod(place, 2 * rows)
    weighted = edges[left] * (2 * rows - step) + edges[left + 1] * step
    return (weighted + rows) // (2 * rows)


def _ranks(values: np.ndarray) -> np.ndarray:
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks


def _normals(words: np.random.BitGenerator, rows: int) -> np.ndarray:
    """Return ``rows`` centred sums of 32-bit uniforms; raw words never change between releases."""
    uniforms = words.random_raw(rows * UNIFORMS) >> np.uint64(32)
    return uniforms.astype(np.int64).reshape(rows, UNIFORMS).sum(axis=1) - UNIFORMS * 2**31


def _swap_into_limit(
    prompts: np.ndarray, outputs: np.ndarray, limit: int, words: np.random.BitGenerator
) -> None:
    """Give each pair over the limit the output of a random row where both pairs then fit.

    Swapping keeps both marginals as they are. The longest prompt is served first.
    """
    over = np.flatnonzero(prompts + outputs > limit)
    for row in over[np.argsort(-prompts[over], kind="stable")]:
        while prompts[row] + outputs[row] > limit:
            other = int(words.random_raw()) % len(prompts)
            fits_here = prompts[row] + outputs[other] <= limit
            if fits_here and prompts[other] + outputs[row] <= limit:
                outputs[row], outputs[other] = outputs[other], outputs[row]


def draw(fit: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Draw the requests of a fit.

    Parameters
    ----------
    fit
        As :func:`figures` returns: ``seed``, ``rows``, ``limit``, ``latent`` (two integers, the
        weights of the shared and the own variate) and the quantile tables.

    Returns
    -------
    prompt_tokens, output_tokens
    """
    words = generator(fit["seed"], "slai-fit").bit_generator
    rows, (shared, own) = fit["rows"], fit["latent"]
    first, second = _normals(words, rows), _normals(words, rows)
    prompts = spread(fit["prompt_tokens"]["quantiles"], rows)[_ranks(first)]
    outputs = spread(fit["output_tokens"]["quantiles"], rows)[_ranks(shared * first + own * second)]
    _swap_into_limit(prompts, outputs, fit["limit"], words)
    return prompts, outputs


def request_table() -> "pa.Table":
    """Return the drawn requests as a table."""
    import pyarrow as pa

    prompts, outputs = draw(figures())
    return pa.table(
        {"prompt_tokens": prompts.astype(np.int32), "output_tokens": outputs.astype(np.int32)}
    )
