"""Compiled steps that all schedulers share: the queue, decodes, chunks, preemption, admission.

They mirror :class:`schedlab.serving.schedulers.steps.Draft`, but change the state at once: what a
draft counts here is what the engine would do with its decision.
"""

import numpy as np

from schedlab.serving.compiled.jit import called, inlined
from schedlab.serving.compiled.layout import SLAI, Replica


@inlined
def begin_batch(replica: Replica) -> None:
    """Forget the last batch."""
    state = replica.state[0]
    state.tokens_left = replica.rules[0].token_budget
    state.num_members = state.num_preempted = 0
    state.prefill_tokens = state.decode_tokens = state.decode_context = 0
    state.barrier_s = np.inf


@inlined
def sort_running(replica: Replica) -> None:
    """Bring the running requests into the scheduler's order; few change places in a batch."""
    running, requests = replica.running, replica.requests
    if not replica.state[0].unsorted:
        return
    replica.state[0].unsorted = False
    for start in range(1, replica.state[0].num_running):
        i = running[start]
        rank_s, rank = requests[i].rank_s, requests[i].rank
        at = start
        while at > 0:
            other = requests[running[at - 1]]
            if other.rank_s < rank_s or (other.rank_s == rank_s and other.rank < rank):
                break
            running[at] = running[at - 1]
            at -= 1
        running[at] = i


@inlined
def key(replica: Replica, i: int) -> tuple[float, int]:
    """Return what the queue is sorted by before the place in it."""
    rules, request = replica.rules[0], replica.requests[i]
    priority_s = request.limit_s if rules.user_priority else 0.0
    length = np.int64(request.num_prefill_tokens) if rules.shortest_first else np.int64(0)
    return priority_s, length


@called
def goes_first(replica: Replica, i: int, j: int) -> bool:
    """Return whether one waiting request is admitted before another."""
    first, second = key(replica, i), key(replica, j)
    if first[0] != second[0]:
        return first[0] < second[0]
    if first[1] != second[1]:
        return first[1] < second[1]
    return replica.requests[i].place < replica.requests[j].place


@called
def tokens_to_come(replica: Replica, i: int) -> int:
    """Return the rest of a request's prompt, and a decode for each output token left."""
    request = replica.requests[i]
    left = max(0, request.num_prefill_tokens - request.num_computed_tokens)
    at_prefill = replica.rules[0].first_token_at_prefill and left > 0
    return left + request.max_tokens - request.num_output_tokens - at_prefill


@called
def push(replica: Replica, i: int) -> None:
    """Let a request wait."""
    state, waiting = replica.state[0], replica.waiting
    at = state.num_waiting
    state.num_waiting += 1
    while at > 0:
        above = (at - 1) // 2
        if not goes_first(replica, i, waiting[above]):
            break
        waiting[at] = waiting[above]
        at = above
    waiting[at] = i


@called
def pop(replica: Replica) -> None:
    """Take the first request out of the queue."""
    state, waiting = replica.state[0], replica.waiting
    state.num_waiting -= 1
    size = state.num_waiting
    last = waiting[size]
    at = 0
    while 2 * at + 1 < size:
        below = 2 * at + 1
        if below + 1 < size and goes_first(replica, waiting[below + 1], waiting[below]):
            below += 1
        if not goes_first(replica, waiting[below], last):
            break
        waiting[at] = waiting[below]
        at = below
    waiting[at] = last


@inlined
def is_prefilling(replica: Replica, i: int) -> bool:
    """Return whether a running request has prompt left."""
    request = replica.requests[i]
    return request.num_blocks > 0 and request.num_computed_tokens < request.num_prefill_tokens


@inlined
def release(replica: Replica, i: int) -> None:
    """Take all blocks of a request back."""
    state, request = replica.state[0], replica.requests[i]
    state.free_blocks += request.num_blocks
    state.active -= 1
    request.num_blocks = 0


