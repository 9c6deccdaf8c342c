"""Rows of the table, and timing in turns."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table.

    Attributes
    ----------
    subject
        What is compared with what.
    ours, peer
        What was measured, with units; ``peer`` may be empty.
    ratio
        How many times better ours is; None where the row has a limit of its own.
    target
        What was asked for.
    how
        How it was measured and what is not comparable.
    """

    subject: str
    ours: str
    peer: str
    ratio: float | None
    target: str
    how: str


def in_turns(calls: Sequence[Callable[[], object]], rounds: int = 3, times: int = 1) -> list[float]:
    """Return the median seconds of each call, made ``times`` in a row in its turn of a round."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, taken in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            for _ in range(times):
                call()
            taken.append((time.perf_counter() - start) / times)
    return [median(taken) for taken in seconds]


def render(rows: Sequence[Row]) -> str:
    """Return the table as text, one block for each row."""
    blocks = []
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:,.1f} times; "
        peer = f" against {row.peer}" if row.peer else ""
        blocks.append(
            f"{row.subject}\n  {ratio}target {row.target}\n  {row.ours}{peer}\n  {row.how}"
        )
    return "\n\n".join(blocks)
