"""Orca: whole prompts join the decodes at every iteration, in memory reserved for the longest."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.steps import Draft

if TYPE_CHECKING:
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State


class Orca:
    """Iteration-level batches of all decodes and whole prompts, without preemption.

    Parameters
    ----------
    max_num_seqs
        Most requests that may own KV blocks. The SLAI authors use 8, as reserved memory does
        not hold many more.
    max_model_len
        Tokens that every request gets blocks for when it starts.
    """

    def __init__(self, *, max_num_seqs: int = 8, max_model_len: int = 8192) -> None:
        options.count("max_num_seqs", max_num_seqs)
        options.count("max_model_len", max_model_len)
        self.max_num_seqs = max_num_seqs
        self.reserve_tokens = max_model_len

    def schedule(self, state: State, now: float) -> Decision:
        """Return a decode of every running request, then whole prompts as they came."""
        draft = Draft(state, inf)
        for request in state.running:
            draft.give(request)
        draft.admit(state.waiting, self.max_num_seqs, whole=True, reserve=self.reserve_tokens)
        return draft.decision()
