"""Compiled schedulers that rank all requests before every batch.

The twins of :class:`Priority`, :class:`PerceptionOnly` and :class:`MLFQ` in
``serving.schedulers``: one order, given by promotion, level, value and tie, then the queue's.
"""

import numpy as np

from schedlab.serving.compiled import layout
from schedlab.serving.compiled.jit import called, inlined
from schedlab.serving.compiled.layout import Replica
from schedlab.serving.compiled.steps import blocks_for, dispossess, join, lacks, own

NEW, RUNNING, PREEMPTED = range(3)
"""How the queue lists requests of equal rank."""


@inlined
def stand(replica: Replica, i: int) -> None:
    """Let a request that arrives stand in line."""
    state = replica.state[0]
    standing = replica.standings[i]
    standing.since = state.num_batches
    if replica.rules[0].scheduler == layout.MLFQ:
        standing.value = state.last_place
        state.last_place += 1
    replica.running[state.num_running] = i
    state.num_running += 1
    state.num_waiting += 1
    state.unsorted = True


@inlined
def place(replica: Replica, i: int) -> tuple[int, int]:
    """Return where the queue has a request."""
    request = replica.requests[i]
    if request.num_blocks > 0:
        return RUNNING, request.rank
    return PREEMPTED if request.num_preemptions > 0 else NEW, request.place


@called
def precedes(replica: Replica, i: int, j: int) -> bool:
    """Return whether one request stands before another."""
    one, other = replica.standings[i], replica.standings[j]
    if one.promoted != other.promoted:
        return one.promoted
    if one.level != other.level:
        return one.level < other.level
    if one.value != other.value:
        return one.value < other.value
    if one.tie != other.tie:
        return one.tie < other.tie
    first, second = place(replica, i), place(replica, j)
    if first[0] != second[0]:
        return first[0] < second[0]
    return first[1] < second[1]


@called
def sort_all(replica: Replica) -> None:
    """Bring everybody into order; few change places from batch to batch.

    Often only the last batch's members may stand wrong, which are in front: then all is in order
    behind the first of the others that need not move.
    """
    state, running = replica.state[0], replica.running
    for start in range(1, state.num_running):
        i = running[start]
        at = start
        if not (state.unsorted or start < state.num_moved or precedes(replica, i, running[at - 1])):
            break
        while at > 0 and precedes(replica, i, running[at - 1]):
            running[at] = running[at - 1]
            at -= 1
        running[at] = i
    state.unsorted = False


@called
def promote(replica: Replica) -> None:
    """Promote who was idle for long, and take back promotions that have been used up."""
    state, rules = replica.state[0], replica.rules[0]
    for at in range(state.num_running):
        standing = replica.standings[replica.running[at]]
        if state.num_batches - standing.since >= rules.promote_after:
            standing.since = state.num_batches
            standing.promoted = True
            standing.runs = rules.quantum
            state.unsorted = True
        elif standing.promoted and standing.runs <= 0:
            standing.promoted = False
            state.unsorted = True


@called
def ranked(replica: Replica) -> None:
    """Run the first requests of the order, and take blocks from the last ones for them."""
    state, running = replica.state[0], replica.running
    if replica.rules[0].promote_after > 0:
        promote(replica)
    sort_all(replica)
    chosen, short = choose(replica)
    for at in range(state.num_running - 1, chosen - 1, -1):
        if short <= 0:
            break
        short -= replica.requests[running[at]].num_blocks
        evict(replica, running[at])
    while short > 0 and chosen > 1:
        chosen -= 1
        i = running[chosen]
        short -= counted_blocks(replica, i) + replica.requests[i].num_blocks
        evict(replica, i)
    for at in range(chosen):
        serve(replica, running[at])


@inlined
def choose(replica: Replica) -> tuple[int, int]:
    """Return how many fit the budget, noting the tokens of each, and the blocks they lack."""
    state, rules = replica.state[0], replica.rules[0]
    chosen, left = 0, state.tokens_left
    short = rules.watermark_blocks - state.free_blocks
    while chosen < min(state.num_running, rules.max_num_seqs) and left > 0:
        i = replica.running[chosen]
        request = replica.requests[i]
        wanted = max(1, request.num_prefill_tokens - request.num_computed_tokens)
        request.scheduled = min(left, wanted)
        left -= request.scheduled
        short += counted_blocks(replica, i)
        chosen += 1
    return chosen, short


@inlined
def counted_blocks(replica: Replica, i: int) -> int:
    """Return the blocks that the authors count for a request in the next batch."""
    request = replica.requests[i]
    if request.num_blocks > 0:
        return 1
    return blocks_for(replica, request.num_tokens) + (request.num_computed_tokens > 0)


@inlined
def evict(replica: Replica, i: int) -> None:
    """Take the blocks of a request that has any."""
    if replica.requests[i].num_blocks > 0:
        dispossess(replica, i)
        replica.state[0].num_waiting += 1
        replica.state[0].unsorted = True


@inlined
def serve(replica: Replica, i: int) -> None:
    """Put a chosen request into the batch, with the blocks that it needs."""
    state, request = replica.state[0], replica.requests[i]
    if request.num_blocks == 0:
        request.num_blocks = blocks_for(replica, request.num_tokens)
        state.free_blocks -= request.num_blocks
        state.num_waiting -= 1
        own(replica, i)
    else:
        blocks = lacks(replica, i, request.scheduled)
        request.num_blocks += blocks
        state.free_blocks -= blocks
    join(replica, i, request.scheduled)


@called
def note_batch(replica: Replica, passed_s: float) -> None:
    """Bring the standing of the batch's members up to date."""
    state, rules = replica.state[0], replica.rules[0]
    state.num_moved = state.num_members
    start = state.first_place - state.num_members if rules.to_front else state.last_place
    for at in range(state.num_members):
        i = replica.members[at]
        standing, request = replica.standings[i], replica.requests[i]
        standing.runs -= standing.promoted
        standing.since = state.num_batches
        if rules.by_output_left:
            standing.value = request.max_tokens - request.num_output_tokens
        elif rules.scheduler == layout.PERCEPTION_ONLY:
            if standing.level == 0 and request.num_output_tokens >= rules.estimate_tokens:
                standing.level, standing.value, standing.tie = 1, standing.priority, 0
        elif rules.scheduler == layout.MLFQ:
            standing.served_s += passed_s
            if standing.served_s > replica.quanta_s[standing.level]:
                standing.level += 1
                standing.value = start + at
                standing.served_s = 0.0
    state.first_place = min(state.first_place, start)
    state.last_place = max(state.last_place, start + state.num_members)


@called
def drop_finished(replica: Replica) -> None:
    """Close the gaps that finished requests left."""
    state, running = replica.state[0], replica.running
    state.num_moved -= state.num_running
    kept = 0
    for at in range(state.num_running):
        if np.isnan(replica.requests[running[at]].finish_s):
            running[kept] = running[at]
            kept += 1
    state.num_running = kept
    state.num_moved += kept
