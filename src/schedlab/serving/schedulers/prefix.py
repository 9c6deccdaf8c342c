"""Preemptive batches: the first requests of an order run, and memory is made for them.

Every scheduler of *Efficient LLM Scheduling by Learning to Rank* (arXiv 2408.15792) but FCFS
builds its batches like this, in the paper's Algorithm 1 and in the authors' code; they differ in
the order only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.steps import Draft

if TYPE_CHECKING:
    from schedlab.serving.request import Request
    from schedlab.serving.state import State

Chosen = list[tuple["Request", int]]


class StrictPrefix:
    """Base of the schedulers that rank all requests before every batch.

    The first of the order run, up to the first that does not fit the budget: nobody overtakes.
    A request that is displaced keeps its blocks until they are needed. Then those that are not
    selected lose theirs, the last of the order first, and if that is not enough, selected ones
    do, from the tail. As in the authors' code a running request is counted with one more block
    whether it needs it or not, and a swapped-out one with one more than it had. Their step that
    swaps in further requests where budget is left never finds any: with budget left, all are
    selected. The authors preempt by swap only; the engine's ``preemption`` decides.

    Parameters
    ----------
    max_num_batched_tokens
        Tokens in a batch.
    max_num_seqs
        Most requests in a batch; displaced ones may own blocks beside them.
    """

    def __init__(self, max_num_batched_tokens: int, max_num_seqs: int) -> None:
        options.count("max_num_batched_tokens", max_num_batched_tokens)
        options.count("max_num_seqs", max_num_seqs)
        self.max_num_batched_tokens, self.batch_seqs = max_num_batched_tokens, max_num_seqs

    def _batch(self, state: State, order: list[Request]) -> Draft:
        """Return the batch of an order, with the preemptions that it takes."""
        draft = Draft(state, self.max_num_batched_tokens)
        chosen, evicted = make_room(state, order, self._first(order))
        for request in evicted:
            draft.preempt(request)
        for request, tokens in chosen:
            draft.give(request, tokens)
        return draft

    def _first(self, order: list[Request]) -> Chosen:
        """Return the requests that fit the budget, each with its tokens."""
        chosen: Chosen = []
        left = self.max_num_batched_tokens
        for request in order[: self.batch_seqs]:
            if left < 1:
                break
            tokens = min(left, request.prefill_left or 1)
            chosen.append((request, tokens))
            left -= tokens
        return chosen


def queue(state: State) -> list[Request]:
    """Return all requests as the authors' code lists them: new, running, preempted ones.

    Their sort is stable, so this is the order among equals.
    """
    return [
        *[request for request in state.waiting if not request.num_preemptions],
        *state.running,
        *[request for request in state.waiting if request.num_preemptions],
    ]


def make_room(state: State, order: list[Request], chosen: Chosen) -> tuple[Chosen, list[Request]]:
    """Return who still runs, and who loses its blocks, in this order."""
    memory, chosen, evicted = state.memory, list(chosen), []
    short = (
        sum(_blocks(state, request) for request, _ in chosen)
        - memory.free_blocks
        + memory.watermark_blocks
    )
    for request in reversed(order[len(chosen) :]):
        if short > 0 and request.num_blocks:
            evicted.append(request)
            short -= request.num_blocks
    while short > 0 and len(chosen) > 1:  # alone, the first always fits
        request, _ = chosen.pop()
        short -= _blocks(state, request) + request.num_blocks
        if request.num_blocks:
            evicted.append(request)
    return chosen, evicted


def _blocks(state: State, request: Request) -> int:
    """Return the blocks that the authors count for a request in the next batch."""
    if request.num_blocks:
        return 1
    return state.memory.blocks_for(request.num_tokens) + request.is_swapped
