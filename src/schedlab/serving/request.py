"""A request: what arrives, how far it has come, and when."""

from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

REQUIRED_COLUMNS = ("request_id", "arrival_s", "prompt_tokens", "output_tokens")


class BatchEnd(NamedTuple):
    """What was known when a batch ended.

    Attributes
    ----------
    time_s
        When the batch ended.
    mean_batch_time_s
        Arithmetic mean over all batches up to and including this one.
    kv_use
        Used share of the KV blocks, after finished requests gave theirs back.
    """

    time_s: float
    mean_batch_time_s: float
    kv_use: float


@dataclass(slots=True, eq=False)
class Request:
    """One request inside the engine, with vLLM's names where vLLM has one.

    Attributes
    ----------
    request_id, arrival_s, num_prompt_tokens, request_class
        As they arrived.
    max_tokens
        Output tokens it will produce. Only the engine and an oracle look at this.
    tbt_limit_s
        Longest time allowed between two tokens; None if the request has no such limit.
    priority
        Rank for schedulers that go by one; the smaller number goes first, as in vLLM.
    num_tokens
        Prompt tokens and output tokens so far: the context of its next decode.
    num_output_tokens
        Output tokens so far; a preemption does not take them away.
    num_prefill_tokens
        Tokens to prefill before it decodes. After a preemption that includes its own output.
    num_computed_tokens
        Tokens whose keys and values it has: processed since it was last admitted, or swapped
        out with it.
    num_blocks
        KV blocks it owns; 0 exactly while it waits.
    ready
        End of the batch that produced its last token or finished its prefill.
    token_times_s
        End of the first prefill (where TTFT ends), then the time of every later token.
    """

    request_id: int
    arrival_s: float
    num_prompt_tokens: int
    max_tokens: int
    request_class: str = "all"
    tbt_limit_s: float | None = None
    priority: float = 0.0
    num_tokens: int = 0
    num_output_tokens: int = 0
    num_prefill_tokens: int = 0
    num_computed_tokens: int = 0
    num_blocks: int = 0
    num_preemptions: int = 0
    ready: BatchEnd | None = None
    first_scheduled_s: float = float("nan")
    finish_s: float = float("nan")
    token_times_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.num_tokens = self.num_prefill_tokens = self.num_prompt_tokens

    @property
    def is_prefilling(self) -> bool:
        """Whether some of its prompt has not been processed yet."""
        return self.num_computed_tokens < self.num_prefill_tokens

    @property
    def prefill_left(self) -> int:
        """Tokens still to prefill."""
        return max(0, self.num_prefill_tokens - self.num_computed_tokens)

    @property
    def is_swapped(self) -> bool:
        """Whether its KV cache waits in host memory."""
        return not self.num_blocks and self.num_computed_tokens > 0

    def slots_for(self, tokens: int) -> int:
        """Return the tokens whose slots a batch needs that gives it so many."""
        return self.num_computed_tokens + tokens if self.is_prefilling else self.num_tokens

    def restart(self) -> None:
        """Forget the KV cache: its own output is from now on part of what it must prefill."""
        self.num_computed_tokens = 0
        self.num_prefill_tokens = self.num_tokens


def requests_from_table(table: pd.DataFrame) -> list[Request]:
    """Turn a request table into requests in order of arrival, ties by ``request_id``.

    Parameters
    ----------
    table
        Columns ``request_id``, ``arrival_s``, ``prompt_tokens``, ``output_tokens`` and
        optionally ``class``, ``tbt_limit_s`` and ``priority``; further columns are ignored.

    Raises
    ------
    ValueError
        If a column is missing, an id occurs twice, or a number is out of range.
    """
    table = in_order(table)
    classes = table["class"] if "class" in table else ["all"] * len(table)
    limits = table["tbt_limit_s"] if "tbt_limit_s" in table else [None] * len(table)
    priorities = table["priority"] if "priority" in table else [0.0] * len(table)
    columns = [table[name].tolist() for name in REQUIRED_COLUMNS]
    return [
        Request(*row, str(name), None if pd.isna(limit) else float(limit), float(priority))
        for *row, name, limit, priority in zip(*columns, classes, limits, priorities, strict=True)
    ]


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Check a request table and return it in order of arrival, ties by ``request_id``."""
    _check_table(table)
    return table.sort_values(["arrival_s", "request_id"], kind="stable")


def _check_table(table: pd.DataFrame) -> None:
    missing = [name for name in REQUIRED_COLUMNS if name not in table]
    if missing:
        raise ValueError(f"request table: columns {missing} are missing, got {list(table)}")
    if table.empty:
        raise ValueError("request table: no rows; give at least one request")
    if not table["request_id"].is_unique:
        twice = table["request_id"][table["request_id"].duplicated()].iloc[0]
        raise ValueError(f"request table: request_id {twice} occurs twice; ids must be unique")
    if "priority" in table and table["priority"].isna().any():
        where = table["request_id"][table["priority"].isna()].iloc[0]
        raise ValueError(f"request table: priority of request {where} must be a number, got NaN")
    for name, lowest in zip(REQUIRED_COLUMNS[1:], (0, 1, 1), strict=True):
        good = table[name] >= lowest
        if not good.all():
            where, got = table["request_id"][~good].iloc[0], table[name][~good].iloc[0]
            raise ValueError(
                f"request table: {name} of request {where} must be >= {lowest}, got {got}"
            )
