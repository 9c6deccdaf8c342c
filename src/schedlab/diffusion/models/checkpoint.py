"""Trained ensembles on disk: safetensors in half precision, with what is needed to rebuild them."""

import json
from dataclasses import asdict
from pathlib import Path

import torch

from schedlab.diffusion.models.denoiser import Ensemble, Shape
from schedlab.lab.files import write_atomically

LEVELS = "alphas_cumprod"


def save_ensemble(ensemble: Ensemble, path: Path) -> None:
    """Write an ensemble, its weights rounded to half precision, which no measure here notices."""
    from safetensors.torch import save_file

    tensors = {name: weight.half() for name, weight in ensemble.parameters.items()}
    tensors[LEVELS] = ensemble.alphas_cumprod
    about = json.dumps({"shape": asdict(ensemble.shape), "seeds": list(ensemble.seeds)})
    # One entry, since safetensors writes several in an order that changes from run to run
    write_atomically(path, lambda temporary: save_file(tensors, temporary, {"about": about}))


def load_ensemble(path: Path) -> Ensemble:
    """Read an ensemble, in single precision.

    Raises
    ------
    FileNotFoundError
        If the training stage has not written it.
    ValueError
        If the file is none of :func:`save_ensemble`.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(
            f"no trained model at {path}; make it with: dvc repro diffusion@train"
        )
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["about"])
            shape, seeds = Shape(**about["shape"]), about["seeds"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no trained ensemble of this package: {error}") from None
    levels = tensors.pop(LEVELS)
    weights = {name: tensor.to(torch.float32) for name, tensor in tensors.items()}
    return Ensemble(shape, weights, levels, seeds)