@called
def preempt(replica: Replica, i: int) -> None:
    """Take a request's blocks; it waits in front, and none behind it starts in this batch."""
    state, request = replica.state[0], replica.requests[i]
    priority_s, length = key(replica, i)
    if priority_s < state.barrier_s or (
        priority_s == state.barrier_s and length < state.barrier_length
    ):
        state.barrier_s, state.barrier_length = priority_s, length
    release(replica, i)
    state.backlog_tokens -= tokens_to_come(replica, i)
    request.num_computed_tokens = 0
    request.num_prefill_tokens = request.num_tokens
    state.backlog_tokens += tokens_to_come(replica, i)
    request.num_preemptions += 1
    state.num_preempted += 1
    state.front -= 1
    request.place = state.front
    push(replica, i)


@inlined
def is_barred(replica: Replica, i: int) -> bool:
    """Return whether a waiting request stands behind one that this batch preempted."""
    state = replica.state[0]
    priority_s, length = key(replica, i)
    if priority_s != state.barrier_s:
        return priority_s > state.barrier_s
    return length >= state.barrier_length


@inlined
def join(replica: Replica, i: int, tokens: int) -> None:
    """Put a request into the batch."""
    state = replica.state[0]
    replica.requests[i].scheduled = tokens
    replica.members[state.num_members] = i
    state.num_members += 1
    state.tokens_left -= tokens


@inlined
def decode(replica: Replica, i: int, first: int, last: int) -> int:
    """Let a request decode; without a free block, running ones up to ``last`` give up theirs.

    Those are preempted from the last one down to place ``first``; then the request itself is.
    The last place that still owns blocks is returned.
    """
    state, request = replica.state[0], replica.requests[i]
    if state.free_blocks < 1:
        last = make_room(replica, i, first, last)
        if request.num_blocks == 0:
            return last
    if request.num_tokens > request.num_blocks * replica.rules[0].block_size:
        request.num_blocks += 1
        state.free_blocks -= 1
    state.decode_tokens += 1
    state.decode_context += request.num_tokens
    join(replica, i, 1)
    return last


@called
def make_room(replica: Replica, i: int, first: int, last: int) -> int:
    """Preempt until a block is free, the request itself at last; return the place as above."""
    state = replica.state[0]
    while state.free_blocks < 1:
        if last <= first:
            preempt(replica, i)
            return last
        last -= 1
        preempt(replica, replica.running[last])
    return last


@inlined
def prefill(replica: Replica, i: int) -> None:
    """Continue a prompt as far as the budget goes."""
    state, request = replica.state[0], replica.requests[i]
    tokens = min(request.num_prefill_tokens - request.num_computed_tokens, state.tokens_left)
    if tokens > 0:
        state.prefill_tokens += tokens
        join(replica, i, tokens)


@called
def admit(replica: Replica, whole: bool) -> None:
    """Start prompts in order until one does not fit; ``whole`` ones only, or a first chunk."""
    state, rules = replica.state[0], replica.rules[0]
    while state.num_waiting > 0 and state.active < rules.max_num_seqs:
        i = replica.waiting[0]
        request = replica.requests[i]
        blocks = (request.num_tokens + rules.block_size - 1) // rules.block_size
        if (
            is_barred(replica, i)
            or state.tokens_left < (request.num_tokens if whole else 1)
            or state.free_blocks - blocks < rules.watermark_blocks
        ):
            return
        pop(replica)
        request.num_blocks = blocks
        state.free_blocks -= blocks
        state.active += 1
        enter(replica, i)
        prefill(replica, i)


@called
def enter(replica: Replica, i: int) -> None:
    """Put an admitted request among the running ones, and give it room for its samples."""
    state, request = replica.state[0], replica.requests[i]
    # SLAI ranks decodes by deadline and prompts behind them, by admission.
    request.rank_s = np.inf if replica.rules[0].scheduler == SLAI else request.arrival_s
    request.rank = state.num_admitted
    state.num_admitted += 1
    replica.running[state.num_running] = i
    state.num_running += 1
    state.unsorted = True
    if np.isnan(request.first_scheduled_s):
        request.first_scheduled_s = state.now
    if request.offset < 0:
        state.num_free_slots -= 1
        request.offset = replica.slots[state.num_free_slots]
