"""What must hold for every batch, whoever scheduled it."""

from collections.abc import Callable

from schedlab.serving.costs import CostModel
from schedlab.serving.request import Request
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


def check_blocks(state: State, *, whole_prompts: bool = True, swap: bool = False) -> None:
    """Every used block has one owner, nobody owns less than it needs, none is overdrawn.

    Parameters
    ----------
    state
        The replica's state.
    whole_prompts
        Whether a running request owns blocks for its whole prompt, or for what it computed.
    swap
        Whether waiting requests may have their KV cache in host memory.
    """
    memory = state.memory
    owned = sum(request.num_blocks for request in state.running)
    if owned != memory.used_blocks or not 0 <= owned <= memory.total_blocks:
        raise Violation(
            f"requests own {owned} blocks, memory counts {memory.used_blocks} "
            f"of {memory.total_blocks}"
        )
    for request in state.running:
        # The newest output token gets its slot when it is read, by the next decode.
        stored = request.num_tokens - (request.num_output_tokens > 0)
        if not whole_prompts:
            stored = min(stored, request.num_computed_tokens)
        if request.num_blocks < max(1, memory.blocks_for(stored)):
            raise Violation(f"{request.num_blocks} blocks for {stored} tokens", request.request_id)
    for request in state.waiting:
        if request.num_blocks or (request.num_computed_tokens and not swap):
            raise Violation("waits but owns blocks", request.request_id)


def check_backlog(state: State, tokens_to_come: Callable[[Request], int]) -> None:
    """Hold the backlog to what remains to be processed, counted request by request."""
    expected = sum(tokens_to_come(request) for request in (*state.waiting, *state.running))
    if state.backlog_tokens != expected:
        raise Violation(f"a backlog of {state.backlog_tokens} tokens, but {expected} are to come")


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
