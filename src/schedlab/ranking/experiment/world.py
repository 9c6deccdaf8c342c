"""Requests, scores and runs of the engine, as all ranking experiments make them."""

from typing import Any

import numpy as np
import pandas as pd

from schedlab.data.load import lengths
from schedlab.lab.resolve import resolve
from schedlab.lab.seeds import generator
from schedlab.ranking.dials import class_scores, copula_scores
from schedlab.ranking.parameters.serving import Machine, Policy, Trace
from schedlab.serving import compiled, engine
from schedlab.serving.costs import COST_MODELS
from schedlab.serving.records import Run
from schedlab.serving.schedulers import SCHEDULERS

COMPILE_FROM = 100
"""Requests of a run from which on the compiled engine serves it; both give equal runs."""
CLASS_WIDTH, CLASS_RECALL = 820, 0.3
"""Width of the paper's ten classes, and the share of long answers that a classifier finds."""
PROMPTS, SHORTEST_OUTPUT = (4, 1024), 4
"""What the authors' benchmark keeps, tokens."""


def draw_requests(name: str, n: int, seed: int) -> pd.DataFrame:
    """Draw requests with replacement from a set of lengths, filtered as the authors filter.

    They are all there at time 0; the first of a larger draw are those of a smaller one.
    """
    table = lengths(name)
    kept = table["prompt_tokens"].between(*PROMPTS) & (table["output_tokens"] >= SHORTEST_OUTPUT)
    table = table[kept]
    rows = generator(seed, "ranking", "lengths", name).integers(len(table), size=n)
    drawn = table.iloc[rows].reset_index(drop=True)
    return drawn.assign(request_id=np.arange(n), arrival_s=0.0)


def scores_for(policy: Policy, trace: Trace, outputs: np.ndarray, seed: int) -> np.ndarray:
    """Return the scores that a policy is given; the larger, the sooner."""
    rng = generator(seed, "ranking", policy.scores)
    taus = {
        "ranking": trace.ranking_tau,
        "perception": trace.perception_tau,
        "optimal": trace.optimal_tau,
    }
    match policy.scores:
        case "none":
            return np.zeros(len(outputs))
        case "classes":
            return class_scores(outputs, CLASS_WIDTH, CLASS_RECALL, rng)
        case name:
            return copula_scores(outputs, taus[name], rng)


def run_policy(
    machine: Machine, policy: Policy, trace: Trace, requests: pd.DataFrame, seed: int
) -> Run:
    """Serve requests under one policy, whose predictor's time is on the critical path."""
    outputs = requests["output_tokens"].to_numpy()
    scores = scores_for(policy, trace, outputs, seed)
    options = {**policy.options, **trace.overrides.get(policy.label, {})}
    table = requests.assign(priority=-scores, output_tokens=outputs + policy.extra_tokens)
    return serve(
        machine,
        policy.entry.model_copy(update={"options": options}),
        table,
        preemption=policy.preemption,
        scored=policy.scores in ("ranking", "classes"),
    )


def serve(
    machine: Machine,
    scheduler: Any,
    requests: pd.DataFrame,
    *,
    preemption: str = "swap",
    scored: bool = True,
) -> Run:
    """Serve a request table on a machine; as in vLLM the batch that ends a prompt emits a token.

    Parameters
    ----------
    machine
        What serves.
    scheduler
        Scheduler's entry.
    requests
        With a column ``priority`` where the scheduler goes by it.
    preemption
        What becomes of the cache of a preempted request.
    scored
        Whether the predictor's time counts.
    """
    simulate = engine.simulate if len(requests) < COMPILE_FROM else compiled.simulate
    return simulate(
        requests,
        resolve(scheduler, SCHEDULERS).make(),
        COST_MODELS[machine.cost_model],
        total_blocks=machine.blocks,
        first_token_at_prefill=True,
        preemption=preemption,
        swap_block_s=float(machine.swap_block_s),
        score_token_s=float(machine.score_token_s if scored else 0.0),
    )


def summarize(run: Run, extra_tokens: int = 0) -> dict[str, float]:
    """Return a run's figures by the paper's definitions.

    Keys: ``latency_mean`` and ``latency_p90`` (time from arrival to the end over output tokens,
    s/token; the mean is over requests), ``asked_mean`` (the same over the tokens that were asked
    for), ``ttft_mean_s``, ``waiting_mean_s`` (longest wait of a request: for its first
    token or between two), ``queue`` (mean number of requests that own no memory while the engine
    is busy), ``makespan_s`` and ``swapped_blocks``.
    """
    table = run.requests
    spent_s = table["finish_s"] - table["arrival_s"]
    latency = spent_s / table["output_tokens"]
    waiting_s = table[["ttft_s", "tbt_max_s"]].max(axis=1)
    return {
        "latency_mean": latency.mean(),
        "latency_p90": latency.quantile(0.9),
        "asked_mean": (spent_s / (table["output_tokens"] - extra_tokens)).mean(),
        "ttft_mean_s": table["ttft_s"].mean(),
        "waiting_mean_s": waiting_s.mean(),
        "queue": np.average(run.batches["waiting"], weights=run.batches["duration_s"]),
        "makespan_s": table["finish_s"].max(),
        "swapped_blocks": int(run.batches["swapped_blocks"].sum()),
    }
