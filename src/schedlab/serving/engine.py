"""An inference engine in discrete events: batch after batch, exact to the token.

SimPy carries arrivals and the clock; between two batches a scheduler decides, and the replica
carries its decision out. A batch is atomic. By default finishing a prefill emits no token, as
in the engine of the SLAI authors, and a request of ``d`` output tokens takes ``d`` decodes.
"""

from collections.abc import Generator, Mapping
from itertools import chain
from math import isnan
from numbers import Integral

import pandas as pd
import simpy

from schedlab.serving import invariants
from schedlab.serving.costs import CostModel, Work
from schedlab.serving.invariants import ScheduleError, Violation
from schedlab.serving.memory import TOTAL_BLOCKS, BlockMemory
from schedlab.serving.records import BATCH_COLUMNS, MEMBER_COLUMNS, Columns, Run, collect_run
from schedlab.serving.request import BatchEnd, Request, requests_from_table
from schedlab.serving.schedulers.interface import Decision, Scheduler
from schedlab.serving.state import State

FRUITLESS_PREEMPTIONS = 1000
"""Preemptions without a single new token after which a schedule is held to be stuck."""


def simulate(
    requests: pd.DataFrame,
    scheduler: Scheduler,
    cost_model: CostModel,
    *,
    total_blocks: int = TOTAL_BLOCKS,
    block_size: int = 16,
    watermark: float = 0.01,
    max_model_len: int = 8192,
    first_token_at_prefill: bool = False,
    check: bool = False,
    keep_members: bool = False,
) -> Run:
    """Serve all requests on one replica.

    Parameters
    ----------
    requests
        Request table, see :func:`schedlab.serving.request.requests_from_table`.
    scheduler
        Object with ``schedule(state, now)``.
    cost_model
        Maps a batch's work to seconds.
    total_blocks, block_size, watermark
        KV memory, see :class:`schedlab.serving.memory.BlockMemory`.
    max_model_len
        Longest prompt plus output that the model takes.
    first_token_at_prefill
        Whether the batch that finishes a prefill emits a token, as in current engines.
    check
        Whether to check every invariant after every batch.
    keep_members
        Whether to keep which request got which tokens in which batch.

    Raises
    ------
    ValueError
        If the table is wrong or a request can never be served.
    ScheduleError
        If the scheduler asks for something impossible, or leaves requests unserved.
    """
    queue = requests_from_table(requests)
    memory = BlockMemory(total_blocks, block_size, watermark)
    _check_scheduler(scheduler)
    _check_servable(queue, memory, max_model_len)
    replica = Replica(
        simpy.Environment(),
        scheduler,
        cost_model,
        memory,
        first_token_at_prefill=first_token_at_prefill,
        check=check,
        keep_members=keep_members,
    )
    env = replica.env
    env.process(_arrive(env, queue, replica))
    env.process(replica.serve())
    env.run()
    _check_all_served(replica, len(queue))
    return collect_run(replica.name, queue, replica.batches, total_blocks, replica.members)


