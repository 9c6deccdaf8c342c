"""What a run leaves behind: tidy tables of requests and batches, and every TBT sample."""

from array import array
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from schedlab.serving.request import Request

BATCH_COLUMNS = {
    "start_s": "d",
    "duration_s": "d",
    "prefill_tokens": "q",
    "decode_tokens": "q",
    "requests": "q",
    "used_blocks": "q",
    "waiting": "q",
    "running": "q",
    "preemptions": "q",
}
MEMBER_COLUMNS = {"batch": "q", "request_id": "q", "prefill_tokens": "q", "decode_tokens": "q"}


class Columns:
    """A table that grows by rows and is kept by columns, 8 bytes a cell."""

    def __init__(self, kinds: dict[str, str]) -> None:
        self._columns = {name: array(kind) for name, kind in kinds.items()}

    def append(self, *row: float) -> None:
        """Add a row, in the order of the columns."""
        for column, value in zip(self._columns.values(), row, strict=True):
            column.append(value)

    def table(self) -> pd.DataFrame:
        """Return all rows."""
        return pd.DataFrame({name: np.array(column) for name, column in self._columns.items()})


@dataclass
class Run:
    """The outcome of one simulation.

    Attributes
    ----------
    scheduler
        Name of the scheduler.
    requests
        One row per request in order of arrival: ``request_id, class, arrival_s,
        prompt_tokens, output_tokens, tbt_limit_s, first_scheduled_s, ttft_s, finish_s,
        tbt_mean_s, tbt_p50_s, tbt_p99_s, tbt_max_s, preemptions``.
    batches
        One row per batch: ``start_s, duration_s, prefill_tokens, decode_tokens, requests``
        (in the batch), ``used_blocks, waiting, running`` (while it runs), ``preemptions``.
    total_blocks
        KV blocks of the replica.
    tbt_samples_s, tbt_owner
        Every time between two tokens, and the row in ``requests`` that it belongs to. The
        first sample of a request runs from the end of its first prefill.
    members
        If asked for, one row per request in a batch, in batch order: ``batch, request_id,
        prefill_tokens, decode_tokens``.
    """

    scheduler: str
    requests: pd.DataFrame
    batches: pd.DataFrame
    total_blocks: int
    tbt_samples_s: np.ndarray = field(repr=False)
    tbt_owner: np.ndarray = field(repr=False)
    members: pd.DataFrame | None = field(default=None, repr=False)

    def tbt_s(self, request_class: str | None = None) -> np.ndarray:
        """Return the TBT samples of one class of requests, or of all."""
        if request_class is None:
            return self.tbt_samples_s
        rows = (self.requests["class"] == request_class).to_numpy()
        return self.tbt_samples_s[rows[self.tbt_owner]]


def collect_run(
    scheduler: str,
    requests: list[Request],
    batches: Columns,
    total_blocks: int,
    members: Columns | None,
) -> Run:
    """Build the tables of a finished simulation."""
    counts = np.array([len(request.token_times_s) - 1 for request in requests])
    samples = np.concatenate([np.diff(request.token_times_s) for request in requests])
    owner = np.repeat(np.arange(len(requests)), counts)
    table = _request_table(requests).assign(**_tbt_columns(samples, owner, counts))
    table["preemptions"] = [request.num_preemptions for request in requests]
    return Run(
        scheduler=scheduler,
        requests=table,
        batches=batches.table(),
        total_blocks=total_blocks,
        tbt_samples_s=samples,
        tbt_owner=owner,
        members=None if members is None else members.table(),
    )


def _request_table(requests: list[Request]) -> pd.DataFrame:
    def column(name: str, dtype: type = float) -> np.ndarray:
        return np.array([getattr(request, name) for request in requests], dtype=dtype)

    first_token_s = np.array([request.token_times_s[0] for request in requests])
    return pd.DataFrame(
        {
            "request_id": column("request_id", int),
            "class": [request.request_class for request in requests],
            "arrival_s": column("arrival_s"),
            "prompt_tokens": column("num_prompt_tokens", int),
            "output_tokens": column("num_output_tokens", int),
            "tbt_limit_s": column("tbt_limit_s"),
            "first_scheduled_s": column("first_scheduled_s"),
            "ttft_s": first_token_s - column("arrival_s"),
            "finish_s": column("finish_s"),
        }
    )


def _tbt_columns(
    samples: np.ndarray, owner: np.ndarray, counts: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean, median, 99th percentile and maximum of each request's samples, NaN without any."""
    samples = samples[np.lexsort((samples, owner))]
    some = counts > 0
    first = (np.cumsum(counts) - counts)[some]
    last = first + counts[some] - 1

    def quantile(q: float) -> np.ndarray:
        at = first + q * (last - first)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, last)
        return samples[low] + (at - low) * (samples[high] - samples[low])

    mean = np.add.reduceat(samples, first) / counts[some] if some.any() else samples
    columns = {
        "tbt_mean_s": mean,
        "tbt_p50_s": quantile(0.5),
        "tbt_p99_s": quantile(0.99),
        "tbt_max_s": samples[last],
    }
    return {name: _spread(values, some) for name, values in columns.items()}


def _spread(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    spread = np.full(len(where), np.nan)
    spread[where] = values
    return spread
