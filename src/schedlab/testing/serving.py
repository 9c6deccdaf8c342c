"""What the serving engine asks of a policy: ``schedule(state, now)`` as a pure function.

>>> from schedlab.serving.schedulers import Sarathi
>>> check_policy(Sarathi)
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from schedlab.serving.costs import ADA_MISTRAL7B
from schedlab.serving.engine import simulate
from schedlab.serving.invariants import ScheduleError
from schedlab.serving.records import Run
from schedlab.serving.schedulers.interface import Decision
from schedlab.serving.state import State
from schedlab.testing.contract import Broken, Make, Rule, check, name_of, require, require_method

__all__ = ["ORACLE_RULES", "POLICY_RULES", "check_policy", "name_of"]

BLOCK_SIZE = 4
BOUNDS = ("max_num_batched_tokens", "max_num_seqs", "reserve_tokens")


@dataclass(frozen=True)
class World:
    """Requests, and a replica to serve them on.

    Attributes
    ----------
    name
        What messages call it.
    requests
        Request table.
    scarce
        Whether memory holds only two of the longest requests, so that policies must preempt.
    settings
        Further ones of :func:`schedlab.serving.engine.simulate`.
    """

    name: str
    requests: pd.DataFrame
    scarce: bool
    settings: dict[str, Any]

    def memory(self, policy: Any) -> dict[str, Any]:
        """Return the memory for a policy, which may reserve more than a request needs."""
        longest = int((self.requests["prompt_tokens"] + self.requests["output_tokens"]).max())
        one = -(-max(longest, getattr(policy, "reserve_tokens", None) or 0) // BLOCK_SIZE)
        blocks = one * 2 + 4 if self.scarce else max(4000, 2 * one)
        return {"total_blocks": blocks, "block_size": BLOCK_SIZE, "watermark": 0.1}


def _requests(seed: int, count: int, prompt: int, output: int) -> pd.DataFrame:
    """Return requests with ties in time, an idle minute after half of them, and two promises."""
    rng = np.random.default_rng(seed)
    arrivals = np.floor(np.cumsum(rng.exponential(0.05, count)) * 8) / 8
    arrivals[count // 2 :] += 60.0
    return pd.DataFrame(
        {
            "request_id": rng.permutation(count) + 100,
            "arrival_s": arrivals,
            "prompt_tokens": rng.integers(1, prompt, count),
            "output_tokens": rng.integers(1, output, count),
            "tbt_limit_s": rng.choice([0.1, 0.5], count),
            "priority": rng.integers(0, 5, count).astype(float),
        }
    )


WORLDS = (
    World("plenty of memory", _requests(1, 20, 120, 30), False, {}),
    World("scarce memory", _requests(2, 16, 50, 60), True, {}),
    World("scarce memory, swapped out", _requests(4, 12, 50, 60), True, {"preemption": "swap"}),
    World("first token at prefill", _requests(4, 8, 120, 30), False, {"first_token_at_prefill": 1}),
)
"""Where the rules look: prompts of up to 119 tokens, outputs of up to 59."""


Look = Callable[[str, State, float, Decision], None]


class Watched:
    """A policy in the engine, with someone who looks at each decision before it is carried out."""

    def __init__(self, policy: Any, look: Look | None = None) -> None:
        self.policy, self.look = policy, look
        for bound in BOUNDS:
            if (value := getattr(policy, bound, None)) is not None:
                setattr(self, bound, value)

    def schedule(self, state: State, now: float) -> Decision:
        """Return the policy's decision once it is well formed and has been looked at."""
        where = f"batch {state.num_batches}"
        before = _seen(state)
        decision = _well_formed(where, state, self.policy.schedule(state, now))
        require(
            _seen(state) == before,
            f"{where}: it changed the state that it was given; a policy reads and decides",
        )
        if self.look:
            self.look(where, state, now, decision)
        return decision


def _seen(state: State) -> str:
    return repr((state, vars(state.memory)))


def _well_formed(where: str, state: State, answer: Any) -> Decision:
    """Return an answer as a decision, or say which request is wrong in it."""
    decision = answer if isinstance(answer, Decision) else Decision(answer)
    tokens = decision.tokens
    pairs = list(tokens.items()) if isinstance(tokens, Mapping) else tokens
    is_table = isinstance(pairs, Iterable) and all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in pairs
    )
    require(is_table, f"{where}: expected {{request_id: tokens}} or a Decision, got {answer!r}")
    here = {request.request_id: request for request in (*state.waiting, *state.running)}
    for ids, verb in (([i for i, _ in pairs], "names"), (decision.preempted, "preempts")):
        for request_id, times in Counter(ids).items():
            at = f"{where}, request {request_id!r}"
            require(times == 1, f"{at}: the batch {verb} it {times} times")
            require(request_id in here, f"{at}: the batch {verb} it, but it is not here")
    for request_id in decision.preempted:
        owns = here[request_id].num_blocks
        require(owns, f"{where}, request {request_id}: is preempted but owns no blocks")
    require(
        isinstance(tokens, Mapping), f"{where}: expected {{request_id: tokens}}, got {tokens!r}"
    )
    return decision


def _serve(world: World, policy: Any, look: Look | None = None) -> Run:
    """Serve a world under a policy, with every invariant checked after every batch."""
    watched = Watched(policy, look)
    try:
        return simulate(
            world.requests,
            watched,
            ADA_MISTRAL7B,
            check=True,
            keep_members=True,
            **world.memory(policy),
            **world.settings,
        )
    except ScheduleError as error:
        raise Broken(f"{world.name}: {str(error).removeprefix('Watched, ')}") from error
    except Broken as broken:
        raise Broken(f"{world.name}: {broken}") from broken


