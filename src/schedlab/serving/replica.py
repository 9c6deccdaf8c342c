"""One copy of the model: asks its scheduler for a batch, carries it out, and records it."""

from collections.abc import Generator, Mapping
from itertools import chain
from math import inf, isnan
from numbers import Integral

import simpy

from schedlab.serving import invariants
from schedlab.serving.costs import CostModel, Work
from schedlab.serving.invariants import ScheduleError, Violation
from schedlab.serving.memory import BlockMemory
from schedlab.serving.records import BATCH_COLUMNS, MEMBER_COLUMNS, Columns
from schedlab.serving.request import BatchEnd, Request
from schedlab.serving.schedulers.interface import Decision, Scheduler
from schedlab.serving.state import State

FRUITLESS_PREEMPTIONS = 1000
"""Preemptions without a single new token after which a schedule is held to be stuck."""

PREEMPTIONS = ("recompute", "swap")


class Replica:
    """One copy of the model with its own memory, queue and scheduler.

    Parameters
    ----------
    env
        Clock that all replicas share.
    scheduler, cost_model, memory
        Who decides, how long batches take, and the KV blocks.
    first_token_at_prefill, preemption, swap_block_s, score_token_s, until_s, check, keep_members
        As in :func:`schedlab.serving.engine.simulate`.

    Attributes
    ----------
    state
        What the scheduler sees.
    requests
        Every request that was submitted.
    batches, members
        Records of all batches.
    num_finished, served_tokens
        Totals.
    stopped
        Whether it reached its horizon.
    """

    def __init__(
        self,
        env: simpy.Environment,
        scheduler: Scheduler,
        cost_model: CostModel,
        memory: BlockMemory,
        *,
        first_token_at_prefill: bool = False,
        preemption: str = "recompute",
        swap_block_s: float = 1e-4,
        score_token_s: float = 0.0,
        until_s: float = inf,
        check: bool = False,
        keep_members: bool = False,
    ) -> None:
        self.env = env
        self.scheduler, self.cost_model = scheduler, cost_model
        self.name = type(scheduler).__name__
        self.state = State(memory)
        self.requests: list[Request] = []
        self.batches = Columns(BATCH_COLUMNS)
        self.members = Columns(MEMBER_COLUMNS) if keep_members else None
        self.num_finished = self.served_tokens = 0
        self.stopped = False
        self._fruitless_preemptions = 0
        self._emits = first_token_at_prefill
        self._swaps, self._swap_block_s = preemption == "swap", swap_block_s
        self._score_token_s, self._unscored_tokens = score_token_s, 0
        self._until_s = until_s
        self._reserve = getattr(scheduler, "reserve_tokens", None)
        self._check = check
        self._present: dict[int, Request] = {}
        self._arrival = env.event()

    def submit(self, request: Request) -> None:
        """Take a request in; the next batch may hold it."""
        self._present[request.request_id] = request
        self.requests.append(request)
        self.state.waiting.append(request)
        self.state.num_arrived += 1
        self.state.backlog_tokens += self._tokens_to_come(request)
        self._unscored_tokens += request.num_prompt_tokens
        if not self._arrival.triggered:
            self._arrival.succeed()

    def serve(self) -> Generator[simpy.Event, None, None]:
        """Run batch after batch; wait for an arrival when there is nothing to do."""
        while self.env.now < self._until_s:
            decision = self._decide()
            if not decision.tokens:
                self._arrival = self.env.event()
                yield self._arrival
                yield self.env.timeout(0)  # let all that arrives at this time arrive
                continue
            yield from self._run_batch(decision)
        self.stopped = True

    def error(self, what: str, request_id: int | None = None) -> ScheduleError:
        """Return the error that says what the scheduler did wrong and where."""
        where = "" if request_id is None else f", request {request_id}"
        return ScheduleError(f"{self.name}, batch {self.state.num_batches}{where}: {what}")

    def _run_batch(self, decision: Decision) -> Generator[simpy.Event, None, None]:
        start = self.env.now
        moved = self._make_room(decision)
        prefills, decodes, moved_in = self._start(decision)
        work = self._work(prefills, decodes)
        duration = self._duration(work, moved + moved_in)
        running = len(self.state.running)
        self._record(start, duration, work, decision, moved + moved_in)
        yield self.env.timeout(duration)
        self._finish(prefills, decodes, self.env.now - start)
        if self._check:
            self._check_all(work.tokens, running)
        yield self.env.timeout(0)  # a router sees this batch ended before a request that ...
        yield self.env.timeout(0)  # ... arrives now, and the request belongs in the next batch

    def _decide(self) -> Decision:
        if not self._present:
            self.state.memo = None
            return Decision({})
        decision = self.scheduler.schedule(self.state, self.env.now)
        if isinstance(decision, Mapping):
            decision = Decision(decision)
        if not isinstance(decision, Decision):
            raise self.error(
                f"schedule must return {{request_id: tokens}} or a Decision, got {decision!r}"
            )
        if decision.preempted and not decision.tokens:
            raise self.error("the batch preempts but does no work; use the blocks it frees")
        self.state.memo = decision.memo
        return decision

    def _make_room(self, decision: Decision) -> int:
        """Preempt; return the blocks that are swapped out for it."""
        self._fruitless_preemptions += len(decision.preempted)
        if self._fruitless_preemptions > FRUITLESS_PREEMPTIONS:
            raise self.error(
                f"{self._fruitless_preemptions} preemptions since the last new token: requests "
                "take each other's blocks in turn; raise total_blocks or watermark"
            )
        return sum([self._preempt(self._find(i)) for i in decision.preempted])

    def _start(self, decision: Decision) -> tuple[list[tuple[Request, int]], list[Request], int]:
        """Admit and allocate; return prefill chunks, decodes, and the blocks swapped in."""
        prefills: list[tuple[Request, int]] = []
        decodes: list[Request] = []
        moved = 0
        memory = self.state.memory
        for request_id, tokens in decision.tokens.items():
            request = self._present.get(request_id) or self._find(request_id)
            prefilling = request.num_computed_tokens < request.num_prefill_tokens
            if prefilling:
                if not isinstance(tokens, Integral) or not 1 <= tokens <= request.prefill_left:
                    raise self._wrong_tokens(request, tokens)
            elif tokens != 1:
                raise self._wrong_tokens(request, tokens)
            if not request.num_blocks:
                moved += self._admit(request, tokens)
            elif prefilling or memory.needs_block(request):
                self._grow(request, tokens)
            if prefilling:
                prefills.append((request, tokens))
            else:
                decodes.append(request)
        return prefills, decodes, moved

    def _find(self, request_id: int) -> Request:
        request = self._present.get(request_id)
        if request is None:
            raise self.error("has not arrived, or has finished", request_id)
        return request

    def _preempt(self, request: Request) -> int:
        """Take a request's blocks away; return how many of them are moved to the host."""
        if not request.num_blocks:
            raise self.error("is preempted but owns no blocks", request.request_id)
        state = self.state
        state.memory.free(request)
        request.num_preemptions += 1
        if not self._swaps:
            state.backlog_tokens -= self._tokens_to_come(request)
            request.restart()
            state.backlog_tokens += self._tokens_to_come(request)
        state.running.remove(request)
        state.waiting.insert(0, request)
        return state.memory.blocks_for(request.num_computed_tokens)

    def _admit(self, request: Request, tokens: int) -> int:
        """Give a waiting request its first blocks; return how many are moved from the host."""
        memory, held = self.state.memory, request.num_tokens
        if self._reserve is not None:
            held = max(self._reserve, request.slots_for(tokens))
        if memory.shortage(request, held) > memory.free_blocks:
            raise self.error(
                f"its {held} tokens need {memory.blocks_for(held)} blocks, "
                f"{memory.free_blocks} are free; admit it later or preempt",
                request.request_id,
            )
        memory.allocate(request, held)
        self.state.waiting.remove(request)
        self.state.running.append(request)
        if isnan(request.first_scheduled_s):  # a preempted request keeps its first time
            request.first_scheduled_s = self.env.now
        return memory.blocks_for(request.num_computed_tokens)

    def _grow(self, request: Request, tokens: int) -> None:
        memory, slots = self.state.memory, request.slots_for(tokens)
        lacking = memory.shortage(request, slots)
        if lacking > memory.free_blocks:
            kind = "chunk" if request.is_prefilling else "decode"
            blocks = "a block, none is" if lacking == 1 else f"{lacking} blocks, too few are"
            raise self.error(f"its {kind} needs {blocks} free; preempt", request.request_id)
        memory.allocate(request, slots)

    def _wrong_tokens(self, request: Request, tokens: int) -> ScheduleError:
        allowed = f"1 to {request.prefill_left}" if request.is_prefilling else "1 (it decodes)"
        return self.error(f"got {tokens!r} tokens, allowed is {allowed}", request.request_id)

    @staticmethod
    def _work(prefills: list[tuple[Request, int]], decodes: list[Request]) -> Work:
        return Work(
            tuple((tokens, request.num_computed_tokens) for request, tokens in prefills),
            len(decodes),
            sum([request.num_tokens for request in decodes]),
        )

    def _duration(self, work: Work, moved: int) -> float:
        duration = self.cost_model(work)
        if not 0 < duration < float("inf"):
            raise self.error(f"the cost model gave {duration!r} s for {work}; a time > 0 is needed")
        scored, self._unscored_tokens = self._unscored_tokens, 0
        return duration + self._swap_block_s * moved + self._score_token_s * scored

    def _record(
        self, start: float, duration: float, work: Work, decision: Decision, moved: int
    ) -> None:
        state, decode_tokens = self.state, work.decode_tokens
        self.batches.append(
            start,
            duration,
            work.tokens - decode_tokens,
            decode_tokens,
            len(decision.tokens),
            state.memory.used_blocks,
            len(state.waiting),
            len(state.running),
            len(decision.preempted),
            moved,
            state.backlog_tokens,
        )
        self.served_tokens += work.tokens
        state.backlog_tokens -= work.tokens
        if self.members is not None:
            for request_id, tokens in decision.tokens.items():
                row = (tokens, 0) if self._present[request_id].is_prefilling else (0, tokens)
                self.members.append(state.num_batches, request_id, *row)

    def _tokens_to_come(self, request: Request) -> int:
        """Tokens still to process: the rest of the prompt, and a decode for each output token."""
        left = request.prefill_left
        at_prefill = self._emits and left > 0
        return left + request.max_tokens - request.num_output_tokens - at_prefill

    def _finish(
        self, prefills: list[tuple[Request, int]], decodes: list[Request], duration: float
    ) -> None:
        """Hand out tokens, free what finished requests own, and note when the rest is ready."""
        now, state = self.env.now, self.state
        prefilled = [request for request, tokens in prefills if tokens == request.prefill_left]
        for request, tokens in prefills:
            request.num_computed_tokens += tokens
        for request in prefilled:
            if not request.token_times_s:
                request.token_times_s.append(now)
                request.num_output_tokens += self._emits
                request.num_tokens += self._emits
            elif self._emits:
                self._emit(request, now)
        for request in decodes:
            request.num_computed_tokens += 1
            self._emit(request, now)
        if decodes or self._swaps:  # with swapping nothing is lost, so any batch is progress
            self._fruitless_preemptions = 0
        for request in chain(prefilled, decodes):
            if request.num_output_tokens == request.max_tokens:
                self._remove(request)
        state.num_batches += 1
        state.mean_batch_time_s += (duration - state.mean_batch_time_s) / state.num_batches
        ready = BatchEnd(now, state.mean_batch_time_s, state.memory.use)
        for request in chain(prefilled, decodes):
            request.ready = ready

    @staticmethod
    def _emit(request: Request, now: float) -> None:
        request.num_output_tokens += 1
        request.num_tokens += 1
        request.token_times_s.append(now)

    def _remove(self, request: Request) -> None:
        request.finish_s = self.env.now
        self.state.memory.free(request)
        self.state.running.remove(request)
        del self._present[request.request_id]
        self.num_finished += 1

    def _check_all(self, tokens: int, running: int) -> None:
        state = self.state
        try:
            invariants.check_bounds(self.scheduler, tokens, running)
            invariants.check_blocks(state, whole_prompts=self._reserve is None, swap=self._swaps)
            invariants.check_requests(state, state.num_arrived, self.num_finished)
            invariants.check_progress(state)
            invariants.check_backlog(state, self._tokens_to_come)
            invariants.check_throughput(self.cost_model, self.served_tokens, self.env.now)
        except Violation as violation:
            raise self.error(violation.what, violation.request_id) from violation
