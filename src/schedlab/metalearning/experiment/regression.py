"""Corrupted regression in the worlds that a run names."""

import pandas as pd

from schedlab.metalearning.experiment.arms import compare
from schedlab.metalearning.parameters import RegressionParameters


def compare_worlds(parameters: RegressionParameters) -> dict[str, pd.DataFrame]:
    """Run the comparison of every world that is named.

    Returns
    -------
    The tables of :func:`~schedlab.metalearning.experiment.arms.compare`, one below the other.
    """
    found = [compare(parameters.cases[name]) for name in parameters.worlds]
    return {name: pd.concat([t[name] for t in found], ignore_index=True) for name in found[0]}
