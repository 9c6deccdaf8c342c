"""When requests arrive: at random, or as they did in a recorded trace."""

import numpy as np
import pandas as pd

from schedlab.data import catalog
from schedlab.lab.seeds import generator
from schedlab.serving.workload import poisson_arrivals, replayed_arrivals

POISSON = "poisson"
RECORDED = {  # column, and seconds of its unit
    "azure2023-conv": ("arrived_at", 1.0),
    "azure2023-code": ("arrived_at", 1.0),
    "mooncake-conversation": ("timestamp", 1e-3),
}
"""Catalogued traces whose arrival times can be replayed."""


def arrival_times(name: str, n: int, rate: float, seed: int) -> np.ndarray:
    """Return the times of n arrivals at a mean rate, s.

    Parameters
    ----------
    name
        ``poisson``, or a trace of :data:`RECORDED`: n arrivals in a row from a place that the seed
        draws, squeezed to the rate, so that its bursts stay.
    n
        Number of arrivals, at most those of the trace.
    rate
        Mean rate, requests/s.
    seed
        Root seed.

    Raises
    ------
    ValueError
        If the trace has fewer arrivals.
    """
    if name == POISSON:
        return poisson_arrivals(n, rate, seed, truncate_at=None)
    times = _recorded(name)
    if n > len(times):
        raise ValueError(f"{name} has {len(times)} arrivals, {n} were asked for; lower the rates")
    first = generator(seed, "ranking", "arrivals").integers(len(times) - n + 1)
    return replayed_arrivals(times[first : first + n], rate)


def _recorded(name: str) -> np.ndarray:
    column, unit_s = RECORDED[name]
    path = catalog.fetch(name)
    is_lines = path.suffix == ".jsonl"
    table = pd.read_json(path, lines=True) if is_lines else pd.read_csv(path)
    return np.sort(table[column].to_numpy(dtype=float)) * unit_s
