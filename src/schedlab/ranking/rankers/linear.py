"""A linear predictor on fixed features: trains in a second on one core."""

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator
from torch import Tensor
from torch.nn.functional import embedding_bag

from schedlab.ranking.backbones import BACKBONES, Backbone, Features
from schedlab.ranking.objectives import objective


class LinearRanker(BaseEstimator):
    """One score per prompt: a bias-free linear layer on TF-IDF or on frozen embeddings.

    The layer and its training follow *Efficient LLM Scheduling by Learning to Rank*
    (arXiv 2408.15792), section 4.2: each batch is one list, Adam with a constant step. Only the
    backbone is smaller than the paper's, see :class:`schedlab.ranking.rankers.SequenceRanker`.

    Parameters
    ----------
    loss
        What to train for, one of :data:`schedlab.ranking.objectives.LOSSES`.
    bucket
        Tokens that labels do not tell apart, see :func:`schedlab.ranking.objectives.objective`.
    backbone
        One of :data:`schedlab.ranking.backbones.BACKBONES`.
    list_size
        Prompts in a list and batch.
    epochs
        Passes over the training set.
    learning_rate
        Adam's step.
    seed
        Seed of the order of batches and of ties.

    Examples
    --------
    >>> ranker = LinearRanker(epochs=60, list_size=4)
    >>> prompts = ["a short word", "a long story", "one short word", "one long story"] * 2
    >>> short, long = ranker.fit(prompts, [9, 900] * 4).score(["short word", "long story"])
    >>> bool(short > long)
    True
    """

    def __init__(
        self,
        loss: str = "listmle",
        *,
        bucket: int = 10,
        backbone: str = "tfidf",
        list_size: int = 32,
        epochs: int = 5,
        learning_rate: float = 0.005,
        seed: int = 0,
    ) -> None:
        self.loss, self.bucket, self.backbone = loss, bucket, backbone
        self.list_size, self.epochs = list_size, epochs
        self.learning_rate, self.seed = learning_rate, seed

    def fit(self, prompts: Sequence[str], lengths: Sequence[int]) -> Self:
        """Train on prompts and the output lengths that followed them, tokens.

        Raises
        ------
        ValueError
            If there are fewer prompts than a list takes, a length is below 1, or an option is
            unknown.
        """
        for _ in self.steps(prompts, lengths):
            pass
        return self

    def steps(self, prompts: Sequence[str], lengths: Sequence[int]) -> Iterator[float]:
        """Train as :meth:`fit` does, yielding each list's loss; one can score in between."""
        known = checked_lengths(prompts, lengths, self.list_size)
        self.objective_ = objective(self.loss, self.bucket).fit(known)
        self.backbone_ = _backbone(self.backbone).fit(prompts)
        features = self.backbone_.transform(prompts)
        labels = self.objective_.labels(known)
        self.weight_ = torch.zeros(features.shape[1], self.objective_.outputs, requires_grad=True)
        yield from self._descend(features, labels)

    def _descend(self, features: Features, labels: Tensor) -> Iterator[float]:
        # Sparse rows have sparse gradients, and most of a long vocabulary is not in a list.
        adam = torch.optim.SparseAdam if sparse.issparse(features) else torch.optim.Adam
        optimizer = adam([self.weight_], lr=self.learning_rate)
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.epochs):
            order = torch.randperm(len(labels), generator=generator)
            for rows in order.split(self.list_size)[: len(labels) // self.list_size]:
                outputs = product(features[rows.numpy()], self.weight_)
                loss = self.objective_.loss(outputs, labels[rows], generator)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                yield loss.item()

    @torch.no_grad()
    def outputs(self, prompts: Sequence[str]) -> Tensor:
        """Return what the layer puts out, shape (prompts, outputs of the objective)."""
        return product(self.backbone_.transform(prompts), self.weight_)

    def score(self, prompts: Sequence[str]) -> np.ndarray:
        """Return a score per prompt; larger means expected shorter, to run sooner."""
        return self.objective_.scores(self.outputs(prompts)).numpy()

    def accuracy(self, prompts: Sequence[str], lengths: Sequence[int]) -> float:
        """Return the share of prompts in whose class the length fell; NaN without classes."""
        return self.objective_.accuracy(self.outputs(prompts), np.asarray(lengths))


def _backbone(name: str) -> Backbone:
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}; allowed are {', '.join(BACKBONES)}")
    return BACKBONES[name]()


def checked_lengths(prompts: Sequence[str], lengths: Sequence[int], list_size: int) -> np.ndarray:
    """Return the lengths as integers, or refuse what cannot be trained on."""
    known = np.asarray(lengths)
    if len(known) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts but {len(known)} lengths")
    if len(known) < list_size:
        raise ValueError(f"a list takes {list_size} prompts, got {len(known)}")
    if not np.issubdtype(known.dtype, np.integer) or known.min() < 1:
        raise ValueError("lengths must be whole numbers of tokens, at least 1")
    return known.astype(np.int64)


def product(features: Features, weight: Tensor) -> Tensor:
    """Return ``features @ weight``, with sparse gradients for sparse features."""
    if not sparse.issparse(features):
        return torch.from_numpy(np.ascontiguousarray(features)) @ weight
    columns, starts = (
        torch.from_numpy(part.astype(np.int64)) for part in (features.indices, features.indptr)
    )
    return embedding_bag(
        columns,
        weight,
        starts,
        mode="sum",
        sparse=True,
        per_sample_weights=torch.from_numpy(features.data),
        include_last_offset=True,
    )
