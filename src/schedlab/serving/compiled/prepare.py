"""From a request table, a scheduler and a cost model to the compiled engine's arrays."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from schedlab.serving.compiled import layout
from schedlab.serving.compiled.layout import Replica
from schedlab.serving.compiled.rules import Rules, cost_tables, standings
from schedlab.serving.costs import CostModel
from schedlab.serving.memory import BlockMemory
from schedlab.serving.request import REQUIRED_COLUMNS, in_order
from schedlab.serving.schedulers.interface import Scheduler

ROWS = 16_384
"""Batches between two stops of the loop."""
SLOTS_BYTES = 8_000_000
"""Room for TBT samples before the requests they belong to are summarised, unless all are kept."""


class Arrivals(NamedTuple):
    """The columns of a request table in order of arrival, as arrays.

    Attributes
    ----------
    request_id, arrival_s, prompt_tokens, output_tokens
        As in the table.
    tbt_limit_s
        NaN where a request has none.
    classes
        Name of each request's class.
    priority
        0 where the table has none.
    """

    request_id: np.ndarray
    arrival_s: np.ndarray
    prompt_tokens: np.ndarray
    output_tokens: np.ndarray
    tbt_limit_s: np.ndarray
    classes: list[str]
    priority: np.ndarray


def read_arrivals(table: pd.DataFrame, until_s: float) -> Arrivals:
    """Check a request table and return those that arrive before a horizon."""
    table = in_order(table)
    if until_s < np.inf:
        table = table[table["arrival_s"] < until_s]
    limits_s = table.get("tbt_limit_s", np.nan)
    return Arrivals(
        *[table[name].to_numpy() for name in REQUIRED_COLUMNS],
        pd.Series(limits_s, table.index, dtype=float).to_numpy(),
        list(map(str, table["class"])) if "class" in table else ["all"] * len(table),
        pd.Series(table.get("priority", 0.0), table.index, dtype=float).to_numpy(),
    )


def fits(arrivals: Arrivals, memory: BlockMemory, longest: float) -> bool:
    """Return whether the plain engine would take these requests, all in ordinary numbers."""
    counts = (arrivals.request_id, arrivals.prompt_tokens, arrivals.output_tokens)
    if not all(column.dtype.kind in "iu" and len(column) for column in counts):
        return False
    tokens = int((arrivals.prompt_tokens + arrivals.output_tokens).max())
    limits_s = arrivals.tbt_limit_s
    return bool(
        tokens <= min(longest, np.iinfo(np.int32).max)
        and memory.fits_ever(tokens)
        and np.isfinite(arrivals.arrival_s).all()
        and np.isfinite(limits_s[~np.isnan(limits_s)]).all()
    )


def new_replica(
    arrivals: Arrivals,
    rules: Rules,
    scheduler: Scheduler,
    cost_model: CostModel,
    *,
    keep_samples: bool,
) -> Replica:
    """Return a replica before its first batch.

    Parameters
    ----------
    arrivals
        Its requests.
    rules
        Options of scheduler, cost model and engine, by the names of ``layout.RULES``.
    scheduler
        Says how requests stand when they arrive.
    cost_model
        Fills the tables that batch times are looked up in.
    keep_samples
        Whether to keep every TBT sample, or only those of requests that have not been
        summarised.
    """
    n = len(arrivals.request_id)
    most = min(2 * rules["max_num_seqs"], n)  # those that lost their blocks leave after the batch
    requests = _requests(arrivals, rules["default_limit_s"])
    counts = requests["max_tokens"].astype(np.int64) - rules["first_token_at_prefill"]
    samples_s, slots = _room(requests, counts, rules["max_num_seqs"], keep_samples)
    fitting = min(rules["token_budget"], rules["total_blocks"] * rules["block_size"])
    longest = int(max(fitting + most, (requests["num_tokens"] + requests["max_tokens"]).max()))
    return Replica(
        state=_record(layout.STATE, free_blocks=rules["total_blocks"], num_free_slots=len(slots)),
        rules=_record(layout.RULES, **rules),
        requests=requests,
        standings=standings(scheduler, arrivals._asdict()),
        running=np.empty(n if rules.get("ranks_all") else most, np.int64),
        waiting=np.empty(n, np.int64),
        members=np.empty(most, np.int64),
        samples_s=samples_s,
        slots=slots,
        done=np.empty(n, np.int64),
        rows=np.empty(ROWS, layout.BATCH),
        **cost_tables(cost_model, longest, most),
        quanta_s=np.array(getattr(scheduler, "quanta_s", [])),
    )


def _record(kind: np.dtype, **values: Any) -> np.ndarray:
    record = np.zeros(1, kind)
    for name, value in values.items():
        record[name] = value
    return record


def _requests(arrivals: Arrivals, default_limit_s: float) -> np.ndarray:
    requests = np.zeros(len(arrivals.request_id), layout.REQUEST)
    requests["arrival_s"] = arrivals.arrival_s
    requests["submitted_s"] = _on_the_clock(requests["arrival_s"])
    limits_s = arrivals.tbt_limit_s
    requests["limit_s"] = np.where(np.isnan(limits_s), default_limit_s, limits_s)
    for name in ("first_scheduled_s", "first_token_s", "last_token_s", "finish_s"):
        requests[name] = np.nan
    requests["max_tokens"] = arrivals.output_tokens
    for name in ("num_tokens", "num_prefill_tokens"):
        requests[name] = arrivals.prompt_tokens
    requests["offset"] = -1
    return requests


def _on_the_clock(arrivals: np.ndarray) -> np.ndarray:
    """Return when requests arrive on a clock that adds up gaps, as that of SimPy does."""
    submitted, now = [], 0.0
    for arrival in arrivals.tolist():
        while now < arrival:
            now += arrival - now
        submitted.append(now)
    return np.array(submitted)


def _room(
    requests: np.ndarray, counts: np.ndarray, most: int, keep: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return an array for TBT samples and its free stretches, all of one length."""
    if keep:
        requests["offset"] = np.cumsum(counts) - counts
        return np.empty(counts.sum()), np.empty(0, np.int64)
    stretch = int(max(1, counts.max()))
    count = max(2 * min(most, len(requests)), SLOTS_BYTES // (8 * stretch))
    return np.empty(count * stretch), np.arange(count) * stretch


def add_slots(replica: Replica) -> Replica:
    """Return the replica with twice the room for TBT samples."""
    samples_s, slots = replica.samples_s, replica.slots
    free = replica.state["num_free_slots"][0]
    replica.state["num_free_slots"] += len(slots)
    more = np.arange(len(slots)) * (len(samples_s) // len(slots)) + len(samples_s)
    return replica._replace(
        samples_s=np.concatenate([samples_s, np.empty_like(samples_s)]),
        slots=np.concatenate([slots[:free], more, np.empty(len(slots) - free, np.int64)]),
    )
