"""Static splits: so many prefill iterations, then so many decode iterations, over and over."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.steps import Draft, by_arrival

if TYPE_CHECKING:
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State


class StaticSplit:
    """Prefills and decodes take turns in a fixed proportion, whatever the mix of work.

    It shows what dynamic allocation of iterations is worth: as long as prompts wait and
    decodes run, prefills get the share ``prefills / (prefills + decodes)`` of the iterations,
    so that throughput is the least of what either kind allows. A turn passes to the other kind
    if its own has nothing that can run.

    Parameters
    ----------
    prefills, decodes
        Iterations of each kind in a row.
    token_budget
        Tokens in a batch: a chunk's length, and the most decodes.
    max_num_seqs
        Most requests that may own KV blocks.
    """

    def __init__(
        self,
        *,
        prefills: int = 1,
        decodes: int = 1,
        token_budget: int = 128,
        max_num_seqs: int = 1024,
    ) -> None:
        options.count("prefills", prefills)
        options.count("decodes", decodes)
        options.count("token_budget", token_budget)
        options.count("max_num_seqs", max_num_seqs)
        self.prefills, self.decodes = prefills, decodes
        self.token_budget = self.max_num_batched_tokens = token_budget
        self.max_num_seqs = max_num_seqs

    def schedule(self, state: State, now: float) -> Decision:
        """Return prompt chunks or the oldest decodes; the memo counts iterations.

        Without a free block for a decode the running request that arrived last gives up its own.
        """
        turn = state.memo or 0
        draft = Draft(state, self.token_budget)
        kinds = [self._prefill, self._decode]
        if turn >= self.prefills:
            kinds.reverse()
        for add in kinds:
            if not draft.tokens:
                add(draft, state)
        return draft.decision((turn + 1) % (self.prefills + self.decodes))

    def _prefill(self, draft: Draft, state: State) -> None:
        for request in state.prefilling:
            draft.prefill(request)
        if draft.tokens_left > 0:
            draft.admit(state.waiting, self.max_num_seqs)

    def _decode(self, draft: Draft, state: State) -> None:
        rest = deque(sorted(state.running, key=by_arrival))
        while rest and draft.tokens_left > 0:
            request = rest.popleft()
            if not request.is_prefilling:
                draft.decode(request, victims=rest)
