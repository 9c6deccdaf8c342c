"""Serving policies: published ones keep their contract, broken ones are told what they break."""

from functools import partial

import pytest

from schedlab.serving.schedulers import SCHEDULERS, SLAI, Decision, Draft, Priority, Sarathi
from schedlab.testing import serving
from schedlab.testing.serving import check_policy

SMALL = {"max_num_seqs": 6}
OTHERS = {
    "sarathi spf": partial(Sarathi, order="spf", token_budget=64, **SMALL),
    "slai, decode limit": partial(SLAI, token_budget=16, limit_total_decodes=2, **SMALL),
    "slai, user priority": partial(SLAI, user_priority=True, offset=2, token_budget=64, **SMALL),
    "priority, promoted": partial(Priority, promote_after=5, quantum=9, max_num_seqs=3),
    "rad in cycles": partial(SCHEDULERS["rad"], b_col=6, b_lcm=32, prefills_per_cycle=3),
    "mlfq": partial(SCHEDULERS["mlfq"], quantum_s=0.05, growth=2.0, max_num_seqs=3),
    "vllm v1": partial(SCHEDULERS["vllm_v1"], policy="priority", max_num_batched_tokens=64),
}


@pytest.mark.parametrize("name", [*SCHEDULERS, *OTHERS])
def test_every_published_policy_keeps_its_contract(name):
    check_policy({**SCHEDULERS, **OTHERS}[name])


@pytest.mark.parametrize("key", ["output", "output_left"])
def test_an_oracle_keeps_it_but_for_what_it_knows(key):
    oracle = partial(Priority, key=key, max_num_seqs=3)
    check_policy(oracle, oracle=True)
    with pytest.raises(AssertionError, match="does_not_look_ahead: plenty of memory: batch"):
        check_policy(oracle)


@pytest.mark.parametrize("rule", serving.POLICY_RULES, ids=serving.name_of)
def test_rules_are_tests_of_their_own(rule):
    rule(Sarathi)


def test_the_worlds_put_memory_under_pressure_and_run_empty():
    scarce = serving._serve(serving.WORLDS[1], Sarathi(token_budget=64))
    assert scarce.batches["preemptions"].sum() > 0
    swapped = serving._serve(serving.WORLDS[2], Sarathi(token_budget=64))
    assert swapped.batches["swapped_blocks"].sum() > 0
    ends = scarce.batches["start_s"] + scarce.batches["duration_s"]
    assert (scarce.batches["start_s"][1:].to_numpy() - ends[:-1].to_numpy()).max() > 30


class Clairvoyant(Sarathi):
    """Admits who will answer shortest, as if that were known."""

    def schedule(self, state, now):
        draft = Draft(state, 512)
        for request in state.decoding:
            draft.decode(request, victims=[])
        for request in state.prefilling:
            draft.prefill(request)
        draft.admit(sorted(state.waiting, key=lambda r: r.max_tokens), 128)
        return draft.decision()


class Leaver(Sarathi):
    """Works less when it expects the rest to be little."""

    def schedule(self, state, now):
        if state.backlog_tokens < 300:
            request = next(iter(state.running or state.waiting))
            return {request.request_id: 1}
        return super().schedule(state, now)


class Greedy:
    """Gives everyone everything, whatever memory is left."""

    def schedule(self, state, now):
        return {r.request_id: r.prefill_left or 1 for r in (*state.running, *state.waiting)}


class Braggart(Sarathi):
    """Promises small batches and sends large ones."""

    def __init__(self):
        super().__init__(token_budget=512)
        self.max_num_batched_tokens = 100


class Twice(Sarathi):
    """Names the first request of a batch once more at its end."""

    def schedule(self, state, now):
        pairs = list(super().schedule(state, now).tokens.items())
        return Decision([*pairs, pairs[0]]) if len(pairs) > 2 else Decision(dict(pairs))


class PreemptsTwice(Sarathi):
    def schedule(self, state, now):
        decision = super().schedule(state, now)
        twice = [*decision.preempted, *decision.preempted]
        return Decision(decision.tokens, twice)


