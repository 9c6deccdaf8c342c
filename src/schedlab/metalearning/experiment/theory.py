"""Proposition 1 on pools that were met: what a schedule's weights do to the meta-training loss."""

import pandas as pd
import torch

from schedlab.metalearning.experiment.summaries import KEYS, last_pools
from schedlab.metalearning.schedulers.theory import scheduled_loss


def meta_training_losses(steps: pd.DataFrame, scheduler: str) -> pd.DataFrame:
    """Return the loss of the last pools, weighed and plain.

    Parameters
    ----------
    steps
        Of :func:`schedlab.metalearning.experiment.arms.compare`.
    scheduler
        Its label.

    Returns
    -------
    Columns ``scheduler, world, seed, uniform`` (mean loss), ``scheduled`` (Σ w_i L_i) and
    ``identity_error``: how far the mean plus n Cov(w, L) is from it, over the mean, at most.
    """
    rows = []
    for key, run in last_pools(steps, scheduler).groupby(KEYS, sort=False):
        pools = run.pivot_table(index="step", columns="candidate", values=["weight", "loss"])
        weights, losses = (torch.tensor(pools[name].to_numpy()) for name in ("weight", "loss"))
        weighed, plain = (weights * losses).sum(1), losses.mean(1)
        error = ((scheduled_loss(weights, losses) - weighed) / plain).abs().max()
        rows.append((*key, float(plain.mean()), float(weighed.mean()), float(error)))
    return pd.DataFrame(rows, columns=[*KEYS, "uniform", "scheduled", "identity_error"])
