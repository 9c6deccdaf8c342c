"""Steps that schedulers share: decode with preemption, prefill a chunk, admit from the queue."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from operator import attrgetter
from typing import TYPE_CHECKING

from schedlab.serving.schedulers.interface import Decision

if TYPE_CHECKING:
    from schedlab.serving.request import Request
    from schedlab.serving.state import State

ORDERS = ("fcfs", "spf")
"""First come first served; shortest prompt first."""

by_arrival = attrgetter("arrival_s")
by_priority = attrgetter("priority")
by_length = attrgetter("num_prefill_tokens")  # does not grow with the output while running


class Draft:
    """A batch under construction. It counts tokens and blocks; the state stays as it is.

    Parameters
    ----------
    state
        The replica's state.
    token_budget
        Tokens that prefills may fill the batch up to; infinite if nothing limits them.

    Attributes
    ----------
    tokens, preempted
        What :class:`Decision` will hold.
    tokens_left, free_blocks
        What is left of the budget and of the memory.
    active
        Requests that own blocks.
    """

    def __init__(self, state: State, token_budget: float) -> None:
        self._state = state
        self._block_size = state.memory.block_size
        self._grown: dict[int, int] = {}
        self.tokens: dict[int, int] = {}
        self.preempted: list[Request] = []
        self.tokens_left = token_budget
        self.free_blocks = state.memory.free_blocks
        self.active = len(state.running)

    def decode(self, request: Request, victims: MutableSequence[Request]) -> bool:
        """Let a request decode one token; return False if it was preempted instead.

        While no block is free, even if the decode needs none, the last of ``victims`` is
        preempted and removed from that list; with no victim left, the request itself is.
        """
        while self.free_blocks < 1:
            victim = victims.pop() if victims else request
            self.preempt(victim)
            if victim is request:
                return False
        if request.num_tokens > request.num_blocks * self._block_size:
            self.free_blocks -= 1
        self.give(request)
        return True

    def give(self, request: Request, tokens: int = 1) -> None:
        """Give tokens to a request for which memory has been seen to, or need not be."""
        self.tokens[request.request_id] = tokens
        self.tokens_left -= tokens

    def lacks(self, request: Request, tokens: int) -> int:
        """Return the blocks that are missing for a request to get so many tokens."""
        shortage = self._state.memory.shortage(request, request.slots_for(tokens))
        return max(0, shortage - self.free_blocks)

    def extend(self, request: Request, tokens: int) -> None:
        """Give tokens to a running or waiting request, with blocks for these tokens only."""
        blocks = self._state.memory.shortage(request, request.slots_for(tokens))
        self._grown[request.request_id] = blocks
        self.free_blocks -= blocks
        self.active += not request.num_blocks
        self.give(request, tokens)

    def preempt(self, request: Request) -> None:
        """Free all blocks of a running request, those that it got in this draft too.

        It will wait in front.
        """
        self.preempted.append(request)
        self.free_blocks += request.num_blocks + self._grown.pop(request.request_id, 0)
        self.tokens_left += self.tokens.pop(request.request_id, 0)
        self.active -= 1

    def prefill(self, request: Request) -> None:
        """Continue a running prompt as far as the budget goes."""
        self._chunk(request, request.prefill_left)

    def waiting(self, order: str = "fcfs") -> list[Request]:
        """Return the queue as it stands after the preemptions of this draft.

        ``spf`` sorts by the tokens to prefill, which count the output of a preempted request
        from the next batch on; ties keep their order.
        """
        queue = [*reversed(self.preempted), *self._state.waiting]
        return sorted(queue, key=by_length) if order == "spf" else queue

    def admit(
        self,
        queue: Iterable[Request],
        max_num_seqs: int,
        *,
        whole: bool = False,
        reserve: int | None = None,
    ) -> None:
        """Start prompts in the given order until one does not fit: nobody overtakes.

        A request that was swapped out continues where it stopped. One that this draft preempted
        does not start again in the same batch, and those behind it wait with it.

        Parameters
        ----------
        queue
            Waiting requests, the next one first.
        max_num_seqs
            Most requests that may own blocks.
        whole
            Admit only prompts that fit the budget as a whole, instead of a first chunk.
        reserve
            Tokens that a request gets blocks for; then no watermark is kept, because nobody
            grows. By default those that it has, above the watermark.
        """
        memory = self._state.memory
        spare = memory.watermark_blocks if reserve is None else 0
        for request in queue:
            blocks = memory.blocks_for(max(request.num_tokens, reserve or 0))
            wanted = request.prefill_left or 1
            if (
                request.num_blocks  # preempted just now
                or self.tokens_left < (wanted if whole else 1)
                or self.active >= max_num_seqs
                or self.free_blocks - blocks < spare
            ):
                return
            self.free_blocks -= blocks
            self.active += 1
            self._chunk(request, wanted)

    def decision(self, memo: object = None) -> Decision:
        """Return the finished batch."""
        return Decision(self.tokens, [request.request_id for request in self.preempted], memo)

    def _chunk(self, request: Request, wanted: int) -> None:
        chunk = min(wanted, self.tokens_left)
        if chunk > 0:
            self.give(request, chunk)
