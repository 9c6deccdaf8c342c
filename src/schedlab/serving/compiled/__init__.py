"""The engine compiled: the run of :func:`schedlab.serving.engine.simulate`, many times faster.

:func:`simulate` takes what the plain engine takes and returns an equal run, to the last bit of
every table. It compiles the schedulers and cost models that this package holds a twin of;
everything else, a scheduler of one's own for instance, goes to the plain engine. That one stays
the reference: it is the one to read, to step through and to extend.
"""

from typing import Any

import pandas as pd

from schedlab.serving import engine
from schedlab.serving.compiled import prepare
from schedlab.serving.costs import CostModel
from schedlab.serving.memory import BlockMemory
from schedlab.serving.records import Run, compacted
from schedlab.serving.request import in_order
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
    """Return whether a simulation can be compiled; otherwise the plain engine serves it."""
    if set(settings) - set(SETTINGS):
        return False
    settings = SETTINGS | settings
    known = prepare.scheduler_rules(scheduler) and prepare.cost_rules(cost_model)
    asks_for_more = settings["check"] or settings["keep_members"]
    return bool(known) and not asks_for_more and settings["preemption"] == "recompute"


def _compiled(
    requests: pd.DataFrame,
    scheduler: Scheduler,
    cost_model: CostModel,
    compact: bool,
    settings: dict[str, Any],
) -> Run | None:
    """Return the run, or None where the plain engine is to say what is wrong."""
    table = in_order(requests)
    table = table[table["arrival_s"] < settings["until_s"]]
    memory = BlockMemory(*[settings[name] for name in ("total_blocks", "block_size", "watermark")])
    if table.empty or not prepare.fits(table, memory, settings["max_model_len"]):
        return None
    rules = prepare.scheduler_rules(scheduler) | prepare.cost_rules(cost_model)
    rules |= {name: settings[name] for name in ("first_token_at_prefill", "until_s")}
    rules["most_fruitless"] = engine.FRUITLESS_PREEMPTIONS
    from schedlab.serving.compiled import serve

    replica = prepare.prepare(
        table,
        rules,
        cost_model,
        memory,
        default_limit_s=getattr(scheduler, "time_between_tokens_s", 0.0),
        keep_samples=not compact,
    )
    return serve.serve(replica, table, type(scheduler).__name__)
