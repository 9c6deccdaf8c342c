"""What ``params.yaml`` may say about the stages that train and use denoisers."""

from typing import Annotated

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from schedlab.diffusion.models.images import IMAGE_SETS
from schedlab.lab.parameters import Parameters, Seeds


def check_images(name: str) -> str:
    """Refuse a name that is no set of images."""
    if name not in IMAGE_SETS:
        raise ValueError(f"no such images; allowed are {', '.join(IMAGE_SETS)}")
    return name


ImageSet = Annotated[str, AfterValidator(check_images)]
Several = Annotated[int, Field(ge=20)]  # samples, enough for a covariance of sorts


class TrainParameters(Parameters):
    """Parameters of training.

    Attributes
    ----------
    images
        Name of a set, see :data:`schedlab.diffusion.models.images.IMAGE_SETS`.
    width, blocks
        Hidden units and residual blocks of the denoiser.
    steps, batch, peak_rate
        Optimiser steps, images in each, highest learning rate.
    samples, sampling_steps
        Images to generate and measure, and DDIM steps for them.
    unet_steps, unet_batch
        The same for the U-Net of diffusers.
    unet_samples, pipeline_steps
        Images that diffusers' pipeline generates per scheduler, and its steps.
    seeds
        Training seeds; the first one's U-Net is trained as well.
    """

    images: ImageSet
    width: PositiveInt
    blocks: PositiveInt
    steps: PositiveInt
    batch: PositiveInt
    peak_rate: PositiveFloat
    samples: Several
    sampling_steps: PositiveInt
    unet_steps: PositiveInt
    unet_batch: PositiveInt
    unet_samples: Several
    pipeline_steps: PositiveInt
    seeds: Seeds


MODELS: dict[str, type[Parameters]] = {
    "train": TrainParameters,
}
