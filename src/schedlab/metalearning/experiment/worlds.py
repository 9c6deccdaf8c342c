"""Variants of a stage's world: by share of noisy tasks, and by classes that training has."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from schedlab.metalearning.experiment.arms import compare
from schedlab.metalearning.parameters import Comparison


def by_noise(parameters: Comparison, shares: Sequence[float]) -> dict[str, pd.DataFrame]:
    """Run a comparison at each share of noisy tasks.

    Parameters
    ----------
    parameters
        The comparison; the share in its world is replaced.
    shares
        In [0, 1].

    Returns
    -------
    The tables of :func:`~schedlab.metalearning.experiment.arms.compare`, whose worlds are
    labelled ``0.2``, ``0.4``, ...
    """
    return compare(parameters, [_noisy(parameters.world, share) for share in shares])


def by_budget(parameters: Comparison, budgets: Sequence[int]) -> dict[str, pd.DataFrame]:
    """Run a comparison with each number of training classes; worlds are labelled by it."""
    worlds = [{**parameters.world, "budget": n, "label": f"{n}"} for n in budgets]
    return compare(parameters, worlds)


def _noisy(world: dict[str, Any], share: float) -> dict[str, Any]:
    noise = {**world.get("noise", {}), "share": share}
    return {**world, "noise": noise, "label": f"{share:g}"}


def numbered(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a summary with the worlds' labels as numbers in a column of that name."""
    return table.assign(**{name: table["world"].astype(float)})
