"""The engine compiled: the run of :func:`schedlab.serving.engine.simulate`, many times faster.

:func:`simulate` takes what the plain engine takes and returns an equal run, to the last bit of
every table. It compiles the schedulers and cost models that this package holds a twin of;
everything else, a scheduler of one's own for instance, goes to the plain engine. That one stays
the reference: it is the one to read, to step through and to extend.
"""

from typing import Any

import numpy as np
import pandas as pd

from schedlab.serving import engine
from schedlab.serving.compiled.prepare import fits, new_replica, read_arrivals
from schedlab.serving.compiled.rules import all_rules
from schedlab.serving.costs import CostModel
from schedlab.serving.memory import BlockMemory
from schedlab.serving.records import Run, compacted
from schedlab.serving.schedulers.interface import Scheduler

SETTINGS = engine.simulate.__kwdefaults__
"""Options of the plain engine and their defaults."""


def simulate(
    requests: pd.DataFrame,
    scheduler: Scheduler,
    cost_model: CostModel,
    *,
    compact: bool = False,
    **settings: Any,
) -> Run:
    """Serve all requests on one replica, compiled where that is possible.

    Parameters
    ----------
    requests, scheduler, cost_model
        As in :func:`schedlab.serving.engine.simulate`.
    compact
        Whether to keep one row for each request and a histogram of TBT for each class, but
        neither batches nor TBT samples, so that a million requests fit into 1 GB.
    settings
        Everything else that the plain engine takes.
    """
    run = None
    if covers(scheduler, cost_model, **settings):
        run = _compiled(requests, scheduler, cost_model, compact, SETTINGS | settings)
    if run is None:
        run = engine.simulate(requests, scheduler, cost_model, **settings)
        return compacted(run) if compact else run
    return run


def covers(scheduler: Scheduler, cost_model: CostModel, **settings: Any) -> bool:
    """Return whether such a simulation can be compiled; otherwise the plain engine serves it."""
    if set(settings) - set(SETTINGS):
        return False
    settings = SETTINGS | settings
    return all_rules(scheduler, cost_model, _memory(settings), settings) is not None


def _memory(settings: dict[str, Any]) -> BlockMemory:
    return BlockMemory(*[settings[name] for name in ("total_blocks", "block_size", "watermark")])


def _compiled(
    requests: pd.DataFrame,
    scheduler: Scheduler,
    cost_model: CostModel,
    compact: bool,
    settings: dict[str, Any],
) -> Run | None:
    """Return the run, or None where the plain engine is to say what is wrong."""
    memory = _memory(settings)
    rules = all_rules(scheduler, cost_model, memory, settings)
    arrivals = read_arrivals(requests, settings["until_s"])
    longest = min(settings["max_model_len"], rules.get("reserve_tokens") or np.inf)
    if not fits(arrivals, memory, longest):
        return None
    from schedlab.serving.compiled.serve import serve  # imports numba

    replica = new_replica(arrivals, rules, scheduler, cost_model, keep_samples=not compact)
    return serve(replica, arrivals, type(scheduler).__name__)
