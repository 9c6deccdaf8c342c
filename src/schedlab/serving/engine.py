"""An inference engine in discrete events: batch after batch, exact to the token.

SimPy carries arrivals and the clock; between two batches a scheduler decides, and the replica
carries its decision out. A batch is atomic. By default finishing a prefill emits no token, as
in the engine of the SLAI authors, and a request of ``d`` output tokens takes ``d`` decodes.
"""

from collections.abc import Callable, Generator, Sequence
from math import inf
from typing import Any

import pandas as pd
import simpy

from schedlab.serving.costs import CostModel
from schedlab.serving.memory import TOTAL_BLOCKS, BlockMemory
from schedlab.serving.records import Run, collect_run, join_runs
from schedlab.serving.replica import FRUITLESS_PREEMPTIONS, PREEMPTIONS, Replica
from schedlab.serving.request import Request, requests_from_table
from schedlab.serving.routers import Router
from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.interface import Scheduler

__all__ = ["FRUITLESS_PREEMPTIONS", "Replica", "simulate", "simulate_fleet"]


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
    preemption: str = "recompute",
    swap_block_s: float = 1e-4,
    score_token_s: float = 0.0,
    until_s: float = inf,
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
    preemption
        What becomes of the KV cache of a preempted request: ``recompute`` forgets it, ``swap``
        moves its blocks to host memory and back before it continues.
    swap_block_s
        Seconds to move one block, added to the batch that they are moved for. The default is
        2 MiB at 20 GB/s.
    score_token_s
        Seconds that a predictor takes for a token of prompt. A batch waits for the scores of all
        requests that have come since the last one began.
    until_s
        Horizon, for loads that are not stable: requests arrive and batches begin before it
        only; the last batch runs to its end.
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
    env = simpy.Environment()
    queue = _arriving(requests, until_s)
    replica = _replica(
        env,
        queue,
        scheduler,
        cost_model,
        total_blocks=total_blocks,
        block_size=block_size,
        watermark=watermark,
        max_model_len=max_model_len,
        first_token_at_prefill=first_token_at_prefill,
        preemption=preemption,
        swap_block_s=swap_block_s,
        score_token_s=score_token_s,
        until_s=until_s,
        check=check,
        keep_members=keep_members,
    )
    _serve(env, queue, [replica], lambda states, request: 0)
    return collect_run(replica.name, queue, replica.batches, total_blocks, replica.members)


def simulate_fleet(
    requests: pd.DataFrame,
    make_scheduler: Callable[[], Scheduler],
    cost_model: CostModel,
    *,
    replicas: int,
    router: Router,
    **settings: Any,
) -> Run:
    """Serve all requests on several equal replicas behind a router.

    Parameters
    ----------
    requests, cost_model
        As in :func:`simulate`.
    make_scheduler
        Returns a scheduler of its own for each replica.
    replicas
        Number of replicas.
    router
        Says which replica gets a request when it arrives, see :mod:`schedlab.serving.routers`.
    settings
        Everything else that :func:`simulate` takes, for each replica.

    Returns
    -------
    Run
        Requests in order of arrival and the batches of all replicas, those of the first
        replica first, both with a column ``replica``. One replica gives what
        :func:`simulate` gives.
    """
    options.count("replicas", replicas)
    settings = simulate.__kwdefaults__ | settings  # equal defaults, written down once
    env = simpy.Environment()
    queue = _arriving(requests, settings["until_s"])
    fleet = [
        _replica(env, queue, make_scheduler(), cost_model, **settings) for _ in range(replicas)
    ]
    _serve(env, queue, fleet, router.choose)
    blocks = settings["total_blocks"]
    return join_runs(
        [
            collect_run(each.name, each.requests, each.batches, blocks, each.members)
            for each in fleet
        ]
    )


def _arriving(requests: pd.DataFrame, until_s: float) -> list[Request]:
    """Return the requests that arrive before the horizon, in order."""
    if not until_s > 0:
        raise ValueError(f"until_s must be > 0, got {until_s!r}")
    queue = [each for each in requests_from_table(requests) if each.arrival_s < until_s]
    if not queue:
        raise ValueError(f"no request arrives before until_s = {until_s:g}; raise it")
    return queue


def _replica(
    env: simpy.Environment,
    queue: Sequence[Request],
    scheduler: Scheduler,
    cost_model: CostModel,
    *,
    total_blocks: int,
    block_size: int,
    watermark: float,
    max_model_len: int,
    **settings: Any,
) -> Replica:
    options.one_of("preemption", settings["preemption"], PREEMPTIONS)
    options.real("swap_block_s", settings["swap_block_s"])
    options.real("score_token_s", settings["score_token_s"])
    memory = BlockMemory(total_blocks, block_size, watermark)
    _check_scheduler(scheduler)
    _check_servable(queue, memory, max_model_len)
    return Replica(env, scheduler, cost_model, memory, **settings)


def _serve(
    env: simpy.Environment,
    queue: Sequence[Request],
    fleet: Sequence[Replica],
    choose: Callable[..., int],
) -> None:
    env.process(_arrive(env, queue, fleet, choose))
    for replica in fleet:
        env.process(replica.serve())
    env.run()
    for replica in fleet:
        _check_all_served(replica)


def _arrive(
    env: simpy.Environment,
    queue: Sequence[Request],
    fleet: Sequence[Replica],
    choose: Callable[..., int],
) -> Generator[simpy.Event, None, None]:
    """Submit every request at its time, those of equal time in their order."""
    states = [replica.state for replica in fleet]
    for request in queue:
        while env.now < request.arrival_s:
            yield env.timeout(request.arrival_s - env.now)
            yield env.timeout(0)  # batches that end now have ended
        index = choose(states, request)
        if index not in range(len(fleet)):
            raise ValueError(
                f"router: request {request.request_id}: chose replica {index!r}, "
                f"there are 0 to {len(fleet) - 1}"
            )
        fleet[index].submit(request)


def _check_scheduler(scheduler: Scheduler) -> None:
    if not callable(getattr(scheduler, "schedule", None)):
        kind = type(scheduler).__name__
        raise ValueError(f"a scheduler needs schedule(state, now); {kind} has no method schedule")


def _check_all_served(replica: Replica) -> None:
    state = replica.state
    if not replica.stopped and (state.waiting or state.running):
        raise replica.error(
            "the batch is empty, but no request will arrive any more and "
            f"{len(state.waiting)} wait, {len(state.running)} run; name at least one of them"
        )


def _check_servable(requests: Sequence[Request], memory: BlockMemory, max_model_len: int) -> None:
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
