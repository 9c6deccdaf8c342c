"""Compiled schedulers, each the twin of the class of that name in ``serving.schedulers``."""

import numpy as np

from schedlab.serving.compiled import layout
from schedlab.serving.compiled.jit import called, inlined
from schedlab.serving.compiled.layout import Replica
from schedlab.serving.compiled.ranked import ranked
from schedlab.serving.compiled.steps import (
    admit,
    blocks_for,
    decode,
    extend,
    is_prefilling,
    join,
    lacks,
    preempt,
    prefill,
    sort_running,
)

ANY = np.iinfo(np.int64).max


@inlined
def schedule(replica: Replica) -> None:
    """Build the next batch by the rules of the chosen scheduler."""
    if replica.rules[0].ranks_all:
        ranked(replica)
        return
    sort_running(replica)
    scheduler = replica.rules[0].scheduler
    if scheduler == layout.SARATHI:
        sarathi(replica)
    elif scheduler == layout.SLAI:
        slai(replica)
    elif scheduler == layout.VLLM_V0:
        vllm_v0(replica)
    elif scheduler == layout.VLLM_V1:
        vllm_v1(replica)
    elif scheduler == layout.RAD:
        rad(replica)
    elif scheduler == layout.STATIC_SPLIT:
        static_split(replica)
    else:
        reserved(replica)


@inlined
def decode_all(replica: Replica, last: int, within_budget: bool) -> int:
    """Decode by rank up to a place; return that up to which requests kept their blocks."""
    at = 0
    while at < last and not (within_budget and replica.state[0].tokens_left <= 0):
        i = replica.running[at]
        at += 1
        if not is_prefilling(replica, i):
            last = decode(replica, i, at, last)
    return last


@called
def sarathi(replica: Replica) -> None:
    """All decodes, then started prompts, then new ones."""
    last = decode_all(replica, replica.state[0].num_running, False)
    for at in range(last):
        if is_prefilling(replica, replica.running[at]):
            prefill(replica, replica.running[at])
    if replica.state[0].tokens_left > 0:
        admit(replica, False, ANY)


@called
def vllm_v0(replica: Replica) -> None:
    """Whole prompts, or else all decodes."""
    admit(replica, True, ANY)
    if replica.state[0].num_members == 0:
        decode_all(replica, replica.state[0].num_running, False)


@called
def slai(replica: Replica) -> None:
    """Critical decodes by deadline, started prompts, new prompts, other decodes by deadline."""
    state = replica.state[0]
    last = state.num_running
    decodes = started = first_prompt(replica)
    limit = replica.rules[0].limit_total_decodes
    at, last = decode_until(replica, state.now, 0, decodes, started, last, limit)
    while started < last and state.tokens_left > 0:
        prefill(replica, replica.running[started])
        started += 1
    before = state.decode_tokens
    if state.tokens_left > 0:
        admit(replica, False, ANY)
    limit += state.decode_tokens - before  # those that were swapped in do not count
    if replica.rules[0].ranked_decodes:
        sort_by_priority(replica, at, decodes)
    decode_until(replica, np.inf, at, decodes, started, last, limit)


@called
def sort_by_priority(replica: Replica, first: int, last: int) -> None:
    """Bring the running requests between two places into the order of their priority."""
    running, standings = replica.running, replica.standings
    replica.state[0].unsorted = True
    for start in range(first + 1, last):
        i = running[start]
        at = start
        while at > first and standings[running[at - 1]].priority > standings[i].priority:
            running[at] = running[at - 1]
            at -= 1
        running[at] = i


@inlined
def first_prompt(replica: Replica) -> int:
    """Return the place behind the decodes, where prompts are ranked behind them."""
    place = replica.state[0].num_running
    while place > 0 and is_prefilling(replica, replica.running[place - 1]):
        place -= 1
    return place


