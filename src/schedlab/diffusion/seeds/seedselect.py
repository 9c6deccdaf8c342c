"""SeedSelect: move the seed itself until the image it becomes resembles some references.

After *Generating images of rare concepts using pre-trained diffusion models* (Samuel, Ben-Ari,
Raviv, Darshan, Chechik; AAAI 2024, arXiv 2304.14530) and its public code: the gradient runs
through the whole deterministic sampler. Features of any classifier stand for CLIP's, and the image
for the latent of a variational autoencoder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import trange

from schedlab.diffusion.sampling import Model

LAST_STEPS = (0.05, 0.25, 0.70)  # weights of the images after the last three steps
SEMANTIC = 10.0


@dataclass(frozen=True)
class Selection:
    """Settings of one search.

    Attributes
    ----------
    iterations
        Steps of AdamW.
    rate
        Its learning rate.
    drop_at
        Iteration from which the rate is a tenth, or ``None``.
    """

    iterations: int
    rate: float
    drop_at: int | None = None


PLAIN = Selection(iterations=30, rate=0.1)
FROM_NAO = Selection(iterations=30, rate=0.05, drop_at=3)


def select(
    model: Model,
    scheduler: Any,
    seeds: Tensor,
    steps: int,
    loss: Callable[[list[Tensor]], Tensor],
    how: Selection,
) -> tuple[Tensor, Tensor]:
    """Return seeds whose images have a low loss, and how the loss fell.

    Parameters
    ----------
    model, scheduler, steps
        The deterministic sampler, through which gradients run.
    seeds
        Where to begin, ``(..., pixels)``; each is searched on its own.
    loss
        From the images after the last three steps to one value per seed, ``(...)``.
    how
        Settings of the search.

    Returns
    -------
    Seeds, and losses ``(iterations + 1, ...)`` of which the first belongs to the start.
    """
    found = seeds.clone().requires_grad_()
    optimiser = torch.optim.AdamW([found], lr=how.rate)
    drops = [how.drop_at] if how.drop_at else []
    rates = torch.optim.lr_scheduler.MultiStepLR(optimiser, drops, gamma=0.1)
    history = []
    for _ in trange(how.iterations, desc="SeedSelect", leave=False):
        optimiser.zero_grad()
        now = loss(last_images(model, scheduler, found, steps))
        now.sum().backward()
        optimiser.step()
        rates.step()
        history.append(now.detach())
    with torch.no_grad():
        history.append(loss(last_images(model, scheduler, found, steps)))
    return found.detach(), torch.stack(history)


def last_images(model: Model, scheduler: Any, seeds: Tensor, steps: int) -> list[Tensor]:
    """Return the samples after each of the last three steps; the last one is the image."""
    scheduler.set_timesteps(steps)
    sample, kept = seeds * float(scheduler.init_noise_sigma), []
    for t in scheduler.timesteps:
        output = model(scheduler.scale_model_input(sample, t), t)
        sample = scheduler.step(output, t, sample).prev_sample
        kept = [*kept, sample][-len(LAST_STEPS) :]
    return kept


def resemblance(
    features: Callable[[Tensor], Tensor], feature: Tensor, image: Tensor
) -> Callable[[list[Tensor]], Tensor]:
    """Return SeedSelect's loss for given references.

    Parameters
    ----------
    features
        Differentiable features of images ``(..., pixels)``.
    feature, image
        Mean feature and mean image of each seed's references, shaped to go with the seeds.
    """

    def loss(images: list[Tensor]) -> Tensor:
        apart = [1 - torch.cosine_similarity(features(x), feature, dim=-1) for x in images]
        weights = LAST_STEPS[-len(apart) :]
        semantic = sum(w * a for w, a in zip(weights, apart, strict=True))
        return SEMANTIC * semantic + (images[-1] - image).square().mean(dim=-1)

    return loss
