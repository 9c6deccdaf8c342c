"""Several replicas behind a router: what routing decides, and what it does not."""

from functools import partial
from typing import Any

import pandas as pd

from schedlab.lab.resolve import resolve
from schedlab.lab.sweep import sweep
from schedlab.serving.costs import COST_MODELS
from schedlab.serving.engine import simulate_fleet
from schedlab.serving.experiment.runs import plain_scene, workload
from schedlab.serving.metrics import summarize
from schedlab.serving.parameters import RoutingParameters, Scene
from schedlab.serving.routers import ROUTERS
from schedlab.serving.schedulers import SCHEDULERS


def routing(parameters: RoutingParameters) -> pd.DataFrame:
    """Return one row per router, rate, seed and class of users.

    Columns: ``router, rate, seed``, those of :func:`schedlab.serving.metrics.summarize`,
    ``tokens_per_s`` (see :func:`fleet_throughput`), and ``imbalance``: the busiest replica's
    time at work over the mean, minus 1.
    """
    measure_here = partial(
        measure,
        scene=plain_scene(parameters),
        entry=parameters.schedulers[0].model_dump(),
        replicas=parameters.replicas,
        requests=parameters.requests,
    )
    grid = {
        "router": [entry.model_dump() for entry in parameters.routers],
        "rate": parameters.rates,
    }
    return sweep(measure_here, grid, parameters.seeds, label="routing")


def measure(
    scene: dict[str, Any],
    entry: dict[str, Any],
    replicas: int,
    requests: int,
    router: dict[str, Any],
    rate: float,
    seed: int,
) -> pd.DataFrame:
    """Serve one workload on a fleet and summarise what its users got."""
    world = Scene(**scene, schedulers=[entry])
    run = simulate_fleet(
        workload(world, rate, requests, seed),
        resolve(entry, SCHEDULERS).make,
        COST_MODELS[world.cost_model],
        replicas=replicas,
        router=resolve(router, ROUTERS).make(),
        total_blocks=world.blocks,
    )
    busy = run.batches.groupby("replica")["duration_s"].sum().reindex(range(replicas), fill_value=0)
    return summarize(run).assign(
        router=router["label"],
        tokens_per_s=fleet_throughput(run.batches),
        imbalance=busy.max() / busy.mean() - 1,
    )


def fleet_throughput(batches: pd.DataFrame) -> float:
    """Return tokens per second until the first replica has nothing left to do.

    A run of finitely many requests ends with some replicas idle, the more so the less evenly
    they were dealt; what a fleet can sustain shows only before.
    """
    ends = batches["start_s"] + batches["duration_s"]
    until_s = ends.groupby(batches["replica"]).max().min()
    tokens = batches["prefill_tokens"] + batches["decode_tokens"]
    return tokens[ends <= until_s].sum() / until_s
