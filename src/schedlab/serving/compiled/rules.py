"""What the compiled engine knows: schedulers and cost models, as numbers and tables."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import inf, isfinite
from typing import Any

import numpy as np

from schedlab.serving.compiled import layout
from schedlab.serving.costs import (
    AttentionTable,
    CostModel,
    LinearPerSequence,
    MeasuredTable,
    ProfiledStaircase,
    TileStaircase,
    Work,
)
from schedlab.serving.memory import BlockMemory
from schedlab.serving.replica import FRUITLESS_PREEMPTIONS, PREEMPTIONS
from schedlab.serving.schedulers import (
    MLFQ,
    RAD,
    SLAI,
    FasterTransformer,
    Orca,
    PerceptionOnly,
    Priority,
    Sarathi,
    StaticSplit,
    VLLMv0,
    VLLMv1,
)
from schedlab.serving.schedulers.prefix import StrictPrefix
from schedlab.serving.schedulers.priority import TIES

Rules = dict[str, Any]
ENDLESS = 2**62
PRICES = ("swap_block_s", "score_token_s")


def _sarathi(scheduler: Sarathi, memory: BlockMemory) -> Rules:
    return {
        "scheduler": layout.SARATHI,
        "shortest_first": scheduler.order == "spf",
        "token_budget": scheduler.token_budget,
    }


def _vllm_v0(scheduler: VLLMv0, memory: BlockMemory) -> Rules:
    return {"scheduler": layout.VLLM_V0, "token_budget": scheduler.prefill_budget}


def _slai(scheduler: SLAI, memory: BlockMemory) -> Rules | None:
    if not (isfinite(scheduler.above) and isfinite(scheduler.below)):
        return None
    names = ("user_priority", "token_budget", "limit_total_decodes", "below", "above")
    return {name: getattr(scheduler, name) for name in (*names, "memory_limit")} | {
        "scheduler": layout.SLAI,
        "ranks": layout.DECODES_FIRST,
        "shortest_first": scheduler.order == "spf",
        "ranked_first": scheduler.order == "ranked",
        "ranked_decodes": scheduler.decodes == "ranked",
    }


def _vllm_v1(scheduler: VLLMv1, memory: BlockMemory) -> Rules | None:
    if scheduler.policy != "fcfs":
        return None
    return {
        "scheduler": layout.VLLM_V1,
        "ranks": layout.BY_ADMISSION,
        "token_budget": scheduler.max_num_batched_tokens,
        "longest_chunk": scheduler.long_prefill_token_threshold or ENDLESS,
        "reserves_prompt": scheduler.scheduler_reserve_full_isl,
    }


def _rad(scheduler: RAD, memory: BlockMemory) -> Rules:
    fit = memory.total_blocks - memory.watermark_blocks
    longest = scheduler.max_request_tokens
    most = fit // memory.blocks_for(longest) if longest else scheduler.b_col
    return {
        "scheduler": layout.RAD,
        "ranks": layout.DECODES_FIRST,
        "token_budget": scheduler.b_lcm,
        "max_num_seqs": max(1, min(scheduler.b_col, most)),
        "prefills": scheduler.prefills_per_cycle or ENDLESS,
    }


def _static_split(scheduler: StaticSplit, memory: BlockMemory) -> Rules:
    names = ("token_budget", "prefills", "decodes")
    ours = {name: getattr(scheduler, name) for name in names}
    return ours | {"scheduler": layout.STATIC_SPLIT}


def _reserved(scheduler: Orca | FasterTransformer, memory: BlockMemory) -> Rules:
    is_orca = type(scheduler) is Orca
    return {
        "scheduler": layout.ORCA if is_orca else layout.FASTER_TRANSFORMER,
        "token_budget": ENDLESS,
        "reserve_tokens": scheduler.reserve_tokens,
        "watermark_blocks": 0,
    }


def _priority(scheduler: Priority, memory: BlockMemory) -> Rules | None:
    if scheduler.key_name is None:
        return None
    return _ranks_all(scheduler, layout.PRIORITY) | {
        "by_output_left": scheduler.key_name == "output_left",
        "promote_after": scheduler.promote_after or 0,
        "quantum": scheduler.quantum,
    }


def _perception_only(scheduler: PerceptionOnly, memory: BlockMemory) -> Rules:
    ours = {"estimate_tokens": scheduler.tokens}
    return _ranks_all(scheduler, layout.PERCEPTION_ONLY) | ours


def _mlfq(scheduler: MLFQ, memory: BlockMemory) -> Rules | None:
    if scheduler.promote_after_s is not None:
        return None
    return _ranks_all(scheduler, layout.MLFQ) | {"to_front": scheduler.reinsert == "front"}


def _ranks_all(scheduler: StrictPrefix, code: int) -> Rules:
    return {
        "scheduler": code,
        "ranks_all": True,
        "token_budget": scheduler.max_num_batched_tokens,
        "max_num_seqs": scheduler.batch_seqs,
    }


TWINS: dict[type, Callable[[Any, BlockMemory], Rules | None]] = {
    Sarathi: _sarathi,
    SLAI: _slai,
    VLLMv0: _vllm_v0,
    VLLMv1: _vllm_v1,
    RAD: _rad,
    StaticSplit: _static_split,
    Orca: _reserved,
    FasterTransformer: _reserved,
    Priority: _priority,
    PerceptionOnly: _perception_only,
    MLFQ: _mlfq,
}
"""How each class that has a compiled twin is written as numbers; subclasses have none."""


def all_rules(
    scheduler: Any, cost_model: CostModel, memory: BlockMemory, settings: Mapping[str, Any]
) -> Rules | None:
    """Return a simulation as numbers, by the names of ``layout.RULES``; None if that is impossible.

    Parameters
    ----------
    scheduler, cost_model, memory
        As in :func:`schedlab.serving.engine.simulate`.
    settings
        All other options of that function.
    """
    scheduling, costs = scheduler_rules(scheduler, memory), cost_rules(cost_model)
    prices_s, preemption = [settings[name] for name in PRICES], settings["preemption"]
    asks_for_more = settings["check"] or settings["keep_members"]
    if scheduling is None or costs is None or asks_for_more or preemption not in PREEMPTIONS:
        return None
    if not all(isinstance(price_s, float) and 0 <= price_s < inf for price_s in prices_s):
        return None
    names = ("first_token_at_prefill", "until_s", "total_blocks", "block_size")
    return {
        **{name: settings[name] for name in (*names, *PRICES)},
        "swaps": preemption == "swap",
        "most_fruitless": FRUITLESS_PREEMPTIONS,
        **scheduling,
        **costs,
    }


def scheduler_rules(scheduler: Any, memory: BlockMemory) -> Rules | None:
    """Return a scheduler's options for the compiled engine; None for one that it does not know."""
    known = TWINS.get(type(scheduler))
    rules = known(scheduler, memory) if known else None
    if rules is None:
        return None
    return {
        "ranks": layout.BY_ARRIVAL,
        "max_num_seqs": getattr(scheduler, "max_num_seqs", 0),
        "watermark_blocks": memory.watermark_blocks,
        "default_limit_s": getattr(scheduler, "time_between_tokens_s", 0.0),
    } | rules


