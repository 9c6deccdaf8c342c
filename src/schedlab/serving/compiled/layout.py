"""The compiled engine's state: records in flat arrays, with the names of the plain engine.

Integers are 4 bytes where a count of tokens or blocks fits, so that a million requests take
about 150 MB.
"""

from typing import NamedTuple

import numpy as np

from schedlab.serving.records import BATCH_COLUMNS

SARATHI, SLAI, VLLM_V0 = range(3)
TABLE, STAIRCASE = range(2)

REQUEST = np.dtype(
    [
        ("arrival_s", "f8"),
        ("submitted_s", "f8"),  # arrival as the simulated clock rounds it
        ("limit_s", "f8"),  # on TBT, or the default of the scheduler
        ("first_scheduled_s", "f8"),
        ("first_token_s", "f8"),
        ("last_token_s", "f8"),
        ("finish_s", "f8"),
        ("rank_s", "f8"),  # place among the running: smaller first, then smaller rank
        ("rank", "i8"),
        ("place", "i8"),  # in the queue: grows with arrivals, falls with preemptions
        ("offset", "i8"),  # where its TBT samples begin, -1 before it has room for them
        ("max_tokens", "i4"),
        ("num_tokens", "i4"),
        ("num_output_tokens", "i4"),
        ("num_prefill_tokens", "i4"),
        ("num_computed_tokens", "i4"),
        ("num_blocks", "i4"),
        ("num_preemptions", "i4"),
        ("num_samples", "i4"),
        ("scheduled", "i4"),  # tokens in the batch that runs
        ("padding", "i4"),
    ]
)

RULES = np.dtype(
    [
        ("scheduler", "i8"),
        ("shortest_first", "?"),
        ("user_priority", "?"),
        ("first_token_at_prefill", "?"),
        ("until_s", "f8"),
        ("most_fruitless", "i8"),  # preemptions without a new token
        ("token_budget", "i8"),
        ("max_num_seqs", "i8"),
        ("limit_total_decodes", "i8"),
        ("below", "f8"),
        ("above", "f8"),
        ("memory_limit", "f8"),
        ("total_blocks", "i8"),
        ("block_size", "i8"),
        ("watermark_blocks", "i8"),
        ("cost", "i8"),
        ("tile_tokens", "i8"),
        ("pass_s", "f8"),
        ("token_s", "f8"),
        ("slope_beyond_s", "f8"),
        ("kv_read_s", "f8"),
    ],
    align=True,
)

STATE = np.dtype(
    [
        ("now", "f8"),
        ("mean_batch_time_s", "f8"),
        ("num_batches", "i8"),
        ("num_arrived", "i8"),
        ("num_finished", "i8"),
        ("num_waiting", "i8"),
        ("num_running", "i8"),  # entries of `running`; some may have lost their blocks
        ("active", "i8"),  # requests that own blocks
        ("num_admitted", "i8"),
        ("unsorted", "?"),  # whether the ranks of the running may have changed
        ("front", "i8"),  # place of the request preempted last
        ("free_blocks", "i8"),
        ("fruitless_preemptions", "i8"),
        ("backlog_tokens", "i8"),
        ("num_rows", "i8"),
        ("num_free_slots", "i8"),
        ("num_done", "i8"),  # entries of `done`
        # the batch under construction
        ("tokens_left", "i8"),
        ("num_members", "i8"),
        ("num_preempted", "i8"),
        ("prefill_tokens", "i8"),
        ("decode_tokens", "i8"),
        ("decode_context", "i8"),
        ("barrier_s", "f8"),  # no waiting request from here on may start in this batch
        ("barrier_length", "i8"),
    ],
    align=True,
)


class Replica(NamedTuple):
    """Everything one compiled simulation knows; the arrays are changed in place.

    Attributes
    ----------
    state, rules
        Counters and options, one record each.
    requests
        By arrival, ties by ``request_id``. All other arrays name requests by their row here.
    running
        Requests that own blocks, in the order in which the scheduler ranks them.
    waiting
        Binary heap in the order in which the scheduler admits.
    members
        The batch, in batch order.
    samples_s
        TBT samples; ``offset`` and ``num_samples`` of a request say where its own are.
    slots
        Stack of free stretches of ``samples_s``, for runs that do not keep all samples.
    done
        Requests that finished since this list was last emptied.
    rows
        Batches since the last time they were carried off.
    points, point_s
        Measured table of the cost model.
    """

    state: np.ndarray
    rules: np.ndarray
    requests: np.ndarray
    running: np.ndarray
    waiting: np.ndarray
    members: np.ndarray
    samples_s: np.ndarray
    slots: np.ndarray
    done: np.ndarray
    rows: np.ndarray
    points: np.ndarray
    point_s: np.ndarray


BATCH = np.dtype(list(BATCH_COLUMNS.items()))
