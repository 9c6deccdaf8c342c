"""The scheduler on noisy quadratics."""

import pandas as pd

from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep
from schedlab.trainability.parameters import QuadraticParameters
from schedlab.trainability.quadratic import descend, resting_lr


def cooling(parameters: QuadraticParameters) -> pd.DataFrame:
    """Run from several first learning rates on several quadratics, one of them without a root.

    Returns
    -------
    One row per decision: ``curvature``, ``start`` (the first learning rate relative to where
    cooling should end; missing without a root), ``seed``, and the scheduler's history.
    """
    sizes = parameters.model_dump(
        include={"dimensions", "batch_size", "updates", "interval", "cool"}
    )
    grid = [
        {"curvature": curvature, "lr": start * resting_lr(curvature, parameters.batch_size)}
        for curvature in parameters.curvatures
        for start in parameters.starts
    ]
    grid.append({"curvature": parameters.blind_curvature, "lr": parameters.blind_lr})
    return sweep(measure, [point | {"sizes": sizes} for point in grid], parameters.seeds)


def measure(curvature: float, lr: float, sizes: dict, seed: int) -> pd.DataFrame:
    """Run once; the column ``first_lr`` is where it began."""
    history = descend(lr, curvature, generator(seed, "noise"), **sizes)
    rest = resting_lr(curvature, sizes["batch_size"])
    return history.assign(first_lr=lr, resting_lr=rest, start=lr / rest)
