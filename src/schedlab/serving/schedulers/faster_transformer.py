"""FasterTransformer: a batch of requests stays together until the last of them has finished."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.steps import Draft

if TYPE_CHECKING:
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State


class FasterTransformer:
    """Request-level batches: whole prompts at once, then decodes until nobody is left.

    Parameters
    ----------
    max_num_seqs
        Most requests in a batch.
    max_model_len
        Tokens that every request gets blocks for when it starts.
    """

    def __init__(self, *, max_num_seqs: int = 128, max_model_len: int = 8192) -> None:
        options.count("max_num_seqs", max_num_seqs)
        options.count("max_model_len", max_model_len)
        self.max_num_seqs = max_num_seqs
        self.reserve_tokens = max_model_len

    def schedule(self, state: State, now: float) -> Decision:
        """Return a decode of every running request; without any, the next batch of prompts."""
        draft = Draft(state, inf)
        for request in state.running:
            draft.give(request)
        if not draft.tokens:
            draft.admit(state.waiting, self.max_num_seqs, whole=True, reserve=self.reserve_tokens)
        return draft.decision()
