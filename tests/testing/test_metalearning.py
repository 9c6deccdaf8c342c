"""Task samplers: published ones keep their contract, broken ones are told what they break."""

from functools import partial

import pytest
import torch

published = pytest.importorskip("schedlab.metalearning.schedulers", reason="it is not built")
check_sampler = pytest.importorskip("schedlab.testing.metalearning").check_sampler
SCHEDULERS, Selection = published.SCHEDULERS, published.Selection

OTHERS = {
    "ats, features": partial(SCHEDULERS["ats"], context="features"),
    "ats, as published": partial(SCHEDULERS["ats"], preset="paper"),
}


@pytest.mark.parametrize("name", [*SCHEDULERS, *OTHERS])
def test_every_published_sampler_keeps_its_contract(name):
    check_sampler({**SCHEDULERS, **OTHERS}[name], oracle=name == "oracle")


def test_an_oracle_is_told_what_it_alone_may_look_at(expect_broken):
    words = r"step 0, where only state.noisy differs, candidate \d+: its weight is"
    expect_broken(check_sampler, SCHEDULERS["oracle"], "does_not_know_what_is_noisy", words)


class Own(published.Scheduler):
    """Prefers high losses."""

    needs = frozenset({"losses"})

    def __init__(self, tensors, seed):
        super().__init__(tensors=tensors, seed=seed)

    def weights(self, state, final=False):
        return state.losses.softmax(0)


def test_a_sampler_of_ones_own_keeps_it():
    check_sampler(Own)


class Unnormalised(Own):
    def weights(self, state, final=False):
        return state.losses.exp()


class Negative(Own):
    def weights(self, state, final=False):
        return state.losses - state.losses.mean() + 1 / state.size


class Wide(Own):
    def weights(self, state, final=False):
        return super().weights(state)[None]


class Forgetful(Own):
    """Sharpens with every update, and saves nothing of that."""

    sharpness = 1.0

    def weights(self, state, final=False):
        return (self.sharpness * state.losses).softmax(0)

    def update(self, feedback):
        self.sharpness *= 1.1


class Impatient(Forgetful):
    """Sharpens whenever it is asked."""

    def weights(self, state, final=False):
        self.sharpness *= 1.1
        return super().weights(state)


class First(Own):
    """Prefers whoever comes first in the pool."""

    def weights(self, state, final=False):
        return (state.losses - torch.arange(state.size)).softmax(0)


class Nosy(Own):
    """Looks at what it did not ask for."""

    def weights(self, state, final=False):
        plain = super().weights(state)
        return plain if state.norms is None else (plain + state.norms.mean(1).softmax(0)) / 2


class Spotter(Own):
    def weights(self, state, final=False):
        return (state.losses - 5 * state.noisy.float()).softmax(0)


class Random(Own):
    def weights(self, state, final=False):
        return (state.losses + torch.rand(state.size)).softmax(0)


class Meddler(Own):
    def weights(self, state, final=False):
        state.losses.mul_(0.5)
        return super().weights(state)


class Greedy(Own):
    """Takes one task more than asked."""

    def select(self, weights, batch, generator):
        return published.top(weights, batch + 1)


class Heavy(Own):
    def select(self, weights, batch, generator):
        return Selection(weights.topk(batch).indices, torch.ones(batch))


class Outside(Own):
    def select(self, weights, batch, generator):
        return Selection(torch.arange(batch) + len(weights), torch.full((batch,), 1 / batch))


class Dreamer(Own):
    needs = frozenset({"lossess"})


@pytest.mark.parametrize(
    ("broken", "rule", "words"),
    [
        (Unnormalised, "gives_a_distribution", r"step 0: the weights sum to \S+ instead of 1"),
        (Negative, "gives_a_distribution", r"step 0, candidate \d+: its weight is -\S+, below 0"),
        (Wide, "gives_a_distribution", r"step 0: weights must be a tensor of shape \(12,\)"),
        (Forgetful, "resumes_where_it_stopped", r"loaded after step 3, candidate \d+: its weight"),
        (Impatient, "answers_alike_until_told", r"step 5, asked again, candidate \d+: its weight"),
        (First, "follows_the_candidates", r"in another order, candidate \d+: its weight is"),
        (Nosy, "asks_for_what_it_reads", r"with nothing but \['losses'\] computed, candidate"),
        (Spotter, "does_not_know_what_is_noisy", r"only state.noisy differs, candidate \d+: its"),
        (Random, "is_deterministic", r"step 0, under another torch.manual_seed, candidate"),
        (Meddler, "answers_alike_until_told", "step 5: it changed state.losses|asked again"),
        (Greedy, "gives_a_distribution", r"step 0: select must return 3 indices, got \(4,\)"),
        (Heavy, "gives_a_distribution", r"coefficients must not be negative and sum to 1"),
        (Outside, "gives_a_distribution", r"indices must be positions in the pool of 12, got"),
        (Dreamer, "has_the_interface", "needs: no loop computes 'lossess'"),
    ],
)
def test_a_broken_sampler_is_told_what_it_breaks_and_where(expect_broken, broken, rule, words):
    expect_broken(check_sampler, broken, rule, words)
