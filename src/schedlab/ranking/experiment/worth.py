"""What a better predictor is worth: the dial of tau, the shape of errors, and trained rankers."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from schedlab.lab.outputs import place
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep
from schedlab.ranking.claims.labels import FCFS, SRTF
from schedlab.ranking.dials import copula_scores, shuffled_scores
from schedlab.ranking.experiment.world import (
    PROMPTS,
    SHORTEST_OUTPUT,
    draw_requests,
    serve,
    summarize,
)
from schedlab.ranking.metrics import kendall_tau
from schedlab.ranking.parameters.serving import Machine, WorthParameters

UNRANKED = {
    FCFS: {"use": "sarathi", "options": {"token_budget": 768, "max_num_seqs": 256}},
    SRTF: {"use": "priority", "options": {"key": "output_left"}},
}
BY_SCORE = {"use": "priority", "options": {"ties": "random"}}
ENDS = ("shortest", "longest")


def tau_dial(parameters: WorthParameters) -> pd.DataFrame:
    """Serve a burst by scores of each tau, one row per tau and seed.

    Columns: ``tau`` wanted, ``tau_measured``, and ``latency_mean`` (s/token).
    """
    return _dialled(
        parameters, [{"kind": "copula", "dial": tau} for tau in parameters.taus]
    ).rename(columns={"dial": "tau"})


def error_shapes(parameters: WorthParameters) -> pd.DataFrame:
    """Serve a burst by perfect orders with one end shuffled, one row per end and seed.

    Columns: ``kind`` (which end is shuffled), ``dial`` (which share), ``tau_measured`` and
    ``latency_mean``.
    """
    share = parameters.shuffled_share
    return _dialled(parameters, [{"kind": end, "dial": share} for end in ENDS])


def _dialled(parameters: WorthParameters, points: list[dict[str, Any]]) -> pd.DataFrame:
    measure = partial(
        measure_dial,
        machine=parameters.machine.model_dump(),
        lengths=parameters.lengths,
        requests=parameters.requests,
    )
    return sweep(measure, points, parameters.seeds, label="dials")


def measure_dial(
    machine: dict[str, Any], lengths: str, requests: int, kind: str, dial: float, seed: int
) -> dict[str, Any]:
    """Serve one burst by scores of a tau, or with a share shuffled at one end."""
    drawn = draw_requests(lengths, requests, seed)
    outputs, rng = drawn["output_tokens"].to_numpy(), generator(seed, "ranking", "dial")
    if kind == "copula":
        scores = copula_scores(outputs, dial, rng)
    else:
        scores = shuffled_scores(outputs, dial, kind, rng)
    run = serve(Machine(**machine), BY_SCORE, drawn.assign(priority=-scores))
    return {
        "tau_measured": kendall_tau(scores, outputs),
        "latency_mean": summarize(run)["latency_mean"],
    }


def bounds(parameters: WorthParameters) -> pd.DataFrame:
    """Serve the same bursts by FCFS and by true lengths: ``scheduler, seed, latency_mean``."""
    rows = []
    for seed in parameters.seeds:
        drawn = draw_requests(parameters.lengths, parameters.requests, seed)
        for label in UNRANKED:
            figures = unranked(parameters.machine, label, drawn)
            rows.append({"scheduler": label, "seed": seed, "latency_mean": figures["latency_mean"]})
    return pd.DataFrame(rows)


def unranked(machine: Machine, label: str, requests: pd.DataFrame) -> dict[str, float]:
    """Serve requests by FCFS or SRTF, without a predictor."""
    preemption = "recompute" if label == FCFS else "swap"
    return summarize(serve(machine, UNRANKED[label], requests, preemption=preemption, scored=False))


def trained_scores(folder: str = "results/ranking/training") -> pd.DataFrame:
    """Return what the trained rankers scored: ``ranker, seed, prompt_tokens, ...``.

    Raises
    ------
    FileNotFoundError
        If the stage that trains them has not run.
    """
    path = place(folder) / "scores.parquet"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; make it with: dvc repro ranking@training")
    return pd.read_parquet(path)


def end_to_end(parameters: WorthParameters, scores: pd.DataFrame) -> pd.DataFrame:
    """Serve held-out real requests by the rankers that were trained on others.

    One row per policy and seed: ``scheduler, seed, requests, tau_measured`` (missing without
    scores) and columns of ``world.summarize``.

    Parameters
    ----------
    parameters
        Machine, rankers, and where outputs are cut.
    scores
        Table of :func:`trained_scores`.
    """
    if unknown := sorted(set(parameters.rankers) - set(scores["ranker"])):
        known = ", ".join(scores["ranker"].unique())
        raise ValueError(f"rankers: {unknown[0]!r} was not trained; there are {known}")
    rows = []
    for seed in sorted(scores["seed"].unique()):
        here = scores[scores["seed"] == seed]
        arms = {label: _requests(here, label, parameters) for label in parameters.rankers}
        plain = arms[parameters.rankers[0]]
        for label in UNRANKED:
            rows.append(
                _row(label, seed, plain, np.nan, unranked(parameters.machine, label, plain))
            )
        for label, table in arms.items():
            run = serve(parameters.machine, BY_SCORE, table)
            tau = kendall_tau(-table["priority"], table["output_tokens"])
            rows.append(_row(label, seed, table, tau, summarize(run)))
    return pd.DataFrame(rows)


def _row(
    label: str, seed: int, table: pd.DataFrame, tau: float, figures: dict[str, float]
) -> dict[str, Any]:
    front = {"scheduler": label, "seed": int(seed), "requests": len(table)}
    return {**front, "tau_measured": tau, **figures}


def _requests(scores: pd.DataFrame, ranker: str, parameters: WorthParameters) -> pd.DataFrame:
    """Return the requests that a ranker scored, filtered as the authors filter, all at once."""
    table = scores[scores["ranker"] == ranker]
    kept = table["prompt_tokens"].between(*PROMPTS) & (table["output_tokens"] >= SHORTEST_OUTPUT)
    table = table[kept].head(parameters.real_requests).reset_index(drop=True)
    return pd.DataFrame(
        {
            "request_id": np.arange(len(table)),
            "arrival_s": 0.0,
            "prompt_tokens": table["prompt_tokens"],
            "output_tokens": table["output_tokens"].clip(upper=parameters.longest_output),
            "priority": -table["score"].astype(float),
        }
    )
