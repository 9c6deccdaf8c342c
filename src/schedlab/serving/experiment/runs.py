"""Runs of the engine as all serving experiments make them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd

from schedlab.data.load import lengths
from schedlab.lab.resolve import resolve, resolve_all
from schedlab.lab.sweep import sweep
from schedlab.serving import engine
from schedlab.serving.costs import COST_MODELS, CostModel
from schedlab.serving.metrics import summarize, summarize_batches
from schedlab.serving.parameters import Scene
from schedlab.serving.records import Run
from schedlab.serving.schedulers import SCHEDULERS
from schedlab.serving.workload import RequestClass, build_requests

COMPILE_FROM = 1000  # requests; compiling once takes as long as the plain engine for some 10,000
BATCH_COLUMNS = ("mean_batch_time_s", "mean_decode_tokens", "mean_prefill_tokens", "peak_kv_use")


def serve(
    scene: Scene, scheduler: Any, rate: float, requests: int, seed: int, *, check: bool = False
) -> Run:
    """Serve one drawn workload under one scheduler.

    Parameters
    ----------
    scene
        Workload, machine and users.
    scheduler
        Scheduler's entry.
    rate
        Nominal arrival rate, requests/s.
    requests
        Number of requests.
    seed
        Equal seeds see equal requests, whatever scheduler or rate.
    check
        Whether to check every invariant after every batch, and keep who was in it.
    """
    return simulate(
        workload(scene, rate, requests, seed),
        resolve(scheduler, SCHEDULERS).make(),
        COST_MODELS[scene.cost_model],
        total_blocks=scene.blocks,
        check=check,
        keep_members=check,
    )


def simulate(requests: pd.DataFrame, scheduler: Any, cost_model: CostModel, **settings: Any) -> Run:
    """Serve requests with the engine that is quicker for so many; both give equal runs."""
    if len(requests) < COMPILE_FROM:
        return engine.simulate(requests, scheduler, cost_model, **settings)
    from schedlab.serving import compiled  # imports the compiler

    return compiled.simulate(requests, scheduler, cost_model, **settings)


def workload(scene: Scene, rate: float, requests: int, seed: int) -> pd.DataFrame:
    """Draw the requests of a run, see :func:`schedlab.serving.workload.build_requests`."""
    users = (
        RequestClass("paying", scene.paying_share, scene.paying_tbt_s),
        RequestClass("free", 1 - scene.paying_share, scene.free_tbt_s),
    )
    return build_requests(lengths(scene.workload), requests, rate, seed, classes=users)


def latencies(
    scene: Scene, grid: list[dict[str, Any]], requests: int, seeds: Sequence[int], label: str
) -> pd.DataFrame:
    """Run every point of a grid with every seed; return latency percentiles by class of users.

    Columns: ``scheduler``, the point's labels, ``seed``, those of
    :func:`schedlab.serving.metrics.summarize`, and means over the run's batches.

    Parameters
    ----------
    scene
        Workload, machine and users.
    grid
        Points: ``entry`` (of a scheduler), ``rate`` (requests/s), and if they differ ``blocks``.
    requests
        Requests a run.
    seeds
        One run each.
    label
        Words for the progress bar.
    """
    points = [{**point, "entry": point["entry"].model_dump()} for point in grid]
    measure = partial(measure_latency, scene=plain_scene(scene), requests=requests)
    return scheduler_first(sweep(measure, points, seeds, label=label))


def measure_latency(
    scene: dict[str, Any],
    requests: int,
    entry: dict[str, Any],
    rate: float,
    seed: int,
    **changes: Any,
) -> pd.DataFrame:
    """Return the latency of one run by class of users, on a scene with some changes."""
    world = Scene(**{**scene, **changes}, schedulers=[entry])
    run = serve(world, entry, rate, requests, seed)
    batches = summarize_batches(run)
    table = summarize(run).assign(**{name: batches[name] for name in BATCH_COLUMNS})
    return table.assign(scheduler=entry["label"])


def throughput_bound(parameters: Scene) -> float:
    """Return the rate beyond which no scheduler is stable, in requests/s (Theorem 1).

    Every batch is granted the best tokens per second of the cost model; reading the KV cache
    is left out, so the bound is not tight.
    """
    mean_tokens = lengths(parameters.workload).sum(axis=1).mean()
    return COST_MODELS[parameters.cost_model].peak_tokens_per_s / mean_tokens


def plain_scene(parameters: Scene) -> dict[str, Any]:
    """Return what a run depends on beside its scheduler, as plain values for other processes."""
    return parameters.model_dump(include=set(Scene.model_fields) - {"schedulers"})


def scheduler_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the scheduler's column in front."""
    return table[["scheduler", *[name for name in table if name != "scheduler"]]]


def own_labels(entries: Sequence[Any]) -> list[str]:
    """Return the labels of schedulers that come from a user's own module."""
    choices = resolve_all(entries, SCHEDULERS)
    return [choice.label for choice in choices if choice.registered is None]
