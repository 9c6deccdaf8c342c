"""A quadratic with noisy gradients, on which the scheduler's answer is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from torch import nn

from schedlab.trainability.schedulers import LayerStatistics, NoiseCurvatureLR


def descend(
    lr: float,
    curvature: float,
    rng: np.random.Generator,
    *,
    dimensions: int,
    batch_size: int,
    updates: int,
    interval: int,
    cool: float = 0.99,
    safety: float = 0.8,
) -> pd.DataFrame:
    """Run SGD on ½ λ ‖w‖² with per-sample gradient noise N(0, I), and the scheduler beside it.

    It decides on gradient noise alone, without a floor. The run starts in the stationary state
    of its first learning rate.

    Parameters
    ----------
    lr
        Learning rate at the start, below 2/λ.
    curvature
        λ.
    rng
        Draws the noise.
    dimensions, batch_size, updates, interval
        Size d, samples B, length of the run, updates between decisions.
    cool, safety
        c and γ of the scheduler.

    Returns
    -------
    The scheduler's history.

    Raises
    ------
    ValueError
        If SGD would diverge from the first step.
    """
    if not 0 < lr < 2 / curvature:
        raise ValueError(f"lr must lie between 0 and 2/curvature = {2 / curvature:g}, got {lr:g}")
    spread = math.sqrt(lr / (batch_size * curvature * (2 - lr * curvature)))
    weights = nn.Parameter(torch.from_numpy(rng.normal(0, spread, dimensions)))
    optimizer = torch.optim.SGD([{"params": [weights], "name": "w"}], lr=lr)
    scheduler = NoiseCurvatureLR(
        optimizer, volatility="none", floor=0.0, cool=cool, safety=safety, early=0.0
    )
    for update in range(updates):
        slope, measured = curvature * weights.detach(), None
        if update % interval == 0:
            noise = torch.from_numpy(rng.standard_normal((batch_size, dimensions)))
            weights.grad = slope + noise.mean(0)
            variance = float(noise.var(0, correction=0).sum())
            gradient_sq = float(weights.grad.square().sum())
            measured = {"w": LayerStatistics(batch_size, gradient_sq, variance)}
        else:  # nobody looks at single samples, so their mean is drawn at once
            noise = torch.from_numpy(rng.standard_normal(dimensions))
            weights.grad = slope + noise / math.sqrt(batch_size)
        scheduler.step(measured)
        optimizer.step()
    return scheduler.history


def resting_lr(curvature: float, batch_size: int, safety: float = 0.8) -> float:
    """Return where cooling ends: the smaller root of lr (2 − lr λ) = 2 γ B/(B − 1).

    NaN where there is none: then the bound stays above the step all the way to instability.
    """
    wanted = 2 * safety * batch_size / (batch_size - 1)
    inside = 4 - 4 * curvature * wanted
    return (2 - math.sqrt(inside)) / (2 * curvature) if inside >= 0 else math.nan
