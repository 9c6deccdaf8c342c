"""Latency against load, and the load that a scheduler can carry."""

from functools import partial
from typing import Any

import pandas as pd

from schedlab.lab.resolve import resolve_all
from schedlab.lab.sweep import sweep
from schedlab.serving.experiment.runs import latencies, plain_scene, scheduler_first, serve
from schedlab.serving.metrics import SLO, capacity
from schedlab.serving.parameters import BatchParameters, LoadParameters, Scene
from schedlab.serving.records import Run
from schedlab.serving.schedulers import SCHEDULERS


def follow_batches(parameters: BatchParameters) -> dict[str, Run]:
    """Serve the same requests under each scheduler, checked; return the runs by label."""
    return {
        choice.label: serve(
            parameters,
            choice.entry,
            parameters.rate,
            parameters.requests,
            parameters.seeds[0],
            check=True,
        )
        for choice in resolve_all(parameters.schedulers, SCHEDULERS)
    }


def latency_against_load(parameters: LoadParameters) -> pd.DataFrame:
    """Return one row per scheduler, rate, seed and class of users, see :func:`latencies`."""
    grid = [
        {"entry": entry, "rate": rate}
        for entry in parameters.schedulers
        for rate in parameters.rates
    ]
    return latencies(parameters, grid, parameters.requests, parameters.seeds, "latency")


def capacity_by_bisection(parameters: LoadParameters) -> pd.DataFrame:
    """Return one row per scheduler and seed: ``scheduler, seed, capacity, limited_by``.

    ``capacity`` is the highest rate, in requests/s, whose median TTFT is below the objective
    while the 99th percentile of TBT of each class keeps to its limit.
    """
    measure = partial(
        measure_capacity,
        scene=plain_scene(parameters),
        requests=parameters.requests,
        slo=SLO(ttft_p50_s=parameters.ttft_slo_s),
        between=parameters.capacity_between,
    )
    grid = {"entry": [entry.model_dump() for entry in parameters.schedulers]}
    return scheduler_first(sweep(measure, grid, parameters.seeds, label="capacity"))


def measure_capacity(
    scene: dict[str, Any],
    requests: int,
    slo: SLO,
    between: tuple[float, float],
    entry: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Return the capacity of one scheduler under one seed."""
    world = Scene(**scene, schedulers=[entry])
    found = capacity(lambda rate: serve(world, entry, rate, requests, seed), slo, *between)
    return {
        "scheduler": entry["label"],
        "capacity": found.rate,
        "limited_by": found.limited_by,
    }


def medians_near_capacity(latency: pd.DataFrame, parameters: LoadParameters) -> dict[str, float]:
    """Return each scheduler's median TTFT, s: the mean over seeds and rates near capacity."""
    rows = latency[(latency["class"] == "all") & latency["rate"].isin(parameters.near_capacity)]
    return rows.groupby("scheduler")["ttft_p50_s"].mean().to_dict()
