"""Compiled schedulers, each the twin of the class of that name in ``serving.schedulers``."""

import numpy as np

from schedlab.serving.compiled.jit import inlined
from schedlab.serving.compiled.layout import SARATHI, SLAI, Replica
from schedlab.serving.compiled.steps import admit, decode, is_prefilling, prefill, sort_running


@inlined
def schedule(replica: Replica) -> None:
    """Build the next batch by the rules of the chosen scheduler."""
    sort_running(replica)
    scheduler = replica.rules[0].scheduler
    if scheduler == SARATHI:
        sarathi(replica)
    elif scheduler == SLAI:
        slai(replica)
    else:
        vllm_v0(replica)


@inlined
def decode_all(replica: Replica) -> int:
    """Decode by rank; return the place up to which running requests kept their blocks."""
    last = replica.state[0].num_running
    at = 0
    while at < last:
        i = replica.running[at]
        at += 1
        if not is_prefilling(replica, i):
            last = decode(replica, i, at, last)
    return last


@inlined
def sarathi(replica: Replica) -> None:
    """All decodes, then started prompts, then new ones."""
    last = decode_all(replica)
    for at in range(last):
        if is_prefilling(replica, replica.running[at]):
            prefill(replica, replica.running[at])
    if replica.state[0].tokens_left > 0:
        admit(replica, False)


@inlined
def vllm_v0(replica: Replica) -> None:
    """Whole prompts, or else all decodes."""
    admit(replica, True)
    if replica.state[0].num_members == 0:
        decode_all(replica)


@inlined
def slai(replica: Replica) -> None:
    """Critical decodes by deadline, started prompts, new prompts, other decodes by deadline."""
    state = replica.state[0]
    last = state.num_running
    started = last
    while started > 0 and is_prefilling(replica, replica.running[started - 1]):
        started -= 1
    decodes = started
    at, last = decode_until(replica, state.now, 0, decodes, started, last)
    while started < last and state.tokens_left > 0:
        prefill(replica, replica.running[started])
        started += 1
    if state.tokens_left > 0:
        admit(replica, False)
    decode_until(replica, np.inf, at, decodes, started, last)


@inlined
def decode_until(
    replica: Replica, latest: float, at: int, decodes: int, first: int, last: int
) -> tuple[int, int]:
    """Decode the requests from place ``at`` whose deadline is not after ``latest``.

    Prompts at the places from ``first`` to ``last`` lose their blocks where one is needed.
    """
    state, limit = replica.state[0], replica.rules[0].limit_total_decodes
    while at < decodes and state.tokens_left > 0 and state.decode_tokens < limit:
        i = replica.running[at]
        if replica.requests[i].rank_s > latest:
            break
        at += 1
        last = decode(replica, i, first, last)
    return at, last
