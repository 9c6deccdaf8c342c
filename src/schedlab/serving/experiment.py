"""Serving experiments: latency against load, and the load that a scheduler can carry."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from schedlab.data.load import lengths
from schedlab.lab.resolve import resolve, resolve_all
from schedlab.lab.sweep import sweep
from schedlab.serving.costs import COST_MODELS
from schedlab.serving.engine import simulate
from schedlab.serving.metrics import SLO, capacity, summarize, summarize_batches
from schedlab.serving.parameters import BatchParameters, LoadParameters, Scene
from schedlab.serving.records import Run
from schedlab.serving.schedulers import SCHEDULERS
from schedlab.serving.workload import RequestClass, build_requests

BATCH_COLUMNS = ("mean_batch_time_s", "mean_decode_tokens", "mean_prefill_tokens", "peak_kv_use")


def serve(
    scene: Scene, scheduler: Any, rate: float, requests: int, seed: int, *, check: bool = False
) -> Run:
    """Serve one drawn workload under one scheduler, keeping which request was in which batch.

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
        Whether to check every invariant after every batch.
    """
    return simulate(
        workload(scene, rate, requests, seed),
        resolve(scheduler, SCHEDULERS).make(),
        COST_MODELS[scene.cost_model],
        total_blocks=scene.blocks,
        check=check,
        keep_members=check,
    )


def workload(scene: Scene, rate: float, requests: int, seed: int) -> pd.DataFrame:
    """Draw the requests of a run, see :func:`schedlab.serving.workload.build_requests`."""
    users = (
        RequestClass("paying", scene.paying_share, scene.paying_tbt_s),
        RequestClass("free", 1 - scene.paying_share, scene.free_tbt_s),
    )
    return build_requests(lengths(scene.workload), requests, rate, seed, classes=users)


def follow_batches(parameters: BatchParameters) -> dict[str, Run]:
    """Serve the same requests under each scheduler, checked; return the runs by label."""
    return {
        choice.label: serve(
            parameters,
            choice.entry,
            parameters.rate,
            parameters.requests,
            parameters.seed,
            check=True,
        )
        for choice in resolve_all(parameters.schedulers, SCHEDULERS)
    }


def latency_against_load(parameters: LoadParameters) -> pd.DataFrame:
    """Return one row per scheduler, rate, seed and class of users, with latency percentiles.

    Columns: ``scheduler, rate, seed``, those of :func:`schedlab.serving.metrics.summarize`, and
    means over the run's batches.
    """
    grid = [
        {"scene": _plain(parameters), "entry": entry.model_dump(), "rate": rate}
        for entry in parameters.schedulers
        for rate in parameters.rates
    ]
    return _by_scheduler(sweep(measure_latency, grid, parameters.seeds, label="latency"))


def measure_latency(
    scene: dict[str, Any], entry: dict[str, Any], rate: float, seed: int
) -> pd.DataFrame:
    """Return the latency of one run by class of users."""
    parameters = LoadParameters(**scene)
    run = serve(parameters, entry, rate, parameters.requests, seed)
    batches = summarize_batches(run)
    table = summarize(run).assign(**{name: batches[name] for name in BATCH_COLUMNS})
    return table.assign(scheduler=entry["label"])


def capacity_by_bisection(parameters: LoadParameters) -> pd.DataFrame:
    """Return one row per scheduler and seed: ``scheduler, seed, capacity, limited_by``.

    ``capacity`` is the highest rate, in requests/s, whose median TTFT is below the objective
    while the 99th percentile of TBT of each class keeps to its limit.
    """
    grid = [
        {"scene": _plain(parameters), "entry": entry.model_dump()}
        for entry in parameters.schedulers
    ]
    return _by_scheduler(sweep(measure_capacity, grid, parameters.seeds, label="capacity"))


def measure_capacity(scene: dict[str, Any], entry: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the capacity of one scheduler under one seed."""
    parameters = LoadParameters(**scene)
    found = capacity(
        lambda rate: serve(parameters, entry, rate, parameters.requests, seed),
        SLO(ttft_p50_s=parameters.ttft_slo_s),
        *parameters.capacity_between,
    )
    return {
        "scheduler": entry["label"],
        "capacity": found.rate,
        "limited_by": found.limited_by,
    }


def medians_near_capacity(latency: pd.DataFrame, parameters: LoadParameters) -> dict[str, float]:
    """Return each scheduler's median TTFT, s: the mean over seeds and rates near capacity."""
    rows = latency[(latency["class"] == "all") & latency["rate"].isin(parameters.near_capacity)]
    return rows.groupby("scheduler")["ttft_p50_s"].mean().to_dict()


def throughput_bound(parameters: Scene) -> float:
    """Return the rate beyond which no scheduler is stable, in requests/s (Theorem 1).

    Every batch is granted the best tokens per second of the cost model; reading the KV cache
    is left out, so the bound is not tight.
    """
    mean_tokens = lengths(parameters.workload).sum(axis=1).mean()
    return COST_MODELS[parameters.cost_model].peak_tokens_per_s / mean_tokens


def _plain(parameters: LoadParameters) -> dict[str, Any]:
    """Return what a single run depends on, so that a longer sweep finds earlier points again."""
    scene = parameters.model_dump()
    first = {name: scene[name][:1] for name in ("schedulers", "seeds")}
    return {**scene, **first, "rates": scene["near_capacity"]}


def _by_scheduler(table: pd.DataFrame) -> pd.DataFrame:
    leading = ["scheduler", *[name for name in ("rate", "seed") if name in table]]
    return table[leading + [name for name in table if name not in leading]]


def own_labels(entries: Sequence[Any]) -> list[str]:
    """Return the labels of schedulers that come from a user's own module."""
    choices = resolve_all(entries, SCHEDULERS)
    return [choice.label for choice in choices if choice.registered is None]
