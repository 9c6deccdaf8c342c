"""The paths of seed space in Stable Diffusion, for those with its weights and a GPU."""

from typing import Any

import torch

from schedlab.diffusion.experiment.seed_space import interpolated
from schedlab.diffusion.models.stable_diffusion import draw_seeds, images_of, load_pipeline

POINTS = 5
SHOWN = ("LERP", "SLERP", "NAO")


def between_photographs(weights: str, prompt: str, device: str = "cuda") -> dict[str, list[Any]]:
    """Return photographs between two random seeds, by method.

    Parameters
    ----------
    weights, device
        As for :func:`schedlab.diffusion.models.stable_diffusion.load_pipeline`, which also says
        what it raises.
    prompt
        What to draw.
    """
    pipeline = load_pipeline(weights, device=device)
    first, last = draw_seeds(2, torch.Generator().manual_seed(0))
    paths = interpolated(first, last, POINTS)
    return {name: images_of(pipeline, paths[name], prompt) for name in SHOWN}
