"""Predictors to compare with: ridge regression, and the prompt's own length."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge

from schedlab.ranking.backbones import Tfidf


class RidgeRanker(BaseEstimator):
    """Ridge regression of minus the logarithm of the length on TF-IDF.

    The exact minimum of a penalised squared error, hence a fair opponent for a ranker on the same
    features.

    Parameters
    ----------
    penalty
        Weight of the squared coefficients.
    """

    def __init__(self, penalty: float = 3.0) -> None:
        self.penalty = penalty

    def fit(self, prompts: Sequence[str], lengths: Sequence[int]) -> Self:
        """Solve for the coefficients."""
        self.backbone_ = Tfidf().fit(prompts)
        self.ridge_ = Ridge(alpha=self.penalty, solver="sparse_cg", tol=1e-6)
        self.ridge_.fit(self.backbone_.transform(prompts), -np.log(lengths))
        return self

    def score(self, prompts: Sequence[str]) -> np.ndarray:
        """Return the expected minus log-length of each prompt's answer."""
        return self.ridge_.predict(self.backbone_.transform(prompts))


class PromptLength(BaseEstimator):
    """Short questions first: no training, for people who would do without."""

    def fit(self, prompts: Sequence[str], lengths: Sequence[int]) -> Self:
        """Learn nothing."""
        return self

    def score(self, prompts: Sequence[str]) -> np.ndarray:
        """Return minus the characters of each prompt."""
        return -np.array([len(prompt) for prompt in prompts], dtype=float)
