"""What a run leaves behind: tidy tables of requests and batches, and every TBT sample."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from schedlab.serving.histogram import TimeHistogram, total
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
    "swapped_blocks": "q",
    "backlog_tokens": "q",
}
MEMBER_COLUMNS = {"batch": "q", "request_id": "q", "prefill_tokens": "q", "decode_tokens": "q"}
TBT_COLUMNS = ("tbt_mean_s", "tbt_p50_s", "tbt_p99_s", "tbt_max_s")


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
        One row per request that arrived, in order of arrival: ``request_id, class, arrival_s,
        prompt_tokens, output_tokens, tbt_limit_s, first_scheduled_s, ttft_s, finish_s,
        tbt_mean_s, tbt_p50_s, tbt_p99_s, tbt_max_s, preemptions``. Times that lie beyond the
        horizon of the run are NaN.
    batches
        One row per batch: ``start_s, duration_s, prefill_tokens, decode_tokens, requests``
        (in the batch), ``used_blocks, waiting, running`` (while it runs), ``preemptions,
        swapped_blocks`` (moved to or from the host before it), ``backlog_tokens`` (still to
        process when it starts, outputs to come included).
    total_blocks
        KV blocks of the replica.
    tbt_samples_s, tbt_owner
        Every time between two tokens, and the row in ``requests`` that it belongs to. The
        first sample of a request runs from the end of its first prefill.
    members
        If asked for, one row per request in a batch, in batch order: ``batch, request_id,
        prefill_tokens, decode_tokens``.
    tbt_histograms
        Of a compact run, by class: it holds these in place of ``batches`` and TBT samples.
    """

    scheduler: str
    requests: pd.DataFrame
    batches: pd.DataFrame
    total_blocks: int
    tbt_samples_s: np.ndarray = field(repr=False)
    tbt_owner: np.ndarray = field(repr=False)
    members: pd.DataFrame | None = field(default=None, repr=False)
    tbt_histograms: dict[str, TimeHistogram] | None = field(default=None, repr=False)

    def tbt_s(self, request_class: str | None = None) -> np.ndarray | TimeHistogram:
        """Return the TBT samples of one class of requests, or of all; of a compact run, counts."""
        if self.tbt_histograms is not None:
            every = self.tbt_histograms
            return total(every.values()) if request_class is None else every[request_class]
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
    counts = np.array([max(0, len(request.token_times_s) - 1) for request in requests], int)
    samples = np.concatenate([[], *[np.diff(request.token_times_s) for request in requests]])
    owner = np.repeat(np.arange(len(requests)), counts)
    classes = [request.request_class for request in requests]
    return Run(
        scheduler=scheduler,
        requests=request_table(_columns(requests), classes, tbt_columns(samples, counts)),
        batches=batches.table(),
        total_blocks=total_blocks,
        tbt_samples_s=samples,
        tbt_owner=owner,
        members=None if members is None else members.table(),
    )


def join_runs(runs: Sequence[Run]) -> Run:
    """Return the runs of several replicas as one, with a column ``replica``."""
    requests = _numbered([run.requests for run in runs])
    order = requests.sort_values(["arrival_s", "request_id"], kind="stable").index.to_numpy()
    owners = np.concatenate(
        [run.tbt_owner + first for run, first in zip(runs, _starts(runs, "requests"), strict=True)]
    )
    owners = np.argsort(order)[owners] if len(order) else owners
    samples = np.concatenate([run.tbt_samples_s for run in runs])
    by_request = np.argsort(owners, kind="stable")
    return Run(
        scheduler=runs[0].scheduler,
        requests=requests.loc[order].reset_index(drop=True),
        batches=_numbered([run.batches for run in runs]),
        total_blocks=runs[0].total_blocks,
        tbt_samples_s=samples[by_request],
        tbt_owner=owners[by_request],
        members=_join_members(runs),
    )


def _numbered(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    numbered = [table.assign(replica=index) for index, table in enumerate(tables)]
    return pd.concat(numbered, ignore_index=True)


def _starts(runs: Sequence[Run], table: str) -> np.ndarray:
    """Return the row at which each run's table begins when they are put one below another."""
    return np.cumsum([0, *[len(getattr(run, table)) for run in runs[:-1]]])


def _join_members(runs: Sequence[Run]) -> pd.DataFrame | None:
    if any(run.members is None for run in runs):
        return None
    firsts = _starts(runs, "batches")
    tables = [
        run.members.assign(batch=run.members["batch"] + first)
        for run, first in zip(runs, firsts, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def compacted(run: Run) -> Run:
    """Return a run without batches and TBT samples, but with histograms of these by class."""
    histograms = {}
    for name in sorted(set(run.requests["class"])):
        histograms[name] = TimeHistogram()
        histograms[name].add(run.tbt_s(name))
    return replace(
        run,
        batches=run.batches[:0],
        tbt_samples_s=run.tbt_samples_s[:0],
        tbt_owner=run.tbt_owner[:0],
        tbt_histograms=histograms,
    )


def _columns(requests: list[Request]) -> dict[str, np.ndarray]:
    def column(name: str, dtype: type) -> np.ndarray:
        return np.array([getattr(request, name) for request in requests], dtype=dtype)

    times = ("arrival_s", "tbt_limit_s", "first_scheduled_s", "finish_s")
    counts = ("request_id", "num_prompt_tokens", "num_output_tokens", "num_preemptions")
    first_token_s = [(*request.token_times_s[:1], np.nan)[0] for request in requests]
    return {
        **{name: column(name, float) for name in times},
        **{name: column(name, int) for name in counts},
        "first_token_s": np.array(first_token_s),
    }


def request_table(
    columns: Mapping[str, np.ndarray], classes: list[str], tbt: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Return the table of requests from columns with the names of :class:`Request`.

    Parameters
    ----------
    columns
        Also ``first_token_s``, when the first prefill ended.
    classes
        Class of each request.
    tbt
        As :func:`tbt_columns` returns it.
    """
    return pd.DataFrame(
        {
            "request_id": columns["request_id"],
            "class": classes,
            "arrival_s": columns["arrival_s"],
            "prompt_tokens": columns["num_prompt_tokens"],
            "output_tokens": columns["num_output_tokens"],
            "tbt_limit_s": columns["tbt_limit_s"],
            "first_scheduled_s": columns["first_scheduled_s"],
            "ttft_s": columns["first_token_s"] - columns["arrival_s"],
            "finish_s": columns["finish_s"],
            **{name: tbt[name] for name in TBT_COLUMNS},
            "preemptions": columns["num_preemptions"],
        }
    )


def tbt_columns(samples: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, median, 99th percentile and maximum of each request's samples, NaN without any.

    Parameters
    ----------
    samples
        Of one request after the other.
    counts
        Number of samples of each request.
    """
    samples = samples.copy()
    some = counts > 0
    last = np.cumsum(counts)[some] - 1
    first = last - counts[some] + 1
    for start, end in zip(first.tolist(), last.tolist(), strict=True):
        samples[start : end + 1].sort()

    def quantile(q: float) -> np.ndarray:
        within = q * (last - first)
        low = first + np.floor(within).astype(int)
        high = np.minimum(low + 1, last)
        return samples[low] + (within % 1) * (samples[high] - samples[low])

    mean = np.add.reduceat(samples, first) / counts[some] if some.any() else samples
    columns = (mean, quantile(0.5), quantile(0.99), samples[last])
    return {name: _spread(values, some) for name, values in zip(TBT_COLUMNS, columns, strict=True)}


def _spread(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    spread = np.full(len(where), np.nan)
    spread[where] = values
    return spread
