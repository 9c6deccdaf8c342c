"""What is asked of a ranker: ``fit(prompts, lengths)`` and ``score(prompts)``.

>>> from schedlab.ranking.rankers import RidgeRanker
>>> check_ranker(RidgeRanker)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import kendalltau

from schedlab.testing.contract import Make, Rule, check, name_of, require, require_method

__all__ = ["RANKER_RULES", "check_ranker", "name_of"]

NOUNS = ("trains", "tea", "bridges", "whales", "clocks", "rivers", "kites", "bread")
ASKS = (
    "is it true about",
    "name one of the",
    "describe with many examples the",
    "write a story on",
)
TOLERANCE = 1e-5  # of the spread of the scores; batches of a network round differently


def _talk(seed: int, count: int) -> tuple[list[str], np.ndarray]:
    """Return prompts and the lengths of their answers: the longer the ask, the longer the answer.

    Every prompt occurs once.
    """
    rng = np.random.default_rng(seed)
    kind = rng.integers(len(ASKS), size=count)
    nouns = rng.choice(NOUNS, (count, 2))
    prompts = [
        f"{ASKS[k]} {a} and {b}" + " please" * int(k) + f" {i}"
        for i, (k, (a, b)) in enumerate(zip(kind, nouns, strict=True))
    ]
    return prompts, (5 * 4**kind * rng.uniform(0.7, 1.4, count)).astype(np.int64) + 1


TRAINED = _talk(1, 128)
UNSEEN = _talk(2, 40)


def _trained(make: Make) -> Any:
    prompts, lengths = TRAINED
    return _fitted(make(), list(prompts), lengths.copy())


def _fitted(ranker: Any, prompts: list[str], lengths: np.ndarray) -> Any:
    fitted = ranker.fit(prompts, lengths)
    require(fitted is ranker, f"fit must return the ranker itself, got {fitted!r}")
    return ranker


def _scores(ranker: Any, prompts: list[str]) -> np.ndarray:
    scores = np.asarray(ranker.score(list(prompts)))
    require(
        scores.shape == (len(prompts),),
        f"score must return one number per prompt, shape ({len(prompts)},), got {scores.shape}",
    )
    right = scores.dtype.kind in "fiu" and np.isfinite(scores).all()
    require(right, f"scores must be finite numbers, got {scores.dtype} {scores[:3]}")
    return scores.astype(float)


def _require_equal(what: str, prompts: list[str], left: np.ndarray, right: np.ndarray) -> None:
    """Require equal scores but for the rounding of batches."""
    off = np.abs(left - right)
    worst = int(off.argmax())
    require(
        off[worst] <= TOLERANCE * (np.ptp(left) or 1.0),
        f"{what}: prompt {prompts[worst]!r} scores {left[worst]:.6g} and then {right[worst]:.6g}",
    )


def has_the_interface(make: Make) -> None:
    """Require fit, which returns the ranker, and score, which returns a number per prompt."""
    ranker = make()
    require_method(ranker, "fit", "score")
    _scores(_trained(make), UNSEEN[0])


def scores_each_prompt_by_itself(make: Make) -> None:
    """Require scores that do not depend on the order of prompts nor on those beside them."""
    ranker, prompts = _trained(make), UNSEEN[0]
    scores = _scores(ranker, prompts)
    order = np.random.default_rng(0).permutation(len(prompts))
    moved = _scores(ranker, [prompts[i] for i in order])
    _require_equal("in another order", [prompts[i] for i in order], scores[order], moved)
    alone = np.array([_scores(ranker, [prompt])[0] for prompt in prompts[:8]])
    _require_equal("alone", prompts[:8], scores[:8], alone)


def is_deterministic(make: Make) -> None:
    """Require equal scores from equal training, whatever the global generators hold."""
    state = np.random.get_state()  # noqa: NPY002  what a careless ranker would draw from
    try:
        runs = []
        for seed in (1, 2):
            np.random.seed(seed)  # noqa: NPY002
            _seed_torch(seed)
            runs.append(_scores(_trained(make), UNSEEN[0]))
    finally:
        np.random.set_state(state)  # noqa: NPY002
    what = "trained again, with other global seeds; draw from a generator of its own seed"
    require(runs[0].tobytes() == runs[1].tobytes(), _apart(what, UNSEEN[0], *runs))


def _seed_torch(seed: int) -> None:
    import torch

    torch.manual_seed(seed)


def _apart(what: str, prompts: list[str], left: np.ndarray, right: np.ndarray) -> str:
    at = int((left != right).argmax())
    return f"{what}: prompt {prompts[at]!r} scores {left[at]!r} and then {right[at]!r}"


def learns_in_fit_alone(make: Make) -> None:
    """Require that scoring teaches nothing, and that lengths are read in fit alone."""
    prompts, lengths = TRAINED
    given, known = list(prompts), lengths.copy()
    ranker = _fitted(make(), given, known)
    require(given == prompts, "fit changed the list of prompts that it was given")
    require(np.array_equal(known, lengths), "fit changed the lengths that it was given")
    before = _scores(ranker, UNSEEN[0])
    known[:] = known[::-1].copy()
    _scores(ranker, prompts)
    after = _scores(ranker, UNSEEN[0])
    what = "after another score, and after the caller reused its array of lengths"
    require(before.tobytes() == after.tobytes(), _apart(what, UNSEEN[0], before, after))


def sees_no_length_of_the_test(make: Make) -> None:
    """Require that a fit leaves no trace in the next one, of this or of another ranker."""
    prompts, lengths = UNSEEN
    clean = _scores(_trained(make), prompts)
    _fitted(make(), list(prompts), lengths.copy())  # a cache on the class would keep this
    beside = _scores(_trained(make), prompts)
    what = "knows lengths of the test set from the fit of another ranker"
    require(clean.tobytes() == beside.tobytes(), _apart(what, prompts, clean, beside))
    again = _fitted(make(), list(prompts), lengths.copy())
    again = _scores(_fitted(again, list(TRAINED[0]), TRAINED[1].copy()), prompts)
    what = "knows lengths of the test set from an earlier fit; fit must begin anew"
    require(clean.tobytes() == again.tobytes(), _apart(what, prompts, clean, again))


def larger_means_shorter(make: Make) -> None:
    """Require that scores do not rise with the lengths, as where the sign is wrong."""
    prompts, lengths = UNSEEN
    tau = kendalltau(_scores(_trained(make), prompts), -lengths).statistic
    require(
        not tau < -0.3,
        f"its order is the reverse of the true one, tau = {tau:.2f} on prompts whose wording "
        "gives the length away; the larger the score, the shorter the answer, the sooner it runs",
    )


RANKER_RULES: tuple[Rule, ...] = (
    has_the_interface,
    scores_each_prompt_by_itself,
    is_deterministic,
    learns_in_fit_alone,
    sees_no_length_of_the_test,
    larger_means_shorter,
)


def check_ranker(make: Make) -> None:
    """Hold a ranker to its contract.

    Parameters
    ----------
    make
        Returns a fresh ranker that can be trained on 40 prompts: the class, or a
        ``functools.partial`` with options.

    Raises
    ------
    AssertionError
        Naming each broken rule and the prompt.
    """
    check(make, RANKER_RULES)