def has_the_interface(make: Make) -> None:
    """Require ``schedule(state, now)``, and bounds that are whole numbers."""
    policy = make()
    require_method(policy, "schedule")
    for bound in BOUNDS:
        value = getattr(policy, bound, None)
        least = 0 if bound == "reserve_tokens" else 1
        right = value is None or (isinstance(value, int | np.integer) and value >= least)
        require(right, f"{bound} must be a whole number of at least {least}, got {value!r}")


def serves_every_request_once(make: Make) -> None:
    """Require that all get all their tokens, within memory and the bounds that it promises."""
    for world in WORLDS:
        run = _serve(world, make())
        wanted = world.requests.set_index("request_id")["output_tokens"]
        served = run.requests.set_index("request_id")
        lost = wanted.index.difference(served.index[served["finish_s"].notna()])
        require(lost.empty, f"{world.name}: never served requests {lost.tolist()}")
        given = run.members.groupby("request_id")["decode_tokens"].sum()
        given = given + bool(world.settings.get("first_token_at_prefill"))
        wrong = wanted.index[given.reindex(wanted.index).ge(wanted).eq(False)]
        require(wrong.empty, f"{world.name}: too few tokens for requests {wrong.tolist()}")


def decides_by_the_state_alone(make: Make) -> None:
    """Require the same answer when asked again, and of a fresh one with the same memo."""

    def look(where: str, state: State, now: float, decision: Decision) -> None:
        for asked, whom in ((policy, "asked again"), (make(), "a fresh one with the same memo")):
            again = _well_formed(where, state, asked.schedule(_copied(state), now))
            require(
                _plain(again) == _plain(decision),
                f"{where}: {whom} decides otherwise, {_apart(decision, again)}; what it "
                "remembers must travel in Decision.memo, else a restart or a replica forgets it",
            )

    for world in WORLDS[:2]:
        policy = make()
        _serve(world, policy, look)


def serves_a_second_run_as_the_first(make: Make) -> None:
    """Require that nothing of one run is left for the next."""
    world, policy = WORLDS[0], make()
    first, second = (_serve(world, policy).members for _ in range(2))
    if not first.equals(second):
        at = _first_difference(first, second)
        raise Broken(f"{world.name}: batch {at} of a second run with the same object differs")


def does_not_look_ahead(make: Make) -> None:
    """Require decisions that do not change with the tokens that requests have yet to produce."""
    policy = make()

    def look(where: str, state: State, now: float, decision: Decision) -> None:
        for hidden in (_reversed_lengths, _about_to_end):
            other = policy.schedule(hidden(_copied(state)), now)
            again = _well_formed(where, state, other)
            require(
                _plain(again) == _plain(decision),
                f"{where}: it decides otherwise where only output tokens to come differ, "
                f"{_apart(decision, again)}; max_tokens and backlog_tokens are for oracles",
            )

    for world in WORLDS[:2]:
        _serve(world, policy, look)


def _copied(state: State) -> State:
    """Return a state of its own, so that whoever is asked about it cannot change the engine's."""
    twin = copy.copy(state)
    twin.memory = copy.copy(state.memory)
    twin.waiting = [copy.copy(request) for request in state.waiting]
    twin.running = [copy.copy(request) for request in state.running]
    twin.memo = copy.deepcopy(state.memo)
    return twin


def _reversed_lengths(state: State) -> State:
    """Let who would end last end first."""
    here = [*state.waiting, *state.running]
    most = max((request.max_tokens - request.num_output_tokens for request in here), default=0)
    for request in here:
        left = request.max_tokens - request.num_output_tokens
        request.max_tokens = request.num_output_tokens + 1 + 3 * (most - left)
    state.backlog_tokens += 1000
    return state


def _about_to_end(state: State) -> State:
    """Let everybody end with the next token."""
    for request in (*state.waiting, *state.running):
        request.max_tokens = request.num_output_tokens + 1
    state.backlog_tokens = len(state.waiting) + len(state.running)
    return state


def _plain(decision: Decision) -> tuple[list[tuple[int, int]], list[int]]:
    return list(decision.tokens.items()), list(decision.preempted)


def _apart(decision: Decision, again: Decision) -> str:
    """Return the first request about which two decisions differ, in words."""
    pairs = [list(each.tokens.items()) for each in (decision, again)]
    for ours, theirs in zip(*pairs, strict=False):
        if ours != theirs:
            (one, its), (other, theirs) = ours, theirs
            return f"{its} tokens for request {one} against {theirs} for request {other}"
    if len(pairs[0]) != len(pairs[1]):
        return f"{len(pairs[0])} requests in the batch against {len(pairs[1])}"
    return f"preempting {list(decision.preempted)} against {list(again.preempted)}"


def _first_difference(first: pd.DataFrame, second: pd.DataFrame) -> int:
    both = min(len(first), len(second))
    unequal = (first[:both] != second[:both]).any(axis=1)
    return int(first["batch"][unequal.idxmax() if unequal.any() else both - 1])


ORACLE_RULES: tuple[Rule, ...] = (
    has_the_interface,
    serves_every_request_once,
    decides_by_the_state_alone,
    serves_a_second_run_as_the_first,
)
"""What holds for a policy that is meant to know the lengths of outputs, too."""

POLICY_RULES: tuple[Rule, ...] = (*ORACLE_RULES, does_not_look_ahead)


def check_policy(make: Make, *, oracle: bool = False) -> None:
    """Hold a policy of the serving engine to its contract.

    Parameters
    ----------
    make
        Returns a fresh policy: the class, or a ``functools.partial`` with options.
    oracle
        Whether it is meant to know how long outputs will be.

    Raises
    ------
    AssertionError
        Naming each broken rule, the world, the batch and the request.
    """
    check(make, ORACLE_RULES if oracle else POLICY_RULES)
