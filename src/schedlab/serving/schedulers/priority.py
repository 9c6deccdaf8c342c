"""Preemptive priority: before every batch all requests compete, by a score of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.prefix import StrictPrefix, queue
from schedlab.serving.schedulers.steps import Draft, by_arrival

if TYPE_CHECKING:
    from schedlab.serving.request import Request
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State


def _left(request: Request) -> int:
    return request.max_tokens - request.num_output_tokens


KEYS: dict[str, Callable[[Request], float]] = {
    "priority": attrgetter("priority"),
    "arrival": by_arrival,
    "prompt": attrgetter("num_prompt_tokens"),
    "output": attrgetter("max_tokens"),  # an oracle: shortest job first
    "output_left": _left,  # an oracle: shortest remaining time first
}
"""Keys by the name that ``params.yaml`` uses; the smaller goes first."""


@cache
def _drawn(request_id: int) -> int:
    return int.from_bytes(hashlib.blake2b(str(request_id).encode(), digest_size=7).digest())


TIES: dict[str, Callable[[int], object]] = {
    "queue": lambda request_id: 0,
    "text": str,
    "random": _drawn,
}
"""What breaks ties, by name: the queue, the id as text, or a number drawn from the id."""


class Standing(NamedTuple):
    """What starvation control remembers of a request.

    Attributes
    ----------
    idle
        Batches since it last ran.
    promoted
        Whether it goes before all that are not.
    runs
        Batches that its promotion is still good for.
    """

    idle: int = 0
    promoted: bool = False
    runs: int = 0


NEW = Standing()


class Priority(StrictPrefix):
    """The scheduler of *Efficient LLM Scheduling by Learning to Rank* (its Algorithm 1).

    Before every batch waiting, running and swapped-out requests are sorted together, and the
    first ones run, see :class:`StrictPrefix`. With the scores of a ranker as ``priority`` this is
    the paper's scheduler; with a classifier's classes, true lengths or those of another
    sampling run, its baselines. A score is never predicted again.

    Parameters
    ----------
    key
        A name of :data:`KEYS`, or a function of a request; the smallest value goes first.
    promote_after
        T: a request that did not run for so many batches is promoted before all others. None
        turns starvation control off, as in most of the authors' experiments. The paper gives
        no value; the authors' scripts use 200. It counts batches, not seconds.
    quantum
        q: batches that a promoted request runs before it stands in line again.
    ties
        What goes first of equals. ``queue``: new before running before preempted requests, as a
        stable sort leaves them. ``text``: the smaller id as text, ``"10"`` before ``"2"``, as the
        authors sort classes in offline runs. ``random``: a number drawn from the id, as their
        random ids do in a server; nearly all requests share a class then, and their order is
        a random one rather than that of arrival.
    max_num_batched_tokens
        Tokens in a batch.
    max_num_seqs
        Most requests in a batch; displaced ones may own blocks beside them.
    """

    def __init__(
        self,
        *,
        key: str | Callable[[Request], float] = "priority",
        promote_after: int | None = None,
        quantum: int = 10,
        ties: str = "queue",
        max_num_batched_tokens: int = 768,
        max_num_seqs: int = 256,
    ) -> None:
        if not callable(key):
            options.one_of("key (unless a function)", key, KEYS)
        if promote_after is not None:
            options.count("promote_after", promote_after)
        options.count("quantum", quantum)
        options.one_of("ties", ties, TIES)
        super().__init__(max_num_batched_tokens, max_num_seqs)
        self.key_name = None if callable(key) else key
        self.key = key if callable(key) else KEYS[key]
        self.promote_after, self.quantum, self.ties = promote_after, quantum, ties

    def schedule(self, state: State, now: float) -> Decision:
        """Return the first requests of the order; the memo holds everyone's standing."""
        present = queue(state)
        standings = self._standings(present, state.memo or {})
        tie = TIES[self.ties]

        def rank(request: Request) -> tuple[bool, float, object]:
            promoted = bool(standings) and standings[request.request_id].promoted
            return not promoted, self.key(request), tie(request.request_id)

        draft = self._batch(state, sorted(present, key=rank))
        return draft.decision(self._remember(standings, draft))

    def _standings(
        self, present: list[Request], before: Mapping[int, Standing]
    ) -> dict[int, Standing]:
        if self.promote_after is None:
            return {}
        return {
            request.request_id: self._promote(before.get(request.request_id, NEW))
            for request in present
        }

    def _promote(self, standing: Standing) -> Standing:
        if standing.idle >= self.promote_after:
            return Standing(0, True, self.quantum)
        if standing.promoted and standing.runs <= 0:
            return Standing(standing.idle)
        return standing

    def _remember(self, standings: dict[int, Standing], draft: Draft) -> dict[int, Standing] | None:
        if self.promote_after is None:
            return None
        return {
            request_id: Standing(0, promoted, runs - promoted)
            if request_id in draft.tokens
            else Standing(idle + 1, promoted, runs)
            for request_id, (idle, promoted, runs) in standings.items()
        }
