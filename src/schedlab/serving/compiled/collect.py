"""From the compiled engine's arrays to the tables of a run."""

import numpy as np
import pandas as pd

from schedlab.serving.compiled.layout import Replica
from schedlab.serving.compiled.prepare import Arrivals, add_slots
from schedlab.serving.histogram import TimeHistogram
from schedlab.serving.records import TBT_COLUMNS, Run, request_table, tbt_columns


class Collector:
    """Carries off what fills up the arrays of a replica while it runs.

    Parameters
    ----------
    arrivals
        The replica's requests.
    compact
        Whether to keep neither batches nor TBT samples.
    """

    def __init__(self, arrivals: Arrivals, compact: bool) -> None:
        self._arrivals, self._compact = arrivals, compact
        n = len(arrivals.request_id)
        self._tbt = {name: np.full(n, np.nan) for name in TBT_COLUMNS}
        self._left = np.ones(n, dtype=bool)
        if compact:
            names = sorted(set(arrivals.classes))
            self._histograms = {name: TimeHistogram() for name in names}
            self._class_of = pd.Categorical(arrivals.classes, names).codes
        self._batches: list[np.ndarray] = []

    def make_room(self, replica: Replica) -> Replica:
        """Empty what is full; return the replica to go on with."""
        self._take_rows(replica)
        if not self._compact:
            return replica
        state = replica.state[0]
        done = replica.done[: state["num_done"]]
        self._summarize(replica, done)
        free = state["num_free_slots"]
        replica.slots[free : free + len(done)] = replica.requests["offset"][done]
        state["num_free_slots"] += len(done)
        state["num_done"] = 0
        return add_slots(replica) if 2 * state["num_free_slots"] < len(replica.slots) else replica

    def run(self, replica: Replica, scheduler: str) -> Run:
        """Return the tables of a replica that has served all."""
        self._take_rows(replica)
        samples, counts = self._summarize(replica, np.flatnonzero(self._left))
        if self._compact:
            samples, counts = samples[:0], counts[:0]
        return Run(
            scheduler=scheduler,
            requests=self._request_table(replica.requests),
            batches=pd.DataFrame(np.concatenate(self._batches)),
            total_blocks=int(replica.rules["total_blocks"][0]),
            tbt_samples_s=samples,
            tbt_owner=np.repeat(np.arange(len(counts)), counts),
            tbt_histograms=self._histograms if self._compact else None,
        )

    def _take_rows(self, replica: Replica) -> None:
        rows = replica.rows[: replica.state["num_rows"][0]]
        self._batches.append(rows[:0] if self._compact else rows.copy())
        replica.state["num_rows"] = 0

    def _summarize(self, replica: Replica, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fill in the TBT columns of some requests; return their samples and counts."""
        requests = replica.requests[which]
        counts = requests["num_samples"].astype(np.int64)
        samples = _stretches(replica.samples_s, requests["offset"], counts)
        for name, values in tbt_columns(samples, counts).items():
            self._tbt[name][which] = values
        if self._compact:
            owners = np.repeat(self._class_of[which], counts)
            for code, histogram in enumerate(self._histograms.values()):
                histogram.add(samples[owners == code])
        self._left[which] = False
        return samples, counts

    def _request_table(self, requests: np.ndarray) -> pd.DataFrame:
        ours = ("arrival_s", "first_scheduled_s", "first_token_s", "finish_s")
        columns = {name: requests[name] for name in ours} | {
            "request_id": self._arrivals.request_id.astype(np.int64),
            "num_prompt_tokens": self._arrivals.prompt_tokens.astype(np.int64),
            "num_output_tokens": requests["num_output_tokens"].astype(np.int64),
            "tbt_limit_s": self._arrivals.tbt_limit_s,
            "num_preemptions": requests["num_preemptions"].astype(np.int64),
        }
        return request_table(columns, self._arrivals.classes, self._tbt)


def _stretches(samples_s: np.ndarray, offsets: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return stretches of an array one after the other."""
    starts = np.cumsum(counts) - counts
    if np.array_equal(starts, offsets):  # they lie like that already
        return samples_s[: counts.sum()]
    return samples_s[np.arange(counts.sum()) + np.repeat(offsets - starts, counts)]
