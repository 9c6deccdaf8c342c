"""What ``params.yaml`` may say about the stages that train and use denoisers."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt
from pydantic import model_validator as check_model

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


class SeedParameters(Parameters):
    """Parameters of norms, paths, means and inversion on the learned model.

    Attributes
    ----------
    images
        The set that the model was trained on.
    sampling_steps
        DDIM steps.
    scales
        Norms of seeds, in units of ``sqrt(d)``; they must hold 1.
    samples
        Images per measured point.
    path_points
        Points of a NAO path whose middle is generated from, an odd number.
    dimensions, pairs
        Dimensions in which paths are compared with the exact optimum, and pairs in each.
    groups, group_sizes
        Groups of inverted images whose centroids are measured, and images in a group.
    inversion_steps
        Grids on which inversion is measured.
    inverted
        Images inverted on each of them.
    stable_diffusion
        Folder or name of Stable Diffusion's weights; empty to go without, as machines without a
        GPU must.
    """

    images: ImageSet
    sampling_steps: PositiveInt
    scales: Annotated[list[PositiveFloat], Field(min_length=3)]
    samples: Several
    path_points: Annotated[int, Field(ge=3)]
    dimensions: Annotated[list[Annotated[int, Field(ge=3)]], Field(min_length=1)]
    pairs: PositiveInt
    groups: Several
    group_sizes: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]
    inversion_steps: Annotated[list[PositiveInt], Field(min_length=2)]
    inverted: Several
    stable_diffusion: str = ""

    @check_model(mode="after")
    def _agree(self) -> Self:
        if 1.0 not in self.scales:
            raise ValueError("scales: 1 must be among them, as all are compared with it")
        if self.path_points % 2 == 0:
            raise ValueError(f"path_points: {self.path_points} has no middle; take an odd number")
        return self


class SelectParameters(Parameters):
    """Parameters of SeedSelect on long-tailed classes.

    Attributes
    ----------
    images
        Set of images.
    most, fewest
        Training images of the most common and the rarest class.
    width, blocks, steps, batch, peak_rate
        Denoiser and training, as for :class:`TrainParameters`.
    rare_classes, images_per_class
        Rarest classes to make images of, and images of each.
    sampling_steps
        DDIM steps, through all of which gradients run.
    path_points
        Points of NAO's path, of whose middle the search begins.
    seeds
        Training seeds.
    """

    images: ImageSet
    most: PositiveInt
    fewest: Annotated[int, Field(ge=2)]
    width: PositiveInt
    blocks: PositiveInt
    steps: PositiveInt
    batch: PositiveInt
    peak_rate: PositiveFloat
    rare_classes: Annotated[int, Field(ge=2, le=10)]
    images_per_class: Annotated[int, Field(ge=10)]
    sampling_steps: PositiveInt
    path_points: Annotated[int, Field(ge=3)]
    seeds: Seeds


MODELS: dict[str, type[Parameters]] = {
    "train": TrainParameters,
    "seeds": SeedParameters,
    "seedselect": SelectParameters,
}