@inlined
def decode_until(
    replica: Replica, latest: float, at: int, decodes: int, first: int, last: int, limit: int
) -> tuple[int, int]:
    """Decode the requests from place ``at`` whose deadline is not after ``latest``.

    Prompts at the places from ``first`` to ``last`` lose their blocks where one is needed.
    """
    state = replica.state[0]
    while at < decodes and state.tokens_left > 0 and state.decode_tokens < limit:
        i = replica.running[at]
        if replica.requests[i].rank_s > latest:
            break
        at += 1
        last = decode(replica, i, first, last)
    return at, last


@called
def vllm_v1(replica: Replica) -> None:
    """Whatever running requests need, by admission, then waiting ones."""
    state, rules = replica.state[0], replica.rules[0]
    at, last = 0, state.num_running
    longest = rules.token_budget
    if state.num_waiting + state.num_running > 1:
        longest = rules.longest_chunk
    while at < last and state.tokens_left > 0:
        i = replica.running[at]
        tokens = piece(replica, i, longest)
        while at < last and lacks(replica, i, tokens) > state.free_blocks:
            last -= 1
            preempt(replica, replica.running[last])
        if at < last:
            extend(replica, i, tokens)
        at += 1
    while (
        state.num_preempted == 0
        and state.num_waiting > 0
        and state.tokens_left > 0
        and state.active < rules.max_num_seqs
    ):
        i = replica.waiting[0]
        tokens = piece(replica, i, longest)
        held = replica.requests[i].num_tokens if rules.reserves_prompt else tokens
        if max(lacks(replica, i, tokens), blocks_for(replica, held)) > state.free_blocks:
            return
        extend(replica, i, tokens)


@inlined
def piece(replica: Replica, i: int, longest: int) -> int:
    """Return the rest of a prompt as far as it goes into the batch, or one decode."""
    request = replica.requests[i]
    left = max(1, request.num_prefill_tokens - request.num_computed_tokens)
    return min(left, longest, replica.state[0].tokens_left)


@called
def rad(replica: Replica) -> None:
    """One chunk of the oldest prompt, or all decodes; the memo counts the cycle's prompts."""
    state, rules = replica.state[0], replica.rules[0]
    decodes = first_prompt(replica)
    if decodes == 0 and state.memo >= rules.prefills:
        state.memo = 0
    if state.memo < rules.prefills and decodes < rules.max_num_seqs:
        if decodes < state.num_running:
            prefill(replica, replica.running[decodes])
        else:
            admit(replica, False, 1)
        if state.num_members > 0:
            request = replica.requests[replica.members[0]]
            left = request.num_prefill_tokens - request.num_computed_tokens
            state.memo += left == request.scheduled
    if state.num_members == 0:
        decode_all(replica, decodes, False)


@called
def static_split(replica: Replica) -> None:
    """Prompts or decodes in turns; the memo counts iterations."""
    state, rules = replica.state[0], replica.rules[0]
    prompts_first = state.memo < rules.prefills
    for turn in range(2):
        if state.num_members == 0:
            if prompts_first == (turn == 0):
                continue_prompts(replica)
            else:
                decode_all(replica, state.num_running, True)
    state.memo = (state.memo + 1) % (rules.prefills + rules.decodes)


@inlined
def continue_prompts(replica: Replica) -> None:
    """Continue started prompts in order of admission, then start others."""
    state, requests = replica.state[0], replica.requests
    done = -1
    while state.tokens_left > 0:
        following = -1
        for at in range(state.num_running):
            i = replica.running[at]
            is_next = following < 0 or requests[i].rank < requests[following].rank
            if is_next and is_prefilling(replica, i) and requests[i].rank > done:
                following = i
        if following < 0:
            break
        prefill(replica, following)
        done = requests[following].rank
    if state.tokens_left > 0:
        admit(replica, False, ANY)


@called
def reserved(replica: Replica) -> None:
    """Decode all; Orca adds whole prompts, FasterTransformer only when nobody decodes."""
    for at in range(replica.state[0].num_running):
        join(replica, replica.running[at], 1)
    is_orca = replica.rules[0].scheduler == layout.ORCA
    if is_orca or replica.state[0].num_members == 0:
        admit(replica, True, ANY)