class Haunted(Sarathi):
    """Goes on serving whom it has seen, finished or not."""

    def __init__(self):
        super().__init__()
        self.known = []

    def schedule(self, state, now):
        tokens = dict(super().schedule(state, now).tokens)
        for request in (*state.waiting, *state.running):
            if request.request_id not in self.known:
                self.known.append(request.request_id)
        return {**tokens, self.known[0]: tokens.get(self.known[0], 1)}


class Forgetful:
    """Takes turns between prompts and decodes, and counts the turns in itself."""

    def __init__(self):
        self.turn = 0

    def schedule(self, state, now):
        self.turn += 1
        draft = Draft(state, 64)
        if self.turn % 2 or not state.decoding:
            for request in state.prefilling:
                draft.prefill(request)
            draft.admit(state.waiting, 6)
        victims = list(state.running)
        if not draft.tokens:
            for request in list(state.decoding):
                if request in victims:
                    victims.remove(request)
                    draft.decode(request, victims=victims)
        if not draft.tokens:
            draft.prefill(state.prefilling[0])
        return draft.decision()


class Overflowing(Forgetful):
    """The same with the memo, which it changes in place."""

    def schedule(self, state, now):
        memo = state.memo if state.memo is not None else [0]
        self.turn = memo[0]
        decision = super().schedule(state, now)
        memo[0] += 1
        return Decision(decision.tokens, decision.preempted, memo)


class Meddler(Sarathi):
    def schedule(self, state, now):
        state.waiting.sort(key=lambda r: r.num_prompt_tokens)
        return super().schedule(state, now)


class Idler(Sarathi):
    """Never takes up the longest prompts."""

    def schedule(self, state, now):
        tokens = super().schedule(state, now).tokens
        long = {r.request_id for r in state.waiting if r.num_prompt_tokens > 100}
        return {i: n for i, n in tokens.items() if i not in long}


class Wordy(Sarathi):
    def schedule(self, state, now):
        return [r.request_id for r in state.running]


class Fractional(Sarathi):
    max_num_seqs = None

    def __init__(self):
        super().__init__()
        self.max_num_seqs = 2.5


BROKEN = [
    (
        Clairvoyant,
        "does_not_look_ahead",
        r"batch \d+: .*\d+ tokens for request \d+ against \d+ for request \d+; max_tokens",
    ),
    (Leaver, "does_not_look_ahead", r"batch \d+: .*backlog_tokens are for oracles"),
    (
        Greedy,
        "serves_every_request_once",
        r"scarce memory: batch \d+, request \d+: its \d+ tokens need \d+ blocks, \d+ are free",
    ),
    (Braggart, "serves_every_request_once", r"batch \d+: \d+ tokens in a batch of at most 100"),
    (Twice, "serves_every_request_once", r"batch \d+, request \d+: the batch names it 2 times"),
    (PreemptsTwice, "serves_every_request_once", r"request \d+: the batch preempts it 2 times"),
    (
        Haunted,
        "serves_every_request_once",
        r"batch \d+, request \d+: the batch names it, but it is not here",
    ),
    (
        Forgetful,
        "decides_by_the_state_alone",
        r"batch \d+: a.* decides otherwise, .*Decision\.memo, else a restart or a replica forgets",
    ),
    (Overflowing, "decides_by_the_state_alone", r"batch \d+: it changed the state"),
    (Meddler, "serves_every_request_once", r"batch \d+: it changed the state that it was given"),
    (Idler, "serves_every_request_once", r"no request will arrive any more and \d+ wait"),
    (Wordy, "serves_every_request_once", r"batch 0: expected {request_id: tokens}"),
    (Fractional, "has_the_interface", r"max_num_seqs must be a whole number .* got 2.5"),
    (dict, "has_the_interface", "dict has no method schedule"),
]


@pytest.mark.parametrize(
    ("broken", "rule", "words"), BROKEN, ids=lambda x: getattr(x, "__name__", "")
)
def test_a_broken_policy_is_told_what_it_breaks_and_where(expect_broken, broken, rule, words):
    expect_broken(check_policy, broken, rule, words)
