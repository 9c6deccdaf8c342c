"""The compiled engine's state: records in flat arrays, with the names of the plain engine.

Integers are 4 bytes where a count of tokens or blocks fits, so that a million requests take
about 150 MB.
"""

from typing import NamedTuple

import numpy as np

from schedlab.serving.records import BATCH_COLUMNS

SCHEDULERS = range(11)
SARATHI, SLAI, VLLM_V0, VLLM_V1, RAD, STATIC_SPLIT, ORCA, FASTER_TRANSFORMER = SCHEDULERS[:8]
PRIORITY, PERCEPTION_ONLY, MLFQ = SCHEDULERS[8:]
"""The last three rank everybody before every batch."""
BY_ARRIVAL, BY_ADMISSION, DECODES_FIRST = range(3)
"""How a scheduler ranks running requests; the last has prompts behind decodes, by admission."""
TOKENS_AND_CONTEXT, TOKENS_AND_ATTENTION, SEQUENCES = range(3)
"""What a batch's time is made of."""

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

STANDING = np.dtype(
    [
        ("priority", "f8"),
        ("value", "f8"),  # rank within the level; the smaller goes first
        ("tie", "i8"),
        ("level", "i8"),
        ("served_s", "f8"),  # at this level
        ("since", "i8"),  # batch from which its idle ones count
        ("promoted", "?"),
        ("runs", "i8"),  # batches that its promotion is still good for
    ],
    align=True,
)
"""What ranked schedulers know of a request beside what all do."""

RULES = np.dtype(
    [
        ("scheduler", "i8"),
        ("default_limit_s", "f8"),
        ("ranks_all", "?"),  # whether everybody is ranked before every batch
        ("shortest_first", "?"),
        ("ranked_first", "?"),  # whether prompts start by priority
        ("ranked_decodes", "?"),  # whether decodes that are not critical go by priority
        ("user_priority", "?"),
        ("first_token_at_prefill", "?"),
        ("swaps", "?"),
        ("swap_block_s", "f8"),
        ("score_token_s", "f8"),
        ("until_s", "f8"),
        ("most_fruitless", "i8"),  # preemptions without a new token
        ("token_budget", "i8"),
        ("max_num_seqs", "i8"),
        ("ranks", "i8"),
        ("reserve_tokens", "i8"),  # least that an admitted request gets blocks for
        ("longest_chunk", "i8"),  # while others are there
        ("reserves_prompt", "?"),  # start only what fits as a whole
        ("prefills", "i8"),  # in a cycle, or in a row
        ("decodes", "i8"),
        ("limit_total_decodes", "i8"),
        ("below", "f8"),
        ("above", "f8"),
        ("memory_limit", "f8"),
        ("by_output_left", "?"),
        ("promote_after", "i8"),  # batches, 0 for never
        ("quantum", "i8"),  # batches that a promoted request runs
        ("estimate_tokens", "i8"),
        ("to_front", "?"),  # where who drops a level goes
        ("total_blocks", "i8"),
        ("block_size", "i8"),
        ("watermark_blocks", "i8"),
        ("cost", "i8"),
        ("batch_s", "f8"),
        ("request_s", "f8"),
        ("prefill_token_s", "f8"),
        ("context_token_s", "f8"),
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
        ("num_moved", "i8"),  # the first of the running that may have changed rank
        ("front", "i8"),  # place of the request preempted last
        ("free_blocks", "i8"),
        ("fruitless_preemptions", "i8"),
        ("backlog_tokens", "i8"),
        ("unscored_tokens", "i8"),  # of prompts that came since the last batch began
        ("first_place", "i8"),  # in the levels of a feedback queue
        ("last_place", "i8"),
        ("num_rows", "i8"),
        ("num_free_slots", "i8"),
        ("num_done", "i8"),  # entries of `done`
        # the batch under construction
        ("memo", "i8"),  # what the scheduler remembers
        ("tokens_left", "i8"),
        ("num_members", "i8"),
        ("num_preempted", "i8"),
        ("swapped_blocks", "i8"),
        ("num_prefills", "i8"),
        ("prefill_tokens", "i8"),
        ("decode_tokens", "i8"),
        ("decode_context", "i8"),
        ("barrier_s", "f8"),  # no waiting request from here on may start in this batch
        ("barrier_length", "f8"),
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
    standings
        One record for each request, or none where the scheduler does not rank.
    running
        Requests that own blocks, in the order in which the scheduler ranks them; everybody that
        is here, where all are ranked.
    waiting
        Binary heap in the order in which the scheduler admits; unused where all are ranked.
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
    tokens_s
        Seconds of a batch by its tokens, without what depends on contexts.
    prompt_s, contexts, decodes_s
        Attention: seconds of a whole prompt by its length, and of decodes, one row for each of
        these contexts and one column for each number of decodes.
    quanta_s
        Time at each level of a feedback queue.
    """

    state: np.ndarray
    rules: np.ndarray
    requests: np.ndarray
    standings: np.ndarray
    running: np.ndarray
    waiting: np.ndarray
    members: np.ndarray
    samples_s: np.ndarray
    slots: np.ndarray
    done: np.ndarray
    rows: np.ndarray
    tokens_s: np.ndarray
    prompt_s: np.ndarray
    contexts: np.ndarray
    decodes_s: np.ndarray
    quanta_s: np.ndarray


BATCH = np.dtype(list(BATCH_COLUMNS.items()))
