"""The default models: networks for scikit-learn's digits, trained, quantised and exported here.

``python -m schedlab.microcontrollers.frontend.digits`` makes the shipped files again. Another
type of machine may train other last digits, hence other weights: the shipped files are those
whose instruction counts are shipped.
"""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from schedlab.microcontrollers.frontend.export import tosa_text, write_onnx
from schedlab.microcontrollers.frontend.networks import LEVELS, NETWORKS
from schedlab.microcontrollers.frontend.quantize import (
    QuantNetwork,
    quantize,
    quantize_images,
    run_integers,
)
from schedlab.microcontrollers.frontend.training import Weights, activations, digits, train

SEED, EPOCHS = 8, 40
IN_FLOAT = ("digits_cnn",)  # exported in float32 as well
SHIPPED = (*(f"{name}_int8" for name in NETWORKS), *(f"{name}_f32" for name in IN_FLOAT))


def shipped_model(name: str) -> Path:
    """Return the file of a default model.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if name not in SHIPPED:
        raise ValueError(f"no default model {name!r}; there are {', '.join(SHIPPED)}")
    suffix = "onnx" if name.endswith("f32") else "mlir"
    return Path(str(files(__package__) / "models" / f"{name}.{suffix}"))


def trained(name: str, epochs: int, seed: int) -> tuple[Weights, QuantNetwork]:
    """Train a network and quantise it with the training images as calibration."""
    layers = NETWORKS[name]
    weights = train(layers, epochs, torch.Generator().manual_seed(seed))
    return weights, quantize(layers, weights, digits()[0])


def accuracies(name: str, weights: Weights, network: QuantNetwork) -> dict[str, float]:
    """Return the share of the 360 test digits that float32 and int8 read correctly."""
    _, _, images, labels = digits()
    scores = activations(NETWORKS[name], weights, torch.as_tensor(images) / LEVELS)[-1]
    integers = run_integers(network, quantize_images(network, images))
    return {
        "float32": float(np.mean(scores.flatten(1).argmax(1).numpy() == labels)),
        "int8": float(np.mean(integers.argmax(1) == labels)),
    }


def test_inputs(dtype: str) -> np.ndarray:
    """Return the 360 test digits as a model's input (n, 8, 8, 1): float32 in 0..1, or int8."""
    images = digits()[2] / np.float32(LEVELS)
    return images if dtype == "float32" else np.round(images * 255 - 128).astype(np.int8)


def export_models(folder: Path, epochs: int = EPOCHS, seed: int = SEED) -> pd.DataFrame:
    """Train all networks, write their model files, and return the accuracy of each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in NETWORKS:
        weights, network = trained(name, epochs, seed)
        (folder / f"{name}_int8.mlir").write_text(tosa_text(network))
        if name in IN_FLOAT:
            write_onnx(NETWORKS[name], weights, folder / f"{name}_f32.onnx")
        for kind, share in accuracies(name, weights, network).items():
            rows.append({"model": name, "type": kind, "accuracy": share})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(export_models(Path(str(files(__package__) / "models"))).to_string(index=False))
