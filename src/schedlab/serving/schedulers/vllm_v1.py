"""vLLM version 1: one token budget, running requests first, memory taken chunk by chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.steps import Draft

if TYPE_CHECKING:
    from schedlab.serving.request import Request
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State

POLICIES = ("fcfs", "priority")


class VLLMv1:
    """The scheduler of vLLM's V1 engine as of vLLM 0.33, without prefix caching.

    There are no phases: each running request gets what it lacks, a decode or as much of its
    prompt as the budget allows, then waiting ones start. Blocks are taken for the tokens of the
    batch only, and decodes may use the last one. When they run out a running request is
    preempted, and then none starts in this batch. vLLM emits a token with the prompt: use the
    engine's ``first_token_at_prefill``.

    Parameters
    ----------
    policy
        ``fcfs``: requests start in order of arrival, and the one that started last is preempted.
        ``priority``: the smallest ``priority`` starts first and the largest is preempted, ties
        by arrival, then by ``request_id``.
    max_num_batched_tokens
        Tokens in a batch.
    max_num_seqs
        Most requests that may run.
    long_prefill_token_threshold
        Most prompt tokens of one request in a batch while others are there; 0 for no limit.
    scheduler_reserve_full_isl
        Whether a prompt starts only if all of it fits the free blocks, not just its first chunk.
    """

    reserve_tokens = 0

    def __init__(
        self,
        *,
        policy: str = "fcfs",
        max_num_batched_tokens: int = 2048,
        max_num_seqs: int = 128,
        long_prefill_token_threshold: int = 0,
        scheduler_reserve_full_isl: bool = True,
    ) -> None:
        options.one_of("policy", policy, POLICIES)
        options.count("max_num_batched_tokens", max_num_batched_tokens)
        options.count("max_num_seqs", max_num_seqs)
        if long_prefill_token_threshold != 0:
            options.count("long_prefill_token_threshold (unless 0)", long_prefill_token_threshold)
        options.flag("scheduler_reserve_full_isl", scheduler_reserve_full_isl)
        self.policy = policy
        self.max_num_batched_tokens, self.max_num_seqs = max_num_batched_tokens, max_num_seqs
        self.long_prefill_token_threshold = long_prefill_token_threshold
        self.scheduler_reserve_full_isl = scheduler_reserve_full_isl

    def schedule(self, state: State, now: float) -> Decision:
        """Return running requests in order of admission, then waiting ones."""
        longest = self.max_num_batched_tokens
        if len(state.waiting) + len(state.running) > 1:
            longest = self.long_prefill_token_threshold or longest
        draft = Draft(state, self.max_num_batched_tokens)
        self._continue(draft, list(state.running), longest)
        if not draft.preempted:
            self._start(draft, state, longest)
        return draft.decision()

    def _continue(self, draft: Draft, running: list[Request], longest: int) -> None:
        done = 0
        while done < len(running) and draft.tokens_left > 0:
            request = running[done]
            tokens = _chunk(draft, request, longest)
            while draft.lacks(request, tokens):
                victim = self._victim(running)
                done -= running.index(victim) < done
                running.remove(victim)
                draft.preempt(victim)
                if victim is request:
                    break
            else:
                draft.extend(request, tokens)
                done += 1

    def _start(self, draft: Draft, state: State, longest: int) -> None:
        waiting = state.waiting
        if self.policy == "priority":
            waiting = sorted(waiting, key=_by_priority)
        for request in waiting:
            if draft.tokens_left <= 0 or draft.active >= self.max_num_seqs:
                return
            tokens = _chunk(draft, request, longest)
            held = request.num_tokens if self.scheduler_reserve_full_isl else tokens
            if draft.lacks(request, tokens) or state.memory.blocks_for(held) > draft.free_blocks:
                return
            draft.extend(request, tokens)

    def _victim(self, running: list[Request]) -> Request:
        if self.policy == "fcfs":
            return running[-1]
        return max(running, key=_by_priority)


def _chunk(draft: Draft, request: Request, longest: int) -> int:
    return min(request.prefill_left or 1, longest, draft.tokens_left)


def _by_priority(request: Request) -> tuple[float, float, int]:
    return request.priority, request.arrival_s, request.request_id