def standings(scheduler: Any, arrivals: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return how requests stand when they arrive; no records where the scheduler ranks nobody.

    Parameters
    ----------
    scheduler
        One that :func:`scheduler_rules` knows.
    arrivals
        Columns of the request table in order of arrival.
    """
    count = len(arrivals["request_id"])
    if type(scheduler) is SLAI and "ranked" in (scheduler.order, scheduler.decodes):
        return _standings(count, priority=arrivals["priority"])
    if type(scheduler) is Priority:
        return _standings(
            count,
            value=arrivals[KEY_COLUMNS[scheduler.key_name]],
            tie=_ties(scheduler.ties, arrivals["request_id"]),
        )
    if type(scheduler) is PerceptionOnly:
        priority, arrival_s = arrivals["priority"], arrivals["arrival_s"]
        return _standings(count, priority=priority, value=arrival_s, tie=np.arange(count))
    return _standings(count if type(scheduler) is MLFQ else 0)


KEY_COLUMNS = {
    "priority": "priority",
    "arrival": "arrival_s",
    "prompt": "prompt_tokens",
    "output": "output_tokens",
    "output_left": "output_tokens",
}


def _standings(count: int, **columns: np.ndarray) -> np.ndarray:
    table = np.zeros(count, layout.STANDING)
    for name, values in columns.items():
        table[name] = values
    return table


def _ties(name: str, request_ids: np.ndarray) -> np.ndarray:
    """Return a number for each id that is ordered as the scheduler orders equals."""
    marks = [TIES[name](request_id) for request_id in request_ids.tolist()]
    return np.unique(np.array(marks), return_inverse=True)[1]


def cost_rules(cost_model: CostModel) -> Rules | None:
    """Return a cost model's constants for the compiled engine; None for one it does not know."""
    if type(cost_model) is LinearPerSequence:
        return {"cost": layout.SEQUENCES} | vars(cost_model)
    if type(cost_model) is ProfiledStaircase and cost_model.attention is not None:
        known = type(cost_model.attention) is AttentionTable
        return {"cost": layout.TOKENS_AND_ATTENTION} if known else None
    if type(cost_model) in (MeasuredTable, TileStaircase, ProfiledStaircase):
        context_token_s = getattr(cost_model, "kv_read_s", 0.0)
        return {"cost": layout.TOKENS_AND_CONTEXT, "context_token_s": context_token_s}
    return None


def cost_tables(cost_model: CostModel, tokens: int, requests: int) -> dict[str, np.ndarray]:
    """Return the tables of a cost model, filled by the model itself.

    Parameters
    ----------
    cost_model
        One that :func:`cost_rules` knows.
    tokens
        Most tokens in a batch or a prompt.
    requests
        Most decodes in a batch.
    """
    tables = {"tokens_s": np.zeros(1), "prompt_s": np.zeros(1)}
    tables |= {"contexts": np.zeros(0), "decodes_s": np.zeros((0, 0))}
    if type(cost_model) is LinearPerSequence:
        return tables
    tables["tokens_s"] = _tokens_s(cost_model, _round_up(tokens))
    attention = getattr(cost_model, "attention", None)
    if attention is None:
        return tables
    contexts = np.array(attention.decode_contexts, dtype=float)
    return tables | {
        "prompt_s": _prompt_s(attention, _round_up(tokens)),
        "contexts": contexts,
        "decodes_s": _decodes_s(attention, _round_up(requests)),
    }


def _round_up(size: int) -> int:
    """Return a power of two, so that schedulers share tables."""
    return 1 << int(size).bit_length()


@lru_cache(maxsize=16)
def _tokens_s(cost_model: CostModel, size: int) -> np.ndarray:
    if type(cost_model) is TileStaircase:
        return np.array([cost_model(Work(decode_tokens=tokens)) for tokens in range(size)])
    return np.array([0.0, *[cost_model.linear(tokens) for tokens in range(1, size)]])


@lru_cache(maxsize=16)
def _prompt_s(attention: AttentionTable, size: int) -> np.ndarray:
    return np.array([attention.prefill(tokens, 0) for tokens in range(size)])


@lru_cache(maxsize=16)
def _decodes_s(attention: AttentionTable, size: int) -> np.ndarray:
    return np.array(
        [
            [attention.decode(requests, context) for requests in range(size)]
            for context in attention.decode_contexts
        ]
    )
