"""Scores of predictors that were never trained: as good, and as wrong, as one asks for.

A score follows the paper's sign: the larger it is, the shorter the answer is expected to be, and
the sooner the request runs. Kendall's tau of a score is therefore that against minus the length.
"""

from typing import Literal

import numpy as np
from scipy import stats

Which = Literal["any", "shortest", "longest"]


def copula_scores(lengths: np.ndarray, tau: float, rng: np.random.Generator) -> np.ndarray:
    """Return scores with a chosen Kendall's tau: a Gaussian copula with the lengths.

    The normal score of a length's rank is mixed with noise at the correlation
    ``sin(pi tau / 2)``, which gives the wanted tau in expectation (Kruskal, *Ordinal Measures of
    Association*, 1958). Errors are alike everywhere: short and long requests are confused alike.

    Parameters
    ----------
    lengths
        Output lengths, tokens; equal lengths share their mean rank.
    tau
        Wanted tau between -1 and 1: 1 orders exactly, 0 is noise.
    rng
        Source of the noise.

    Raises
    ------
    ValueError
        If ``tau`` is not between -1 and 1.
    """
    if not -1 <= tau <= 1:
        raise ValueError(f"tau must lie between -1 and 1, got {tau}")
    correlation = np.sin(np.pi * tau / 2)
    shortness = -stats.norm.ppf(stats.rankdata(lengths) / (len(lengths) + 1))
    noise = rng.standard_normal(len(lengths))
    return correlation * shortness + np.sqrt(1 - correlation**2) * noise


def shuffled_scores(
    lengths: np.ndarray, share: float, which: Which, rng: np.random.Generator
) -> np.ndarray:
    """Return a perfect order in which a share of the requests has changed places at random.

    The paper's section 6 shuffles the shortest or the longest 70 % and finds the same tau, yet
    another latency; its figure 2b shuffles any.

    Parameters
    ----------
    lengths
        Output lengths, tokens.
    share
        Share of the requests to shuffle among themselves, between 0 and 1.
    which
        ``"any"`` for a random choice, or the ``"shortest"`` or ``"longest"``.
    rng
        Source of the choice and of the order.

    Raises
    ------
    ValueError
        If ``share`` is not between 0 and 1, or ``which`` is unknown.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    count = round(share * len(lengths))
    order = np.argsort(lengths, kind="stable")
    match which:
        case "any":
            chosen = rng.permutation(len(lengths))[:count]
        case "shortest":
            chosen = order[:count]
        case "longest":
            chosen = order[len(order) - count :]
        case _:
            raise ValueError(f"which must be any, shortest or longest, got {which!r}")
    scores = -np.asarray(lengths, dtype=float)
    scores[chosen] = scores[rng.permutation(chosen)]
    return scores


def class_scores(
    lengths: np.ndarray, width: int, recall: float, rng: np.random.Generator
) -> np.ndarray:
    """Return minus the class that a classifier over fixed-width buckets would predict.

    Nearly all answers lie in the first bucket of a wide classifier, and it learns to say so: of
    the others it finds the share ``recall`` and calls the rest first-bucket as well.

    Parameters
    ----------
    lengths
        Output lengths, tokens.
    width
        Width of a bucket, tokens; the paper's ten classes are 820 wide.
    recall
        Probability to give a request beyond the first bucket its true class.
    rng
        Source of the omissions.

    Raises
    ------
    ValueError
        If ``width`` is below 1 or ``recall`` not between 0 and 1.
    """
    if width < 1 or not 0 <= recall <= 1:
        raise ValueError(f"expected width >= 1 and recall in 0..1, got {width} and {recall}")
    classes = np.asarray(lengths) // width
    return np.where(rng.random(len(classes)) < recall, -classes, 0).astype(float)
