"""Ranks inside SLAI: shortest answers first among the requests that no deadline presses."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from schedlab.data.load import lengths
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep
from schedlab.ranking.dials import copula_scores
from schedlab.ranking.experiment.world import serve, summarize
from schedlab.ranking.parameters.serving import Machine, Policy, SlaiParameters
from schedlab.serving.records import Run
from schedlab.serving.workload import RequestClass, build_requests


def ranks_inside_slai(parameters: SlaiParameters) -> pd.DataFrame:
    """Return one row per load, rate, scheduler and seed.

    Columns: those of ``world.summarize``; ``ttft_p50_s``, ``ttft_p99_s``; ``waiting_p99_s`` and
    ``waiting_max_s`` (longest waits of requests); ``attainment``, the share of requests whose first
    token came within the objective and 99 % of whose tokens within their limit; and the 99th
    percentiles of the time between tokens, ``tbt_p99_paying_s`` and ``tbt_p99_free_s``.
    """
    points = [
        {"load": name, "rate": rate, "set_of": load.lengths, "policy": policy.model_dump()}
        for name, load in parameters.loads.items()
        for rate in load.rates
        for policy in parameters.schedulers
    ]
    scene = parameters.model_dump(exclude={"schedulers", "loads", "seeds"})
    return sweep(partial(measure, scene=scene), points, parameters.seeds, label="ranks in SLAI")


def measure(
    scene: dict[str, Any], load: str, rate: float, set_of: str, policy: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Serve one workload under one scheduler."""
    arm, requests = Policy(**policy), workload(scene, set_of, rate, seed)
    run = serve(
        Machine(**scene["machine"]),
        arm.entry,
        requests,
        preemption=arm.preemption,
        scored=arm.scores == "ranking",
    )
    return {"scheduler": arm.label, **summarize(run), **promises(run, scene["ttft_slo_s"])}


def workload(scene: dict[str, Any], set_of: str, rate: float, seed: int) -> pd.DataFrame:
    """Draw requests of paying and free users, with the scores of a predictor as priority."""
    users = (
        RequestClass("paying", scene["paying_share"], scene["paying_tbt_s"]),
        RequestClass("free", 1 - scene["paying_share"], scene["free_tbt_s"]),
    )
    table = build_requests(lengths(set_of), scene["requests"], rate, seed, classes=users)
    rng = generator(seed, "ranking", "ranking")
    scores = copula_scores(table["output_tokens"].to_numpy(), scene["tau"], rng)
    return table.assign(priority=-scores)


def promises(run: Run, ttft_slo_s: float) -> dict[str, float]:
    """Return waits, and how far what users were promised was kept."""
    table = run.requests
    waiting_s = table[["ttft_s", "tbt_max_s"]].max(axis=1)
    late = table["tbt_p99_s"] > table["tbt_limit_s"]
    return {
        "ttft_p50_s": table["ttft_s"].median(),
        "ttft_p99_s": table["ttft_s"].quantile(0.99),
        "waiting_p99_s": waiting_s.quantile(0.99),
        "waiting_max_s": waiting_s.max(),
        "attainment": float(((table["ttft_s"] <= ttft_slo_s) & ~late).mean()),
        **{f"tbt_p99_{name}_s": float(np.quantile(run.tbt_s(name), 0.99)) for name in USERS},
    }


USERS = ("paying", "free")
