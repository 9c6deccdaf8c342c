"""SLAI: decodes about to miss their deadline, then prompts, then the other decodes."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.steps import ORDERS, Draft, by_priority

if TYPE_CHECKING:
    from schedlab.serving.request import Request
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State

DECODE_ORDERS = ("lst", "ranked")
Queue = deque[tuple[float, float, int, "Request"]]


class SLAI:
    """SLO-aware batches by last schedulable time (LST, eq. 8 of the paper).

    Parameters
    ----------
    order
        Order of waiting prompts: ``fcfs``, ``spf`` for the shortest prompt first, or ``ranked`` for
        the smallest ``priority`` first, which no paper has; ties in the order of the queue.
    decodes
        Order of the decodes that are not critical, where they do not all fit: ``lst``, or
        ``ranked`` for the smallest ``priority`` first, ties by LST.
    offset
        Safety margin Theta in mean batch times: a number, or ``dynamic`` for ``below`` or
        ``above`` according to the memory in use.
    below, above, memory_limit
        Dynamic offset: ``above`` once this share of the KV blocks is used, ``below`` before.
    user_priority
        With ``spf`` or ``ranked``: prompts with a tighter TBT limit go first, then by that order.
    token_budget
        Tokens in a batch; a decode counts 1.
    limit_total_decodes
        Most decodes in a batch.
    max_num_seqs
        Most requests that may own KV blocks.
    time_between_tokens_s
        TBT limit of requests that have none.
    """

    def __init__(
        self,
        *,
        order: str = "spf",
        decodes: str = "lst",
        offset: float | str = "dynamic",
        below: float = 5,
        above: float = 10,
        memory_limit: float = 0.96,
        user_priority: bool = False,
        token_budget: int = 512,
        limit_total_decodes: int = 128,
        max_num_seqs: int = 128,
        time_between_tokens_s: float = 0.2,
    ) -> None:
        options.one_of("order", order, (*ORDERS, "ranked"))
        options.one_of("decodes", decodes, DECODE_ORDERS)
        if offset != "dynamic":
            options.real("offset (unless 'dynamic')", offset)
            below = above = offset
        options.real("below", below)
        options.real("above", above)
        options.real("memory_limit", memory_limit, 0, 1)
        options.flag("user_priority", user_priority)
        options.count("token_budget", token_budget)
        options.count("limit_total_decodes", limit_total_decodes)
        options.count("max_num_seqs", max_num_seqs)
        options.real("time_between_tokens_s", time_between_tokens_s)
        if user_priority and order == "fcfs":
            raise ValueError(f"user_priority needs order 'spf' or 'ranked', got {order!r}")
        self.order, self.decodes, self.user_priority = order, decodes, user_priority
        self.below, self.above, self.memory_limit = below, above, memory_limit
        self.token_budget = self.max_num_batched_tokens = token_budget
        self.limit_total_decodes, self.max_num_seqs = limit_total_decodes, max_num_seqs
        self.time_between_tokens_s = time_between_tokens_s

    def tbt_limit_s(self, request: Request) -> float:
        """Return the TBT limit of a request, or the default if it has none."""
        limit = request.tbt_limit_s
        return self.time_between_tokens_s if limit is None else limit

    def last_schedulable_time(self, request: Request) -> float:
        """Return when a decoding request becomes critical.

        All that enters was fixed when the batch ended that made the request ready.
        """
        ended_s, mean_batch_time_s, kv_use = request.ready
        theta = self.above if kv_use >= self.memory_limit else self.below
        return ended_s + self.tbt_limit_s(request) - theta * mean_batch_time_s

    def schedule(self, state: State, now: float) -> Decision:
        """Return critical decodes by LST, started prompts, new prompts, other decodes.

        Equal LSTs go by arrival, then by ``request_id``.
        """
        draft = Draft(state, self.token_budget)
        queue = self._queue(state)
        started = state.prefilling
        decodes = self._decode(draft, queue, started, latest=now, decodes=0)
        while started and draft.tokens_left > 0:
            draft.prefill(started.pop(0))
        if draft.tokens_left > 0:
            draft.admit(self._waiting(draft), self.max_num_seqs)
        if self.decodes == "ranked":
            queue = deque(sorted(queue, key=lambda entry: entry[-1].priority))
        self._decode(draft, queue, started, latest=inf, decodes=decodes)
        return draft.decision()

    def _queue(self, state: State) -> Queue:
        lst = self.last_schedulable_time
        return deque(sorted((lst(r), r.arrival_s, r.request_id, r) for r in state.decoding))

    def _decode(
        self, draft: Draft, queue: Queue, started: list[Request], latest: float, decodes: int
    ) -> int:
        """Decode requests whose LST is not after ``latest``; return the decodes so far.

        Without a free block the prompt that was started last gives up its own, then the
        decode itself.
        """
        while queue and draft.tokens_left > 0 and decodes < self.limit_total_decodes:
            if queue[0][0] > latest:
                break
            decodes += draft.decode(queue.popleft()[-1], victims=started)
        return decodes

    def _waiting(self, draft: Draft) -> list[Request]:
        queue = draft.waiting(self.order)
        if self.order == "ranked":
            queue = sorted(queue, key=by_priority)
        return sorted(queue, key=self.tbt_limit_s) if self.user_priority else queue
