"""Compiled steps that all schedulers share: the queue, decodes, chunks, preemption, admission.

They mirror :class:`schedlab.serving.schedulers.steps.Draft`, but change the state at once: what a
draft counts here is what the engine would do with its decision.
"""

import numpy as np

from schedlab.serving.compiled.jit import called, inlined
from schedlab.serving.compiled.layout import BY_ARRIVAL, Replica


@inlined
def begin_batch(replica: Replica) -> None:
    """Forget the last batch."""
    state = replica.state[0]
    state.tokens_left = replica.rules[0].token_budget
    state.num_members = state.num_preempted = state.num_prefills = 0
    state.prefill_tokens = state.decode_tokens = state.decode_context = 0
    state.swapped_blocks = 0
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
def key(replica: Replica, i: int) -> tuple[float, float]:
    """Return what the queue is sorted by before the place in it."""
    rules, request = replica.rules[0], replica.requests[i]
    priority_s = request.limit_s if rules.user_priority else 0.0
    if rules.ranked_first:
        return priority_s, replica.standings[i].priority
    length = np.float64(request.num_prefill_tokens) if rules.shortest_first else 0.0
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


@inlined
def blocks_for(replica: Replica, tokens: int) -> int:
    """Return the number of blocks that hold so many tokens."""
    size = replica.rules[0].block_size
    return (tokens + size - 1) // size


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
    state = replica.state[0]
    priority_s, length = key(replica, i)
    if priority_s < state.barrier_s or (
        priority_s == state.barrier_s and length < state.barrier_length
    ):
        state.barrier_s, state.barrier_length = priority_s, length
    dispossess(replica, i)
    push(replica, i)


@called
def dispossess(replica: Replica, i: int) -> None:
    """Take a running request's blocks; its place in the queue is in front."""
    state, request = replica.state[0], replica.requests[i]
    release(replica, i)
    if replica.rules[0].swaps:
        state.swapped_blocks += blocks_for(replica, request.num_computed_tokens)
    else:
        state.backlog_tokens -= tokens_to_come(replica, i)
        request.num_computed_tokens = 0
        request.num_prefill_tokens = request.num_tokens
        state.backlog_tokens += tokens_to_come(replica, i)
    request.num_preemptions += 1
    state.num_preempted += 1
    state.front -= 1
    request.place = state.front


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
    """Put a request that has its blocks into the batch."""
    state, request = replica.state[0], replica.requests[i]
    if request.num_computed_tokens < request.num_prefill_tokens:
        state.num_prefills += 1
        state.prefill_tokens += tokens
    else:
        state.decode_tokens += 1
        state.decode_context += request.num_tokens
    request.scheduled = tokens
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
        join(replica, i, tokens)


@inlined
def lacks(replica: Replica, i: int, tokens: int) -> int:
    """Return the blocks that a request is short of to hold the tokens of a batch."""
    request = replica.requests[i]
    slots = np.int64(request.num_tokens)
    if request.num_computed_tokens < request.num_prefill_tokens:
        slots = request.num_computed_tokens + tokens
    return max(0, blocks_for(replica, slots) - request.num_blocks)


@inlined
def extend(replica: Replica, i: int, tokens: int) -> None:
    """Give a running or waiting request tokens, with blocks for these only."""
    state, request = replica.state[0], replica.requests[i]
    blocks = lacks(replica, i, tokens)
    starts = request.num_blocks == 0
    request.num_blocks += blocks
    state.free_blocks -= blocks
    if starts:
        pop(replica)
        enter(replica, i)
    join(replica, i, tokens)


@called
def admit(replica: Replica, whole: bool, most: int) -> None:
    """Start at most so many prompts in order, until one does not fit.

    Prompts start as a whole or with a first chunk.
    """
    state, rules = replica.state[0], replica.rules[0]
    for _ in range(min(most, state.num_waiting, rules.max_num_seqs - state.active)):
        i = replica.waiting[0]
        request = replica.requests[i]
        blocks = blocks_for(replica, max(request.num_tokens, rules.reserve_tokens))
        wanted = max(1, request.num_prefill_tokens - request.num_computed_tokens)
        if (
            is_barred(replica, i)
            or state.tokens_left < (wanted if whole else 1)
            or state.free_blocks - blocks < rules.watermark_blocks
        ):
            return
        pop(replica)
        request.num_blocks = blocks
        state.free_blocks -= blocks
        enter(replica, i)
        join(replica, i, min(wanted, state.tokens_left))


@called
def enter(replica: Replica, i: int) -> None:
    """Put an admitted request among the running ones."""
    state = replica.state[0]
    own(replica, i)
    replica.running[state.num_running] = i
    state.num_running += 1
    state.unsorted = True


@inlined
def own(replica: Replica, i: int) -> None:
    """Note that a request owns blocks from now on; give it room for its samples."""
    state, request = replica.state[0], replica.requests[i]
    ranks = replica.rules[0].ranks
    request.rank_s = request.arrival_s if ranks == BY_ARRIVAL else np.inf
    request.rank = state.num_admitted
    state.num_admitted += 1
    state.active += 1
    state.swapped_blocks += blocks_for(replica, request.num_computed_tokens)
    if np.isnan(request.first_scheduled_s):
        request.first_scheduled_s = state.now
    if request.offset < 0:
        state.num_free_slots -= 1
        request.offset = replica.slots[state.num_free_slots]
