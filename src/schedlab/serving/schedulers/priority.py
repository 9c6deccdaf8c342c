"""Preemptive priority: before every batch all requests compete, by a score of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from schedlab.serving.schedulers import options
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


class Priority:
    """The scheduler of *Efficient LLM Scheduling by Learning to Rank* (its Algorithm 1).

    Before every batch waiting, running and swapped-out requests are sorted together, and the
    first ones run, up to the first that does not fit the budget: nobody overtakes. A request
    that is displaced keeps its blocks until they are needed. Then those that are not selected
    lose theirs, the last of the order first, and if that is not enough, selected ones do. As in
    the authors' code a running request is counted with one more block whether it needs it or
    not, and equal keys favour new over running over preempted requests. The authors preempt by
    swap only; the engine's ``preemption`` decides.

    Parameters
    ----------
    key
        A name of :data:`KEYS`, or a function of a request; the smallest value goes first.
    promote_after
        T: a request that did not run for so many batches is promoted before all others. None
        turns starvation control off, as in most of the authors' experiments.
    quantum
        q: batches that a promoted request runs before it stands in line again.
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
        max_num_batched_tokens: int = 768,
        max_num_seqs: int = 256,
    ) -> None:
        if not callable(key):
            options.one_of("key (unless a function)", key, KEYS)
        if promote_after is not None:
            options.count("promote_after", promote_after)
        options.count("quantum", quantum)
        options.count("max_num_batched_tokens", max_num_batched_tokens)
        options.count("max_num_seqs", max_num_seqs)
        self.key = key if callable(key) else KEYS[key]
        self.promote_after, self.quantum = promote_after, quantum
        self.max_num_batched_tokens, self.batch_seqs = max_num_batched_tokens, max_num_seqs

    def schedule(self, state: State, now: float) -> Decision:
        """Return the first requests of the order; the memo holds everyone's standing."""
        order, standings = self._order(state)
        draft = Draft(state, self.max_num_batched_tokens)
        chosen = self._first(order)
        chosen, evicted = self._make_room(state, order, chosen)
        for request in evicted:
            draft.preempt(request)
        for request, tokens in chosen:
            draft.give(request, tokens)
        return draft.decision(self._remember(standings, draft))

    def _order(self, state: State) -> tuple[list[Request], dict[int, Standing]]:
        queue = [
            *[request for request in state.waiting if not request.num_preemptions],
            *state.running,
            *[request for request in state.waiting if request.num_preemptions],
        ]
        if self.promote_after is None:
            return sorted(queue, key=self.key), {}
        before: Mapping[int, Standing] = state.memo or {}
        standings = {
            request.request_id: self._promote(before.get(request.request_id, NEW))
            for request in queue
        }

        def rank(request: Request) -> tuple[bool, float]:
            return not standings[request.request_id].promoted, self.key(request)

        return sorted(queue, key=rank), standings

    def _promote(self, standing: Standing) -> Standing:
        if standing.idle >= self.promote_after:
            return Standing(0, True, self.quantum)
        if standing.promoted and standing.runs <= 0:
            return Standing(standing.idle)
        return standing

    def _first(self, order: list[Request]) -> list[tuple[Request, int]]:
        """Return the requests that fit the budget, each with its tokens."""
        chosen: list[tuple[Request, int]] = []
        left = self.max_num_batched_tokens
        for request in order[: self.batch_seqs]:
            if left < 1:
                break
            tokens = min(left, request.prefill_left or 1)
            chosen.append((request, tokens))
            left -= tokens
        return chosen

    def _make_room(
        self, state: State, order: list[Request], chosen: list[tuple[Request, int]]
    ) -> tuple[list[tuple[Request, int]], list[Request]]:
        """Return who still runs, and who loses its blocks, in this order."""
        memory, chosen, evicted = state.memory, list(chosen), []
        short = (
            sum(self._blocks(state, request) for request, _ in chosen)
            - memory.free_blocks
            + memory.watermark_blocks
        )
        for request in reversed(order[len(chosen) :]):
            if short > 0 and request.num_blocks:
                evicted.append(request)
                short -= request.num_blocks
        while short > 0 and len(chosen) > 1:  # alone, the first always fits
            request, _ = chosen.pop()
            short -= self._blocks(state, request) + request.num_blocks
            if request.num_blocks:
                evicted.append(request)
        return chosen, evicted

    @staticmethod
    def _blocks(state: State, request: Request) -> int:
        """Return the blocks that the authors count for a request in the next batch."""
        if request.num_blocks:
            return 1
        return state.memory.blocks_for(request.num_tokens) + request.is_swapped

    def _remember(self, standings: dict[int, Standing], draft: Draft) -> dict[int, Standing] | None:
        if self.promote_after is None:
            return None
        return {
            request_id: Standing(0, promoted, runs - promoted)
            if request_id in draft.tokens
            else Standing(idle + 1, promoted, runs)
            for request_id, (idle, promoted, runs) in standings.items()
        }
