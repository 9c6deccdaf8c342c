"""vLLM before version 1: whole prompts first, decodes only when no prompt can start."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.steps import Draft, by_arrival

if TYPE_CHECKING:
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State


class VLLMv0:
    """Prefill-prioritising batches without chunks.

    Parameters
    ----------
    max_num_batched_tokens
        Most prompt tokens in one batch; a longer prompt can never start.
    max_num_seqs
        Most requests that may own KV blocks.
    """

    def __init__(self, *, max_num_batched_tokens: int = 8192, max_num_seqs: int = 128) -> None:
        options.count("max_num_batched_tokens", max_num_batched_tokens)
        options.count("max_num_seqs", max_num_seqs)
        self.prefill_budget = max_num_batched_tokens
        self.max_num_seqs = max_num_seqs
        self.max_num_batched_tokens = max(max_num_batched_tokens, max_num_seqs)

    def schedule(self, state: State, now: float) -> Decision:
        """Return every prompt that can start, or else one decode of every running request.

        Decodes go by arrival, ties in order of admission. Without a free block the request
        that would come last gives up its own.
        """
        draft = Draft(state, self.prefill_budget)
        draft.admit(state.waiting, self.max_num_seqs, whole=True)
        if not draft.tokens:
            rest = deque(sorted(state.running, key=by_arrival))
            while rest:
                draft.decode(rest.popleft(), victims=rest)
        return draft.decision()
