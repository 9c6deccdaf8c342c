"""The compiled loop over batches, the twin of :class:`schedlab.serving.engine.Replica`."""

import numpy as np

from schedlab.serving.compiled.batch_time import seconds
from schedlab.serving.compiled.jit import cached, called, inlined
from schedlab.serving.compiled.layout import DECODES_FIRST, SLAI, Replica
from schedlab.serving.compiled.policies import schedule
from schedlab.serving.compiled.ranked import drop_finished, note_batch, stand
from schedlab.serving.compiled.steps import begin_batch, push, release, tokens_to_come

SERVED, NEEDS_ROOM, FAILED = range(3)


@cached
def advance(replica: Replica) -> int:
    """Run batch after batch until all is served, an array is full, or nothing can go on."""
    state, requests = replica.state[0], replica.requests
    while state.num_finished < len(requests) and state.now < replica.rules[0].until_s:
        arrive(replica)
        if lacks_room(replica):
            return NEEDS_ROOM
        begin_batch(replica)
        if state.num_arrived > state.num_finished:
            schedule(replica)
        else:
            state.memo = 0
        if state.num_members == 0:
            if state.num_preempted > 0 or state.num_arrived == len(requests):
                return FAILED
            state.now = requests[state.num_arrived].submitted_s
            continue
        if not run_batch(replica):
            return FAILED
    return SERVED


@called
def arrive(replica: Replica) -> None:
    """Take in all that has arrived by now."""
    state, requests = replica.state[0], replica.requests
    while state.num_arrived < len(requests):
        i = state.num_arrived
        if requests[i].submitted_s > state.now:
            return
        requests[i].place = i
        if replica.rules[0].ranks_all:
            stand(replica, i)
        else:
            push(replica, i)
        state.num_arrived += 1
        state.unscored_tokens += requests[i].num_tokens
        state.backlog_tokens += tokens_to_come(replica, i)


@inlined
def lacks_room(replica: Replica) -> bool:
    """Return whether the next batch might not find room for its row or for token times."""
    state, rules = replica.state[0], replica.rules[0]
    if state.num_rows == len(replica.rows):
        return True
    admitted = min(rules.max_num_seqs, state.num_waiting, rules.total_blocks)
    return len(replica.slots) > 0 and state.num_free_slots < admitted


@inlined
def run_batch(replica: Replica) -> bool:
    """Let the batch take its time; return False where the plain engine would refuse it."""
    state, rules = replica.state[0], replica.rules[0]
    state.fruitless_preemptions += state.num_preempted
    duration = seconds(replica)
    if state.fruitless_preemptions > rules.most_fruitless or not 0 < duration < np.inf:
        return False
    duration += rules.swap_block_s * state.swapped_blocks
    duration += rules.score_token_s * state.unscored_tokens
    state.unscored_tokens = 0
    start = state.now
    record(replica, duration)
    state.now = start + duration
    finished = hand_out(replica)
    if state.decode_tokens > 0 or rules.swaps:
        state.fruitless_preemptions = 0
    state.num_batches += 1
    passed = state.now - start
    state.mean_batch_time_s += (passed - state.mean_batch_time_s) / state.num_batches
    if rules.ranks_all:
        note_batch(replica, passed)
        if finished:
            drop_finished(replica)
        return True
    if rules.ranks == DECODES_FIRST:
        rank_decodes(replica)
    if finished or state.num_preempted > 0:
        drop_idle(replica)
    return True


@inlined
def record(replica: Replica, duration: float) -> None:
    """Write the row of the batch that starts now."""
    state = replica.state[0]
    row = replica.rows[state.num_rows]
    state.num_rows += 1
    row.start_s = state.now
    row.duration_s = duration
    row.prefill_tokens = state.prefill_tokens
    row.decode_tokens = state.decode_tokens
    row.requests = state.num_members
    row.used_blocks = replica.rules[0].total_blocks - state.free_blocks
    row.waiting = state.num_waiting
    row.running = state.active
    row.preemptions = state.num_preempted
    row.swapped_blocks = state.swapped_blocks
    row.backlog_tokens = state.backlog_tokens
    state.backlog_tokens -= state.prefill_tokens + state.decode_tokens


@inlined
def hand_out(replica: Replica) -> bool:
    """Give every member its tokens; return whether any finished."""
    state, rules = replica.state[0], replica.rules[0]
    before = state.num_finished
    for at in range(state.num_members):
        i = replica.members[at]
        request = replica.requests[i]
        decodes = request.num_computed_tokens >= request.num_prefill_tokens
        request.num_computed_tokens += request.scheduled
        if request.num_computed_tokens < request.num_prefill_tokens:
            continue
        is_first = np.isnan(request.first_token_s)
        if is_first:
            request.first_token_s = request.last_token_s = state.now
        if decodes or rules.first_token_at_prefill:
            request.num_tokens += 1
            request.num_output_tokens += 1
            if not is_first:
                add_sample(replica, i)
        if request.num_output_tokens == request.max_tokens:
            request.finish_s = state.now
            release(replica, i)
            replica.done[state.num_done] = i
            state.num_done += 1
            state.num_finished += 1
    return state.num_finished > before


@inlined
def add_sample(replica: Replica, i: int) -> None:
    """Note the time since a request's last token."""
    now, request = replica.state[0].now, replica.requests[i]
    replica.samples_s[request.offset + request.num_samples] = now - request.last_token_s
    request.last_token_s = now
    request.num_samples += 1


@inlined
def rank_decodes(replica: Replica) -> None:
    """Rank all that decode next: SLAI by last schedulable time, others by arrival."""
    state, rules = replica.state[0], replica.rules[0]
    use = (rules.total_blocks - state.free_blocks) / rules.total_blocks
    theta = rules.above if use >= rules.memory_limit else rules.below
    state.unsorted = True
    for at in range(state.num_members):
        i = replica.members[at]
        request = replica.requests[i]
        if request.num_blocks > 0 and request.num_computed_tokens >= request.num_prefill_tokens:
            if rules.scheduler != SLAI:
                request.rank_s = request.arrival_s
                continue
            request.rank_s = state.now + request.limit_s - theta * state.mean_batch_time_s
            request.rank = i


@called
def drop_idle(replica: Replica) -> None:
    """Close the gaps that requests without blocks left among the running."""
    state, running = replica.state[0], replica.running
    kept = 0
    for at in range(state.num_running):
        if replica.requests[running[at]].num_blocks > 0:
            running[kept] = running[at]
            kept += 1
    state.num_running = kept
