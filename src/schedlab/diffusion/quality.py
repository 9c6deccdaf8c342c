"""How good generated images are: Fréchet distance, class accuracy, contrast, diversity.

The Fréchet distance (Heusel et al. 2017, with pixels in the place of Inception features) compares
means and covariances; on images as small as digits pixels are features enough. Class accuracy
alone misleads: prototypical, flat images are the easiest to classify.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from schedlab.diffusion.models.images import Images

if TYPE_CHECKING:
    from sklearn.svm import SVC

GAMMA = 1.28  # 0.02 for each of the digits' 64 pixels


class Gauge:
    """Measures samples against real images.

    Parameters
    ----------
    train
        Images that the Fréchet distance refers to and the classifier learns from.
    """

    def __init__(self, train: Images) -> None:
        self._train = train
        self._mean, self._covariance = moments(train.pixels)

    @cached_property
    def classifier(self) -> "SVC":
        """A support vector machine that has learnt the training images."""
        return fitted(self._train.pixels, self._train.labels)

    def frechet(self, samples: np.ndarray) -> float:
        """Return the Fréchet distance of samples ``(n, pixels)`` to the training images."""
        return frechet_distance(*moments(samples), self._mean, self._covariance)

    def accuracy(self, samples: np.ndarray, labels: np.ndarray) -> float:
        """Return the share of samples that the classifier takes for their class."""
        return float((self.classifier.predict(samples) == labels).mean())

    def measure(self, samples: np.ndarray, labels: np.ndarray) -> Mapping[str, float]:
        """Return all measures of samples: ``frechet, accuracy, contrast, diversity``."""
        return {
            "frechet": self.frechet(samples),
            "accuracy": self.accuracy(samples, labels),
            "contrast": contrast(samples),
            "diversity": diversity(samples, labels),
        }


def fitted(pixels: np.ndarray, labels: np.ndarray) -> "SVC":
    """Return a support vector machine with the settings that suit the digits.

    Its kernel narrows with the number of pixels, so that larger images are as far apart.
    """
    from sklearn.svm import SVC

    return SVC(gamma=GAMMA / pixels.shape[1], C=10).fit(pixels, labels)


def moments(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of samples ``(n, pixels)`` in double precision."""
    exact = samples.astype(np.float64)
    return exact.mean(axis=0), np.cov(exact, rowvar=False)


def frechet_distance(
    mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other_covariance: np.ndarray
) -> float:
    """Return the squared 2-Wasserstein distance of two normal distributions.

    The trace of ``(C1 C2)^(1/2)`` is that of the symmetric ``(C1^(1/2) C2 C1^(1/2))^(1/2)``, which
    stays real and finite where a covariance is singular, as it is with constant pixels.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ other_covariance @ root)
    shift = np.square(mean - other_mean).sum()
    spread = np.trace(covariance) + np.trace(other_covariance)
    return float(shift + spread - 2 * np.sqrt(product.clip(0)).sum())


def contrast(samples: np.ndarray) -> float:
    """Return the mean over images of the standard deviation of their pixels."""
    return float(samples.std(axis=1).mean())


def diversity(samples: np.ndarray, labels: np.ndarray) -> float:
    """Return the root mean square distance of samples to the mean of their class."""
    total = 0.0
    for label in np.unique(labels):
        own = samples[labels == label]
        total += np.square(own - own.mean(axis=0)).sum()
    return float(np.sqrt(total / len(samples)))
