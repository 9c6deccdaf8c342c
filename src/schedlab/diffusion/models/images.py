"""Small labelled images: scikit-learn's digits, and catalogued MNIST and Fashion-MNIST."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from schedlab.data.catalog import fetch

IDX_HEADER_BYTES = {"images": 16, "labels": 8}


@dataclass(frozen=True)
class Images:
    """Grey images with values in [-1, 1].

    Attributes
    ----------
    pixels
        ``(n, side * side)``, float32.
    labels
        Classes 0 to 9, ``(n,)``.
    side
        Height and width, pixels.
    """

    pixels: np.ndarray
    labels: np.ndarray
    side: int

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Images":
        """Return the images at some rows."""
        return Images(self.pixels[rows], self.labels[rows], self.side)

    def split(self, generator: np.random.Generator, share: float = 0.75) -> tuple["Images", ...]:
        """Return two random parts, the first with this share of all images."""
        order = generator.permutation(len(self))
        cut = round(share * len(self))
        return self.take(order[:cut]), self.take(order[cut:])


def load_images(name: str) -> Images:
    """Return a set of images by name, see :data:`IMAGE_SETS`.

    Raises
    ------
    ValueError
        If there is no such set, or a fetched file was altered.
    FileNotFoundError
        If a catalogued set cannot be had here.
    """
    if name not in IMAGE_SETS:
        raise ValueError(f"no images named {name!r}; there are {', '.join(IMAGE_SETS)}")
    return IMAGE_SETS[name]()


def _digits() -> Images:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return Images((pixels / 8 - 1).astype(np.float32), labels, side=8)


def _idx(name: str) -> Callable[[], Images]:
    def load() -> Images:
        raw = {
            part: np.frombuffer(fetch(f"{name}-{part}").read_bytes(), np.uint8, offset=header)
            for part, header in IDX_HEADER_BYTES.items()
        }
        pixels = raw["images"].reshape(len(raw["labels"]), -1) / np.float32(127.5) - 1
        return Images(pixels, raw["labels"].astype(np.int64), side=28)

    return load


IMAGE_SETS: dict[str, Callable[[], Images]] = {
    "digits": _digits,
    "mnist-t10k": _idx("mnist-t10k"),
    "fashion-t10k": _idx("fashion-t10k"),
    "fashion-train": _idx("fashion-train"),
}
