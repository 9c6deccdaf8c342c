"""Ranked schedulers in the compiled engine against the plain one.

Both serve one burst of requests of the ranking paper's LMSYS lengths; the runs are asserted to be
equal before any time is taken.
"""

from collections.abc import Callable
from types import ModuleType

import pandas as pd

from benchmarks.table import Row, in_turns
from schedlab.data.load import lengths
from schedlab.serving import compiled, engine
from schedlab.serving.costs import COST_MODELS, KV_BLOCKS
from schedlab.serving.schedulers import MLFQ, PerceptionOnly, Priority

REQUESTS = 1000
MACHINE = "llama3-8b-a100-40g-vllm041"
SCHEDULERS = {
    "Ranking": Priority(key="output"),
    "Ranking with starvation control": Priority(key="output", promote_after=200),
    "Perception Only": PerceptionOnly(),
    "MLFQ": MLFQ(),
}


def measure() -> list[Row]:
    """Return a ratio for each scheduler."""
    table = lengths("llama3-8b-lmsys").head(REQUESTS).reset_index(drop=True)
    table = table.assign(request_id=range(REQUESTS), arrival_s=0.0)
    return [_row(name, scheduler, table) for name, scheduler in SCHEDULERS.items()]


def _row(name: str, scheduler: object, table: pd.DataFrame) -> Row:
    def serve(make: ModuleType) -> Callable[[], object]:
        return lambda: make.simulate(
            table,
            scheduler,
            COST_MODELS[MACHINE],
            total_blocks=KV_BLOCKS[MACHINE],
            first_token_at_prefill=True,
            preemption="swap",
        )

    assert serve(compiled)().batches.equals(serve(engine)().batches)
    ours, theirs = in_turns([serve(compiled), serve(engine)])
    return Row(
        f"{name}: compiled engine against the plain engine",
        f"{REQUESTS / ours:,.0f} requests/s",
        f"{REQUESTS / theirs:,.0f} requests/s",
        theirs / ours,
        "20 times",
        f"a burst of {REQUESTS} requests of LMSYS lengths, medians of 3 turns",
    )
