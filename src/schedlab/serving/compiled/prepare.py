"""From a request table, a scheduler and a cost model to the compiled engine's arrays."""

from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from schedlab.serving.compiled import layout
from schedlab.serving.compiled.layout import Replica
from schedlab.serving.costs import CostModel, MeasuredTable, TileStaircase
from schedlab.serving.memory import BlockMemory
from schedlab.serving.schedulers import SLAI, Sarathi, VLLMv0

ROWS = 16_384
"""Batches between two stops of the loop."""
SLOTS_BYTES = 8_000_000
"""Room for TBT samples before the requests they belong to are summarised, unless all are kept."""


def scheduler_rules(scheduler: Any) -> dict[str, Any] | None:
    """Return a scheduler's options for the compiled engine; None for one that it does not know."""
    if type(scheduler) is Sarathi:
        return {
            "scheduler": layout.SARATHI,
            "shortest_first": scheduler.order == "spf",
            "token_budget": scheduler.token_budget,
            "max_num_seqs": scheduler.max_num_seqs,
        }
    if type(scheduler) is VLLMv0:
        return {
            "scheduler": layout.VLLM_V0,
            "token_budget": scheduler.prefill_budget,
            "max_num_seqs": scheduler.max_num_seqs,
        }
    if type(scheduler) is SLAI and isfinite(scheduler.above) and isfinite(scheduler.below):
        return {
            "scheduler": layout.SLAI,
            "shortest_first": scheduler.order == "spf",
            "user_priority": scheduler.user_priority,
            "token_budget": scheduler.token_budget,
            "max_num_seqs": scheduler.max_num_seqs,
            "limit_total_decodes": scheduler.limit_total_decodes,
            "below": scheduler.below,
            "above": scheduler.above,
            "memory_limit": scheduler.memory_limit,
        }
    return None


def cost_rules(cost_model: CostModel) -> dict[str, Any] | None:
    """Return a cost model's constants for the compiled engine; None for one it does not know."""
    if type(cost_model) is TileStaircase:
        names = ("tile_tokens", "pass_s", "token_s")
        return {"cost": layout.STAIRCASE} | {name: getattr(cost_model, name) for name in names}
    if type(cost_model) is MeasuredTable:
        points = cost_model.tokens
        if points[0] <= 1 and all(np.diff(points) > 0):
            names = ("slope_beyond_s", "kv_read_s")
            return {"cost": layout.TABLE} | {name: getattr(cost_model, name) for name in names}
    return None


def prepare(
    table: pd.DataFrame,
    rules: dict[str, Any],
    cost_model: CostModel,
    memory: BlockMemory,
    *,
    default_limit_s: float,
    keep_samples: bool,
) -> Replica:
    """Return a replica before its first batch.

    Parameters
    ----------
    table
        Checked requests in order.
    rules
        Options of scheduler, cost model and engine, by the names of ``layout.RULES``.
    cost_model, memory
        As in :func:`schedlab.serving.engine.simulate`.
    default_limit_s
        TBT limit of requests that have none.
    keep_samples
        Whether to keep every TBT sample, or only those of requests that have not been
        summarised.
    """
    n = len(table)
    most = min(2 * rules["max_num_seqs"], n)  # those that lost their blocks leave after the batch
    requests = _requests(table, memory.block_size, default_limit_s)
    counts = requests["max_tokens"].astype(np.int64) - rules["first_token_at_prefill"]
    samples_s, slots = _room(requests, counts, rules["max_num_seqs"], keep_samples)
    is_table = isinstance(cost_model, MeasuredTable)
    return Replica(
        state=_record(layout.STATE, free_blocks=memory.total_blocks, num_free_slots=len(slots)),
        rules=_record(
            layout.RULES,
            total_blocks=memory.total_blocks,
            block_size=memory.block_size,
            watermark_blocks=memory.watermark_blocks,
            **rules,
        ),
        requests=requests,
        running=np.empty(most, np.int64),
        waiting=np.empty(n, np.int64),
        members=np.empty(most, np.int64),
        samples_s=samples_s,
        slots=slots,
        done=np.empty(n, np.int64),
        rows=np.empty(ROWS, layout.BATCH),
        points=np.array(cost_model.tokens if is_table else [1], dtype=float),
        point_s=np.array(cost_model.seconds if is_table else [0], dtype=float),
    )


def _record(kind: np.dtype, **values: Any) -> np.ndarray:
    record = np.zeros(1, kind)
    for name, value in values.items():
        record[name] = value
    return record


def _requests(table: pd.DataFrame, block_size: int, default_limit_s: float) -> np.ndarray:
    requests = np.zeros(len(table), layout.REQUEST)
    requests["arrival_s"] = table["arrival_s"]
    requests["submitted_s"] = _on_the_clock(requests["arrival_s"])
    limits_s = tbt_limits(table)
    requests["limit_s"] = np.where(np.isnan(limits_s), default_limit_s, limits_s)
    for name in ("first_scheduled_s", "first_token_s", "last_token_s", "finish_s"):
        requests[name] = np.nan
    requests["max_tokens"] = table["output_tokens"]
    for name in ("num_tokens", "num_prefill_tokens"):
        requests[name] = table["prompt_tokens"]
    requests["offset"] = -1
    return requests


def tbt_limits(table: pd.DataFrame) -> np.ndarray:
    """Return each request's TBT limit, NaN where it has none."""
    limits_s = table.get("tbt_limit_s", np.nan)
    return pd.Series(limits_s, table.index, dtype=float).to_numpy()


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


def fits(table: pd.DataFrame, memory: BlockMemory, max_model_len: int) -> bool:
    """Return whether the plain engine would take these requests, all in ordinary numbers."""
    counts = table[["request_id", "prompt_tokens", "output_tokens"]]
    if not all(kind.kind in "iu" for kind in counts.dtypes):
        return False
    tokens = table["prompt_tokens"].to_numpy(np.int64) + table["output_tokens"].to_numpy(np.int64)
    limits_s = tbt_limits(table)
    return bool(
        tokens.max() <= min(max_model_len, np.iinfo(np.int32).max)
        and memory.fits_ever(int(tokens.max()))
        and np.isfinite(table["arrival_s"].to_numpy(float)).all()
        and np.isfinite(limits_s[~np.isnan(limits_s)]).all()
    )
