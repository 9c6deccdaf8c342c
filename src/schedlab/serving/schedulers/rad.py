"""RAD: batches that fill their tiles, prompts or decodes, whichever there is more need of."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.steps import Draft, by_arrival

if TYPE_CHECKING:
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State


class RAD:
    """Resource-Aware Dynamic batches, Algorithm 1 of the paper.

    A batch is one chunk of the oldest prompt (Prefill Mode) or one decode of every request that
    has its prompt (Decode Mode), never both. Decode Mode runs when ``b_col`` requests decode,
    when no prompt waits, or when the cycle ends: once ``prefills_per_cycle`` prompts are
    complete, the active requests are finished before the next prompt starts.

    The mode rule without cycles is the published one. How completed prompts are counted is
    inferred from third-party readings of the paper: the count starts at 0 when a cycle's last
    request has finished and when the replica has run empty, and a prompt that is computed again
    counts again. So are the limits by memory, which the paper assumes never to bind: a prompt
    starts only if its blocks are free above the watermark, else requests decode; and a decode
    without a free block preempts the request that arrived last.

    Parameters
    ----------
    b_col
        Tokens in a tile: most requests that decode, and the most that own KV blocks.
    b_lcm
        Tokens in a chunk, by default ``b_col``.
    prefills_per_cycle
        N, the most prompts in a cycle; None for no end.
    max_request_tokens
        Longest prompt plus output. If given, no more requests own blocks than fit at that
        length, so that nobody is ever preempted.
    """

    def __init__(
        self,
        *,
        b_col: int = 128,
        b_lcm: int | None = None,
        prefills_per_cycle: int | None = None,
        max_request_tokens: int | None = None,
    ) -> None:
        options.count("b_col", b_col)
        for option, got in (
            ("b_lcm", b_lcm),
            ("prefills_per_cycle", prefills_per_cycle),
            ("max_request_tokens", max_request_tokens),
        ):
            if got is not None:
                options.count(option, got)
        self.b_col = self.max_num_seqs = b_col
        self.b_lcm = b_lcm or b_col
        self.prefills_per_cycle = prefills_per_cycle
        self.max_request_tokens = max_request_tokens
        self.max_num_batched_tokens = max(self.b_col, self.b_lcm)

    def schedule(self, state: State, now: float) -> Decision:
        """Return one chunk or all decodes; the memo counts the prompts of this cycle."""
        completed, decoding = state.memo or 0, state.decoding
        if self._is_full(completed) and not decoding:
            completed = 0
        draft = Draft(state, self.b_lcm)
        if not self._is_full(completed) and len(decoding) < self._most(state):
            self._prefill(draft, state)
            completed += self._completes(draft, state)
        if not draft.tokens:
            rest = deque(sorted(decoding, key=by_arrival))
            while rest:
                draft.decode(rest.popleft(), victims=rest)
        return draft.decision(completed)

    def _is_full(self, completed: int) -> bool:
        return self.prefills_per_cycle is not None and completed >= self.prefills_per_cycle

    def _most(self, state: State) -> int:
        """Return how many requests may own blocks, at least one."""
        if self.max_request_tokens is None:
            return self.b_col
        memory = state.memory
        fit = memory.total_blocks - memory.watermark_blocks
        return max(1, min(self.b_col, fit // memory.blocks_for(self.max_request_tokens)))

    def _prefill(self, draft: Draft, state: State) -> None:
        started = state.prefilling
        if started:
            draft.prefill(started[0])
        else:
            draft.admit(state.waiting[:1], self._most(state))

    @staticmethod
    def _completes(draft: Draft, state: State) -> bool:
        """Return whether the chunk in the draft is the last of its prompt."""
        return any(
            request.prefill_left == draft.tokens.get(request.request_id)
            for request in (*state.prefilling, *state.waiting[:1])
        )
