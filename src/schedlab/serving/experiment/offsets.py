"""SLAI's offset: what it trades, what memory has to do with it, and what user priority adds."""

import pandas as pd

from schedlab.lab.resolve import SchedulerEntry
from schedlab.serving.claims.labels import OFFSET, SLAI, SLAI_PRIORITY
from schedlab.serving.experiment.runs import latencies
from schedlab.serving.parameters import OffsetParameters

PLAIN = SchedulerEntry(use="slai", label=SLAI)
PRIORITY = SchedulerEntry(use="slai", label=SLAI_PRIORITY, options={"user_priority": True})


def offset_sweep(parameters: OffsetParameters) -> pd.DataFrame:
    """Return one row per scheduler, number of blocks, seed and class of users.

    SLAI, shortest prompts first, runs at each offset, beside the baselines that the parameters
    list. Columns: those of :func:`schedlab.serving.experiment.runs.latencies`, with ``blocks``, and
    ``offset``, which is missing for a baseline.
    """
    slai = {OFFSET.format(offset): offset for offset in parameters.offsets}
    entries = [
        *parameters.schedulers,
        *[
            SchedulerEntry(use="slai", label=label, options={"offset": offset})
            for label, offset in slai.items()
        ],
    ]
    grid = [
        {"entry": entry, "rate": parameters.rate, "blocks": blocks}
        for blocks in (parameters.blocks, parameters.scarce_blocks)
        for entry in entries
    ]
    table = latencies(parameters, grid, parameters.requests, parameters.seeds, "offsets")
    return table.assign(offset=table["scheduler"].map(slai))


def priority_comparison(parameters: OffsetParameters) -> pd.DataFrame:
    """Return one row per seed and class of users, for SLAI with and without user priority."""
    grid = [{"entry": entry, "rate": parameters.priority_rate} for entry in (PLAIN, PRIORITY)]
    requests = parameters.priority_requests
    return latencies(parameters, grid, requests, parameters.seeds, "priority")
