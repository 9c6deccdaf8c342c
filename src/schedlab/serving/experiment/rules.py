"""Single decisions against the rules that the paper and its code state."""

import numpy as np
import pandas as pd

from schedlab.serving.experiment.runs import serve
from schedlab.serving.parameters import BatchParameters
from schedlab.serving.records import Run

OFFSET, BUDGET, MOST_DECODES = 10.0, 512, 128
SLAI = {"use": "slai", "label": "SLAI", "options": {"offset": OFFSET}}
ALL_CRITICAL = {"use": "slai", "label": "SLAI", "options": {"order": "fcfs", "offset": 1e9}}
SARATHI = {"use": "sarathi", "label": "Sarathi-Serve"}


def rule_checks(parameters: BatchParameters) -> pd.DataFrame:
    """Return, per seed, the shares of decisions that keep to three rules.

    Columns: ``seed``; ``equal``, batches of SLAI with everything critical that are
    Sarathi-Serve's; ``conserving``, batches of SLAI that fill the budget or leave nobody out;
    ``on_time``, decodes of SLAI that ran before or in the first batch after their last
    schedulable time.
    """
    rows = []
    for seed in parameters.seeds:
        slai, critical, sarathi = (
            serve(parameters, entry, parameters.rate, parameters.requests, seed, check=True)
            for entry in (SLAI, ALL_CRITICAL, SARATHI)
        )
        rows.append(
            {
                "seed": seed,
                "equal": equal_batches(critical, sarathi),
                "conserving": conserving_batches(slai),
                "on_time": waits_on_time(slai),
            }
        )
    return pd.DataFrame(rows)


def equal_batches(one: Run, other: Run) -> float:
    """Return the share of batches that give the same requests the same tokens at the same time."""
    tables = [
        run.members.assign(start_s=run.batches["start_s"].to_numpy()[run.members["batch"]])
        for run in (one, other)
    ]
    both = tables[0].merge(tables[1], on=list(tables[0]), how="outer", indicator=True)
    same = (both["_merge"] == "both").groupby(both["batch"]).all()
    return float(same.mean())


def conserving_batches(run: Run) -> float:
    """Return the share of batches that fill the budget, or serve all that are there."""
    table = run.batches
    full = table["prefill_tokens"] + table["decode_tokens"] >= BUDGET
    all_served = (table["waiting"] == 0) & (table["requests"] == table["running"])
    return float((full | all_served).mean())


def waits_on_time(run: Run) -> float:
    """Return the share of decodes that ran as soon as they were due (eq. 8).

    A decode is due at ``end + TBT - offset * mean``: end of the batch that made it ready, the
    user's limit, and the mean time of all batches up to then. From the first batch that starts
    after that, it goes before all prompts, so it may miss only batches with no more decodes to
    be had.
    """
    table = run.batches
    starts = table["start_s"].to_numpy()
    ends = starts + table["duration_s"].to_numpy()
    means = table["duration_s"].expanding().mean().to_numpy()
    room = (table["decode_tokens"] < MOST_DECODES).to_numpy()
    with_room_before = np.concatenate([[0], np.cumsum(room)])
    ready, ran, limits = _waits(run)
    due = ends[ready] + limits - OFFSET * means[ready]
    first_due = np.maximum(np.searchsorted(starts, due, side="left"), ready + 1)
    missed = with_room_before[ran] - with_room_before[np.minimum(first_due, ran)]
    return float((missed == 0).mean())


def _waits(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for every decode, the batch that made it ready, its own batch, and the TBT limit."""
    members = run.members.sort_values(["request_id", "batch"], kind="stable")
    before = members.groupby("request_id")["batch"].shift()
    decodes = (members["decode_tokens"] > 0) & before.notna()
    limits = run.requests.set_index("request_id")["tbt_limit_s"]
    return (
        before[decodes].to_numpy(dtype=int),
        members["batch"][decodes].to_numpy(),
        members["request_id"][decodes].map(limits).to_numpy(),
    )