class Replica:
    """One copy of the model with its own memory, queue and scheduler.

    Parameters
    ----------
    env
        Clock that all replicas share.
    scheduler, cost_model, memory, first_token_at_prefill, check, keep_members
        As in :func:`simulate`.

    Attributes
    ----------
    state
        What the scheduler sees.
    batches, members
        Records of all batches.
    num_arrived, num_finished, served_tokens
        Totals.
    """

    def __init__(
        self,
        env: simpy.Environment,
        scheduler: Scheduler,
        cost_model: CostModel,
        memory: BlockMemory,
        *,
        first_token_at_prefill: bool = False,
        check: bool = False,
        keep_members: bool = False,
    ) -> None:
        self.env = env
        self.scheduler, self.cost_model = scheduler, cost_model
        self.name = type(scheduler).__name__
        self.state = State(memory)
        self.batches = Columns(BATCH_COLUMNS)
        self.members = Columns(MEMBER_COLUMNS) if keep_members else None
        self.num_arrived = self.num_finished = self.served_tokens = 0
        self._fruitless_preemptions = 0
        self._emits = first_token_at_prefill
        self._check = check
        self._present: dict[int, Request] = {}
        self._arrival = env.event()

    def submit(self, request: Request) -> None:
        """Take a request in; the next batch may hold it."""
        self._present[request.request_id] = request
        self.state.waiting.append(request)
        self.num_arrived += 1
        if not self._arrival.triggered:
            self._arrival.succeed()

    def serve(self) -> Generator[simpy.Event, None, None]:
        """Run batch after batch; wait for an arrival when there is nothing to do."""
        while True:
            decision = self._decide()
            if not decision.tokens:
                self._arrival = self.env.event()
                yield self._arrival
                yield self.env.timeout(0)  # let all that arrives at this time arrive
                continue
            start = self.env.now
            prefills, decodes = self._start(decision)
            work = self._work(prefills, decodes)
            duration = self._duration(work)
            running = len(self.state.running)
            self._record(start, duration, work, decision)
            yield self.env.timeout(duration)
            self._finish(prefills, decodes, self.env.now - start)
            if self._check:
                self._check_all(work.tokens, running)
            yield self.env.timeout(0)  # a request that arrives now belongs in the next batch

    def error(self, what: str, request_id: int | None = None) -> ScheduleError:
        """Return the error that says what the scheduler did wrong and where."""
        where = "" if request_id is None else f", request {request_id}"
        return ScheduleError(f"{self.name}, batch {self.state.num_batches}{where}: {what}")

    def _decide(self) -> Decision:
        if not self._present:
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
        return decision

    def _start(self, decision: Decision) -> tuple[list[tuple[Request, int]], list[Request]]:
        """Preempt, admit and allocate; return the prefill chunks and the decodes."""
        self._fruitless_preemptions += len(decision.preempted)
        if self._fruitless_preemptions > FRUITLESS_PREEMPTIONS:
            raise self.error(
                f"{self._fruitless_preemptions} preemptions since the last new token: requests "
                "take each other's blocks in turn; raise total_blocks or watermark"
            )
        for request_id in decision.preempted:
            self._preempt(self._find(request_id))
        prefills: list[tuple[Request, int]] = []
        decodes: list[Request] = []
        memory = self.state.memory
        for request_id, tokens in decision.tokens.items():
            request = self._present.get(request_id) or self._find(request_id)
            if not request.num_blocks:
                self._admit(request)
            if request.num_computed_tokens < request.num_prefill_tokens:
                if not isinstance(tokens, Integral) or not 1 <= tokens <= request.prefill_left:
                    raise self._wrong_tokens(request, tokens)
                prefills.append((request, tokens))
            else:
                if tokens != 1:
                    raise self._wrong_tokens(request, tokens)
                if memory.needs_block(request):
                    self._append(request)
                decodes.append(request)
        return prefills, decodes

    def _find(self, request_id: int) -> Request:
        request = self._present.get(request_id)
        if request is None:
            raise self.error("has not arrived, or has finished", request_id)
        return request

    def _preempt(self, request: Request) -> None:
        if not request.num_blocks:
            raise self.error("is preempted but owns no blocks", request.request_id)
        self.state.memory.free(request)
        request.restart()
        self.state.running.remove(request)
        self.state.waiting.insert(0, request)

    def _admit(self, request: Request) -> None:
        memory = self.state.memory
        if not memory.can_allocate(request):
            raise self.error(
                f"its {request.num_tokens} tokens need {memory.blocks_for(request.num_tokens)} "
                f"blocks, {memory.free_blocks} are free; admit it later or preempt",
                request.request_id,
            )
        memory.allocate(request)
        self.state.waiting.remove(request)
        self.state.running.append(request)
        if isnan(request.first_scheduled_s):  # a preempted request keeps its first time
            request.first_scheduled_s = self.env.now

    def _append(self, request: Request) -> None:
        if self.state.memory.free_blocks < 1:
            raise self.error("its decode needs a block, none is free; preempt", request.request_id)
        self.state.memory.append(request)

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

    def _duration(self, work: Work) -> float:
        duration = self.cost_model(work)
        if not 0 < duration < float("inf"):
            raise self.error(f"the cost model gave {duration!r} s for {work}; a time > 0 is needed")
        return duration

    def _record(self, start: float, duration: float, work: Work, decision: Decision) -> None:
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
        )
        self.served_tokens += work.tokens
        if self.members is not None:
            for request_id, tokens in decision.tokens.items():
                row = (tokens, 0) if self._present[request_id].is_prefilling else (0, tokens)
                self.members.append(state.num_batches, request_id, *row)

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
        if decodes:
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
            invariants.check_blocks(state)
            invariants.check_requests(state, self.num_arrived, self.num_finished)
            invariants.check_progress(state)
            invariants.check_throughput(self.cost_model, self.served_tokens, self.env.now)
        except Violation as violation:
            raise self.error(violation.what, violation.request_id) from violation


def _arrive(
    env: simpy.Environment, requests: list[Request], replica: Replica
) -> Generator[simpy.Event, None, None]:
    """Submit every request at its time, those of equal time in their order."""
    for request in requests:
        while env.now < request.arrival_s:
            yield env.timeout(request.arrival_s - env.now)
        replica.submit(request)


def _check_scheduler(scheduler: Scheduler) -> None:
    if not callable(getattr(scheduler, "schedule", None)):
        kind = type(scheduler).__name__
        raise ValueError(f"a scheduler needs schedule(state, now); {kind} has no method schedule")


def _check_all_served(replica: Replica, requests: int) -> None:
    if replica.num_finished < requests:
        raise replica.error(
            "the batch is empty, but no request will arrive any more and "
            f"{len(replica.state.waiting)} wait, {len(replica.state.running)} run; "
            "name at least one of them"
        )


def _check_servable(requests: list[Request], memory: BlockMemory, max_model_len: int) -> None:
    for request in requests:
        tokens = request.num_prompt_tokens + request.max_tokens
        if tokens > max_model_len:
            raise ValueError(
                f"request {request.request_id}: prompt and output are {tokens} tokens, "
                f"max_model_len is {max_model_len}; drop it or raise the limit"
            )
        if not memory.fits_ever(tokens):
            raise ValueError(
                f"request {request.request_id}: {tokens} tokens never fit into "
                f"{memory.total_blocks} blocks of {memory.block_size}; raise total_blocks"
            )
