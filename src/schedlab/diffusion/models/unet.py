"""The small class-conditional U-Net of diffusers, for use inside its pipelines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from torch import Tensor

from schedlab.diffusion.models.images import Images
from schedlab.diffusion.models.training import Recipe, fit, seeded

if TYPE_CHECKING:
    from diffusers import UNet2DModel

CHANNELS = (16, 32)


def small_unet(side: int, classes: int = 10) -> "UNet2DModel":
    """Return an untrained network for grey images of ``side`` pixels, drawn from torch's state."""
    from diffusers import UNet2DModel

    levels = len(CHANNELS)
    return UNet2DModel(
        sample_size=side,
        in_channels=1,
        out_channels=1,
        block_out_channels=CHANNELS,
        down_block_types=("DownBlock2D",) * levels,
        up_block_types=("UpBlock2D",) * levels,
        norm_num_groups=8,
        num_class_embeds=classes,
    )


def train_unet(
    images: Images, recipe: Recipe, alphas_cumprod: Tensor, seed: int
) -> tuple["UNet2DModel", pd.DataFrame]:
    """Train the network to predict ``v``; return it with the loss as ``step, seed, loss``."""
    unet = seeded(lambda: small_unet(images.side), seed)

    def velocity(x: Tensor, timesteps: Tensor, labels: Tensor) -> Tensor:
        square = x.view(-1, 1, images.side, images.side)
        return unet(square, timesteps[0], class_labels=labels[0]).sample.view_as(x)

    losses = fit(velocity, list(unet.parameters()), images, recipe, alphas_cumprod, [seed])
    return unet.eval(), losses


def pipeline_images(
    unet: "UNet2DModel", scheduler: object, labels: Sequence[int], steps: int, generator: object
) -> Tensor:
    """Generate with diffusers' unmodified class-conditional pipeline; images ``(n, pixels)``.

    The consistency pipeline is the one of diffusers that gives classes to a network on pixels; it
    scales the first noise and the network's input as a scheduler asks.

    Parameters
    ----------
    unet
        Network that predicts what ``scheduler.config.prediction_type`` says.
    scheduler
        Any scheduler with diffusers' interface.
    labels
        Class of each image.
    steps
        Steps of the scheduler.
    generator
        A ``torch.Generator``.
    """
    from diffusers import ConsistencyModelPipeline

    pipeline = ConsistencyModelPipeline(unet=unet, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(
        batch_size=len(labels),
        class_labels=list(labels),
        num_inference_steps=steps,
        generator=generator,
        output_type="pt",
    ).images
    return (2 * images - 1).flatten(1)
