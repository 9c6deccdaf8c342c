"""Trained ensembles on disk: safetensors in half precision, with what is needed to rebuild them."""

from dataclasses import asdict
from pathlib import Path

import torch

from schedlab.diffusion.models.denoiser import Ensemble, Shape
from schedlab.lab.files import read_tensors, write_tensors

LEVELS = "alphas_cumprod"


def save_ensemble(ensemble: Ensemble, path: Path) -> None:
    """Write an ensemble, its weights rounded to half precision, which no measure here notices."""
    tensors = {name: weight.half() for name, weight in ensemble.parameters.items()}
    tensors[LEVELS] = ensemble.alphas_cumprod
    write_tensors(path, tensors, {"shape": asdict(ensemble.shape), "seeds": ensemble.seeds})


def load_ensemble(path: Path) -> Ensemble:
    """Read an ensemble, in single precision.

    Raises
    ------
    FileNotFoundError
        If the training stage has not written it.
    ValueError
        If the file is none of :func:`save_ensemble`.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no trained model at {path}; make it with: dvc repro diffusion@train"
        )
    try:
        tensors, about = read_tensors(path)
        shape, seeds = Shape(**about["shape"]), about["seeds"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no trained ensemble of this package: {error}") from None
    levels = tensors.pop(LEVELS)
    weights = {name: tensor.to(torch.float32) for name, tensor in tensors.items()}
    return Ensemble(shape, weights, levels, seeds)
