"""A small classifier whose features compare images by content, as CLIP's do for photographs."""

import torch
from torch import Tensor, nn

from schedlab.diffusion.models.images import Images
from schedlab.diffusion.models.training import seeded

WIDTH = 64
STEPS = 300


def train_classifier(images: Images, seed: int) -> nn.Sequential:
    """Train a perceptron on all images at once; its last layer but one gives features."""
    network = seeded(lambda: _perceptron(images.pixels.shape[1]), seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    pixels, labels = torch.from_numpy(images.pixels), torch.from_numpy(images.labels)
    for _ in range(STEPS):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(pixels), labels).backward()
        optimiser.step()
    return network.requires_grad_(False)


def features(network: nn.Sequential, images: Tensor) -> Tensor:
    """Return the features of images ``(..., pixels)``, ``(..., 64)``."""
    return network[:-1](images)


def _perceptron(pixels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(pixels, WIDTH),
        nn.SiLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.SiLU(),
        nn.Linear(WIDTH, 10),
    )
