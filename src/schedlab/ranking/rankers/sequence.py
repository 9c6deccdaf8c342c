"""The predictor as published: a small language model, fine-tuned to put out one score."""

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from schedlab.ranking.objectives import objective
from schedlab.ranking.rankers.linear import checked_lengths


class SequenceRanker(BaseEstimator):
    """A Hugging Face model with a linear head on the last token, trained as a whole.

    The published predictor of *Efficient LLM Scheduling by Learning to Rank* (arXiv 2408.15792),
    section 4.2, with the settings of the authors' code: OPT-125M, prompts cut at 2,048 tokens,
    lists of 32, five epochs, Adam at 2e-5 with an L2 penalty of 0.01, mixed precision on a GPU. It
    needs ``pip install '.[ranking]'``, the model's files, and for anything but tiny models a GPU.

    Parameters
    ----------
    model
        Name on the Hugging Face hub, or folder with model and tokenizer.
    loss, bucket
        As for :class:`schedlab.ranking.rankers.LinearRanker`.
    max_tokens
        Tokens of a prompt that it reads.
    list_size
        Prompts in a list and batch.
    epochs
        Passes over the training set.
    learning_rate, penalty
        Adam's step, and the weight of the squared parameters.
    device
        Where to compute; by default a GPU if there is one.
    seed
        Seed of the head, of dropout, of the order of batches and of ties.
    """

    def __init__(
        self,
        model: str = "facebook/opt-125m",
        *,
        loss: str = "listmle",
        bucket: int = 10,
        max_tokens: int = 2048,
        list_size: int = 32,
        epochs: int = 5,
        learning_rate: float = 2e-5,
        penalty: float = 0.01,
        device: str | None = None,
        seed: int = 0,
    ) -> None:
        self.model, self.loss, self.bucket, self.max_tokens = model, loss, bucket, max_tokens
        self.list_size, self.epochs, self.learning_rate = list_size, epochs, learning_rate
        self.penalty, self.device, self.seed = penalty, device, seed

    def fit(self, prompts: Sequence[str], lengths: Sequence[int]) -> Self:
        """Fine-tune on prompts and the output lengths that followed them, tokens."""
        for _ in self.steps(prompts, lengths):
            pass
        return self

    def steps(self, prompts: Sequence[str], lengths: Sequence[int]) -> Iterator[float]:
        """Train as :meth:`fit` does, yielding each list's loss; one can score in between."""
        known = checked_lengths(prompts, lengths, self.list_size)
        self.objective_ = objective(self.loss, self.bucket).fit(known)
        generator = torch.Generator().manual_seed(self.seed)
        with torch.random.fork_rng():  # transformers and dropout draw from the global generator
            torch.manual_seed(self.seed)
            self._load()
            yield from self._descend(prompts, self.objective_.labels(known), generator)

    def _load(self) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.device_ = torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.tokenizer_ = AutoTokenizer.from_pretrained(self.model)
        self.network_ = AutoModelForSequenceClassification.from_pretrained(
            self.model, num_labels=self.objective_.outputs
        ).to(self.device_)
        self.network_.config.pad_token_id = self.tokenizer_.pad_token_id

    def _descend(
        self, prompts: Sequence[str], labels: Tensor, generator: torch.Generator
    ) -> Iterator[float]:
        optimizer = torch.optim.Adam(
            self.network_.parameters(), lr=self.learning_rate, weight_decay=self.penalty
        )
        scaler = torch.amp.GradScaler(self.device_.type, enabled=self.device_.type == "cuda")
        for _ in range(self.epochs):
            order = torch.randperm(len(labels), generator=generator)
            for rows in order.split(self.list_size)[: len(labels) // self.list_size]:
                self.network_.train()
                outputs = self._forward([prompts[row] for row in rows.tolist()])
                loss = self.objective_.loss(outputs, labels[rows].to(self.device_), generator)
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                yield loss.item()

    def _forward(self, prompts: Sequence[str]) -> Tensor:
        batch: Any = self.tokenizer_(
            list(prompts),
            truncation=True,
            max_length=self.max_tokens,
            padding=True,
            return_tensors="pt",
        )
        with torch.autocast(self.device_.type, enabled=self.device_.type == "cuda"):
            logits = self.network_(**batch.to(self.device_)).logits
        return logits.float()

    @torch.no_grad()
    def outputs(self, prompts: Sequence[str]) -> Tensor:
        """Return what the head puts out, shape (prompts, outputs of the objective)."""
        self.network_.eval()
        batches = range(0, len(prompts), self.list_size)
        parts = [self._forward(prompts[i : i + self.list_size]).cpu() for i in batches]
        return torch.cat(parts)

    def score(self, prompts: Sequence[str]) -> np.ndarray:
        """Return a score per prompt; larger means expected shorter, to run sooner."""
        return self.objective_.scores(self.outputs(prompts)).numpy()

    def accuracy(self, prompts: Sequence[str], lengths: Sequence[int]) -> float:
        """Return the share of prompts in whose class the length fell; NaN without classes."""
        return self.objective_.accuracy(self.outputs(prompts), np.asarray(lengths))
