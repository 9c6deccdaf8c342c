"""A trained linear ranker as one safetensors file: numbers and plain text, no code."""

from pathlib import Path

import numpy as np

from schedlab.lab.files import read_tensors, write_tensors
from schedlab.ranking.backbones import BACKBONES, Tfidf, new_vectorizer
from schedlab.ranking.objectives import objective
from schedlab.ranking.rankers.linear import LinearRanker

FORMAT = "schedlab linear ranker 1"


def save(ranker: LinearRanker, path: Path) -> None:
    """Write a trained ranker to ``path``, whole or not at all.

    With a TF-IDF backbone the file holds the vocabulary: words that the training prompts used.

    Raises
    ------
    ValueError
        If the ranker was not trained.
    """
    import torch

    if not hasattr(ranker, "weight_"):
        raise ValueError("this ranker was not trained; call fit before save")
    vectorizer = getattr(ranker.backbone_, "vectorizer_", None)
    tensors = {"weight": ranker.weight_.detach()}
    tensors |= {f"state.{k}": torch.from_numpy(v) for k, v in ranker.objective_.state.items()}
    words: list[str] = []
    if vectorizer is not None:
        tensors["idf"] = torch.from_numpy(vectorizer.idf_)
        words = vectorizer.get_feature_names_out().tolist()
    about = {"format": FORMAT, "options": ranker.get_params(), "vocabulary": words}
    write_tensors(path, tensors, about)


def load(path: Path) -> LinearRanker:
    """Return the ranker that :func:`save` wrote; its scores are those of the saved one.

    Raises
    ------
    ValueError
        If the file holds something else.
    FileNotFoundError
        If there is no such file.
    """
    tensors, about = read_tensors(path)
    if about.get("format") != FORMAT:
        raise ValueError(f"{path}: expected a {FORMAT!r}, found {about.get('format')!r}")
    ranker = LinearRanker(**about["options"])
    ranker.objective_ = objective(ranker.loss, ranker.bucket)
    ranker.objective_.state = {
        name.removeprefix("state."): tensor.numpy()
        for name, tensor in tensors.items()
        if name.startswith("state.")
    }
    ranker.backbone_ = BACKBONES[ranker.backbone]()
    if isinstance(ranker.backbone_, Tfidf):
        idf = tensors["idf"].numpy()
        ranker.backbone_.vectorizer_ = _vectorizer(about["vocabulary"], idf)
    ranker.weight_ = tensors["weight"]
    return ranker


def _vectorizer(words: list[str], idf: np.ndarray) -> object:
    """Return a fitted vectorizer with these words and weights."""
    vectorizer = new_vectorizer(len(words))
    vectorizer.vocabulary = words
    vectorizer.idf_ = idf
    return vectorizer
