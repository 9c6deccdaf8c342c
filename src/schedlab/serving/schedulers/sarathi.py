"""Sarathi-Serve: every decode runs in every batch, prefill chunks fill the rest."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.steps import ORDERS, Draft, by_arrival

if TYPE_CHECKING:
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State


class Sarathi:
    """Stall-free batching with chunked prefills.

    Parameters
    ----------
    order
        Order of waiting prompts: ``fcfs``, or ``spf`` for the shortest prompt first.
    token_budget
        Tokens that a batch is filled up to; decodes are not subject to it.
    max_num_seqs
        Most requests that may own KV blocks.
    """

    def __init__(
        self, *, order: str = "fcfs", token_budget: int = 512, max_num_seqs: int = 128
    ) -> None:
        options.one_of("order", order, ORDERS)
        options.count("token_budget", token_budget)
        options.count("max_num_seqs", max_num_seqs)
        self.order = order
        self.token_budget = token_budget
        self.max_num_seqs = max_num_seqs
        self.max_num_batched_tokens = max(token_budget, max_num_seqs)

    def schedule(self, state: State, now: float) -> Decision:
        """Return all decodes, then started prompts, then new ones.

        Decodes go by arrival, ties in order of admission. Without a free block the request
        that would come last gives up its own.
        """
        draft = Draft(state, self.token_budget)
        rest = deque(sorted(state.running, key=by_arrival))
        started = []
        while rest:
            request = rest.popleft()
            if request.is_prefilling:
                started.append(request)
            else:
                draft.decode(request, victims=rest)
        for request in started:
            draft.prefill(request)
        if draft.tokens_left > 0:
            draft.admit(draft.waiting(self.order), self.max_num_seqs)
        return draft.decision()
