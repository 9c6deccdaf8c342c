"""Stable Diffusion as NAO's authors run it, under any scheduler here; for those with a GPU.

The settings are those of the public code: Stable Diffusion 2.1 base, DDIM with the model's own
noise schedule, neither clipped nor ended at a signal of one, 512 x 512 pixels, so that a seed has
4 * 64 * 64 = 16,384 dimensions. It needs ``pip install transformers``, weights that diffusers can
find (a folder, or a name on the Hugging Face hub together with a network), and a GPU of 8 GB.
"""

from typing import Any

import torch
from torch import Tensor

from schedlab.diffusion.schedulers import SCHEDULERS

WEIGHTS = "stabilityai/stable-diffusion-2-1-base"
SEED_SHAPE = (4, 64, 64)
SCHEDULE = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
}
DDIM = {**SCHEDULE, "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}


def scheduler(name: str = "ddim", **options: Any) -> Any:
    """Return a scheduler of this package with Stable Diffusion's noise schedule.

    Parameters
    ----------
    name
        Key of :data:`schedlab.diffusion.schedulers.SCHEDULERS`.
    options
        Further options of its class.
    """
    if name not in SCHEDULERS:
        raise ValueError(f"unknown scheduler {name!r}; allowed are {', '.join(SCHEDULERS)}")
    return SCHEDULERS[name](**{**(DDIM if name == "ddim" else SCHEDULE), **options})


def load_pipeline(weights: str = WEIGHTS, name: str = "ddim", device: str = "cuda") -> Any:
    """Return diffusers' text-to-image pipeline with a scheduler of this package in it.

    Parameters
    ----------
    weights
        Folder of a saved pipeline, or its name on the hub; the name alone needs a network or a
        filled cache, and ``HF_HUB_OFFLINE`` unset.
    name
        Scheduler.
    device
        ``"cuda"``, or ``"cpu"`` for the patient.

    Raises
    ------
    ValueError
        If there is no such scheduler or device.
    FileNotFoundError
        If transformers is not installed, or the weights cannot be had.
    """
    chosen = scheduler(name)
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: no GPU is visible to torch; use a machine with one, or 'cpu'")
    try:
        from diffusers import StableDiffusionPipeline

        pipeline = StableDiffusionPipeline.from_pretrained(
            weights,
            scheduler=chosen,
            safety_checker=None,
            torch_dtype=torch.float16 if device == "cuda" else torch.float32,
        )
    except (OSError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FileNotFoundError(
            f"Stable Diffusion cannot be loaded from {weights!r} ({reason}); install transformers, "
            f"and on a machine with a network run: huggingface-cli download {WEIGHTS} --local-dir "
            "FOLDER, then give FOLDER as weights"
        ) from None
    return pipeline.to(device)


def draw_seeds(count: int, generator: torch.Generator) -> Tensor:
    """Return standard normal seeds ``(count, 16384)``, as the functions of ``seeds`` take them."""
    flat = torch.Size(SEED_SHAPE).numel()
    return torch.randn(count, flat, generator=generator)


def images_of(pipeline: Any, seeds: Tensor, prompt: str, steps: int = 20) -> list[Any]:
    """Return the images that seeds ``(n, 16384)`` become for a prompt, without guidance."""
    latents = seeds.view(-1, *SEED_SHAPE).to(pipeline.device, pipeline.unet.dtype)
    return pipeline(
        [prompt] * len(seeds), latents=latents, num_inference_steps=steps, guidance_scale=1.0
    ).images
