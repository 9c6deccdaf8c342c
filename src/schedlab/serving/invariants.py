"""What must hold for every batch, whoever scheduled it."""

from schedlab.serving.costs import CostModel
from schedlab.serving.schedulers.interface import Scheduler
from schedlab.serving.state import State


class ScheduleError(ValueError):
    """A scheduler asked for something impossible, or an invariant does not hold.

    The message begins with the scheduler, the number of the batch and, where one is to blame,
    the request.
    """


class Violation(Exception):
    """An invariant that does not hold; the engine adds where it happened."""

    def __init__(self, what: str, request_id: int | None = None) -> None:
        super().__init__(what)
        self.what, self.request_id = what, request_id


def check_bounds(scheduler: Scheduler, tokens: int, running: int) -> None:
    """Hold a batch to the bounds that its scheduler promises, if it promises any."""
    budget = getattr(scheduler, "max_num_batched_tokens", tokens)
    if tokens > budget:
        raise Violation(f"{tokens} tokens in a batch of at most {budget}")
    most = getattr(scheduler, "max_num_seqs", running)
    if running > most:
        raise Violation(f"{running} requests own blocks, at most {most} may")


def check_blocks(state: State) -> None:
    """Every used block has one owner, nobody owns less than it needs, none is overdrawn."""
    memory = state.memory
    owned = sum(request.num_blocks for request in state.running)
    if owned != memory.used_blocks or not 0 <= owned <= memory.total_blocks:
        raise Violation(
            f"requests own {owned} blocks, memory counts {memory.used_blocks} "
            f"of {memory.total_blocks}"
        )
    for request in state.running:
        # The newest output token gets its slot when it is read, by the next decode.
        stored = max(1, request.num_tokens - (request.num_output_tokens > 0))
        if request.num_blocks * memory.block_size < stored:
            raise Violation(f"{request.num_blocks} blocks for {stored} tokens", request.request_id)
    for request in state.waiting:
        if request.num_blocks or request.num_computed_tokens:
            raise Violation("waits but owns blocks", request.request_id)


def check_requests(state: State, arrived: int, finished: int) -> None:
    """Every request that arrived waits, runs or has finished, and is in one place only."""
    ids = [request.request_id for request in (*state.waiting, *state.running)]
    if len(set(ids)) != len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise Violation("is in the queues twice", twice)
    if len(ids) + finished != arrived:
        raise Violation(f"{arrived} arrived, but {len(ids)} are here and {finished} finished")


def check_progress(state: State) -> None:
    """Nobody is ahead of its prompt or past its output, and context is prompt plus output."""
    for request in (*state.waiting, *state.running):
        right = (
            request.num_tokens == request.num_prompt_tokens + request.num_output_tokens
            and request.num_output_tokens < request.max_tokens
            and request.num_prompt_tokens <= request.num_prefill_tokens <= request.num_tokens
            and request.num_computed_tokens <= request.num_tokens
        )
        if not right:
            raise Violation(f"its counts contradict each other: {request}", request.request_id)


def check_throughput(cost_model: CostModel, served_tokens: int, now: float) -> None:
    """Theorem 1: tokens served never exceed the peak rate of full tiles times the time."""
    peak = getattr(cost_model, "peak_tokens_per_s", None)
    if peak is not None and served_tokens > peak * now * (1 + 1e-9):
        raise Violation(f"{served_tokens} tokens by {now} s exceed the bound of {peak} tokens/s")
