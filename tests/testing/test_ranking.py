"""Rankers: published ones keep their contract, broken ones are told what they break."""

from functools import partial

import numpy as np
import pytest

from schedlab.ranking.rankers import LinearRanker, PromptLength, RidgeRanker
from schedlab.testing.ranking import check_ranker

PUBLISHED = {
    "listmle": LinearRanker,
    "classes": partial(LinearRanker, "classes"),
    "regression": partial(LinearRanker, "regression", seed=3),
    "ridge": RidgeRanker,
    "prompt length": PromptLength,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_ranker_keeps_its_contract(name):
    check_ranker(PUBLISHED[name])


class Longest(RidgeRanker):
    """Returns lengths, not priorities."""

    def score(self, prompts):
        return -super().score(prompts)


class Peeking(RidgeRanker):
    """Keeps lengths of every prompt that any ranker was ever shown."""

    seen: dict = {}  # noqa: RUF012  shared on purpose

    def fit(self, prompts, lengths):
        self.seen.update(zip(prompts, lengths, strict=True))
        return super().fit(prompts, lengths)

    def score(self, prompts):
        guesses = super().score(prompts)
        known = [self.seen.get(prompt) for prompt in prompts]
        pairs = zip(known, guesses, strict=True)
        return np.array([guess if n is None else -np.log(n) for n, guess in pairs])


class Cumulative(RidgeRanker):
    """Adds what it is fitted on to what it was fitted on before."""

    def fit(self, prompts, lengths):
        self.all = [*getattr(self, "all", []), *zip(prompts, lengths, strict=True)]
        known, counts = zip(*self.all, strict=True)
        return super().fit(list(known), np.array(counts))


class Lazy(RidgeRanker):
    """Reads the lengths only when it has to score."""

    def fit(self, prompts, lengths):
        self.given = prompts, lengths
        return self

    def score(self, prompts):
        return RidgeRanker().fit(*self.given).score(prompts)


class Relative(PromptLength):
    """Scores by rank among the prompts beside it."""

    def score(self, prompts):
        return super().score(prompts).argsort().argsort().astype(float)


class Moody(PromptLength):
    def score(self, prompts):
        return super().score(prompts) + np.random.random(len(prompts))  # noqa: NPY002


class Wide(PromptLength):
    def score(self, prompts):
        return super().score(prompts)[:, None]


class Undefined(PromptLength):
    def score(self, prompts):
        return np.log(super().score(prompts) + 60)


class Spoiler(PromptLength):
    def fit(self, prompts, lengths):
        lengths.sort()
        return self


class Silent(PromptLength):
    def fit(self, prompts, lengths):
        self.fitted = True


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(
    ("broken", "rule", "words"),
    [
        (Longest, "larger_means_shorter", r"reverse of the true one, tau = -0\.\d+"),
        (Peeking, "sees_no_length_of_the_test", r"fit of another ranker: prompt '.*' scores"),
        (Cumulative, "sees_no_length_of_the_test", r"an earlier fit; fit must begin anew: prompt"),
        (Lazy, "learns_in_fit_alone", r"reused its array of lengths: prompt '.*' scores"),
        (
            Relative,
            "scores_each_prompt_by_itself",
            r"in another order: prompt '.*' scores \d+ and",
        ),
        (Moody, "is_deterministic", r"other global seeds.*: prompt '.*' scores"),
        (Wide, "has_the_interface", r"shape \(40,\), got \(40, 1\)"),
        (Undefined, "has_the_interface", "scores must be finite numbers"),
        (Spoiler, "learns_in_fit_alone", "fit changed the lengths that it was given"),
        (Silent, "has_the_interface", "fit must return the ranker itself, got None"),
        (dict, "has_the_interface", "dict has no method fit"),
    ],
)
def test_a_broken_ranker_is_told_what_it_breaks_and_where(expect_broken, broken, rule, words):
    expect_broken(check_ranker, broken, rule, words)
