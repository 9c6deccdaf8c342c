"""Requests that are all there at the beginning: a burst, and a synthetic data set."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from schedlab.lab.sweep import sweep
from schedlab.ranking.experiment.world import draw_requests, run_policy, summarize
from schedlab.ranking.parameters.serving import BurstParameters, Machine, Policy, Trace
from schedlab.serving.costs import LinearPerSequence
from schedlab.serving.engine import simulate
from schedlab.serving.schedulers import Priority, Sarathi

SMALL, LARGE = "8B", "70B"


def first_example(seeds: list[int]) -> pd.DataFrame:
    """Serve the three requests of the paper's figure 1: one slot, one token a second.

    Columns: ``seed, scheduler, latency_mean`` (s/token). Nothing in it is random.
    """
    table = pd.DataFrame(
        {"request_id": range(3), "arrival_s": 0.0, "prompt_tokens": 1, "output_tokens": [10, 2, 1]}
    )
    one_a_second = LinearPerSequence(0.0, 1.0, 0.0, 0.0)
    arms = {
        "FCFS": Sarathi(max_num_seqs=1),
        "Shortest first": Priority(key="output", max_num_seqs=1),
    }
    runs = {
        name: simulate(table, scheduler, one_a_second, first_token_at_prefill=True)
        for name, scheduler in arms.items()
    }
    return pd.DataFrame(
        [
            {"seed": seed, "scheduler": name, "latency_mean": summarize(run)["latency_mean"]}
            for name, run in runs.items()
            for seed in seeds
        ]
    )


def burst(parameters: BurstParameters) -> pd.DataFrame:
    """Return one row per model, trace, policy and seed.

    Columns: those of :func:`summarize`, and ``within_bounds`` (see :func:`within_bounds`).
    """
    points = _points(parameters, {SMALL: parameters.machine, LARGE: parameters.large_machine})
    measure = partial(measure_burst, requests=parameters.requests)
    return sweep(measure, points, parameters.seeds, label="burst")


def swap_costs(parameters: BurstParameters) -> pd.DataFrame:
    """Return the burst on the small machine at several costs of swapping, ``swap_block_s``.

    Policies that neither preempt by swapping nor differ from ranking in that are left out.
    """
    points = [
        {**point, "machine": point["machine"] | {"swap_block_s": cost}, "swap_block_s": cost}
        for cost in parameters.swap_costs_s
        for point in _points(parameters, {SMALL: parameters.machine})
        if point["policy"]["preemption"] == "swap"
        and point["policy"]["scores"] not in ("classes", "optimal")
    ]
    measure = partial(measure_burst, requests=parameters.requests)
    return sweep(measure, points, parameters.seeds, label="swap costs")


def measure_burst(
    machine: dict[str, Any],
    policy: dict[str, Any],
    trace_set: dict[str, Any],
    requests: int,
    seed: int,
    **names: str | float,
) -> dict[str, Any]:
    """Serve one burst."""
    arm, trace = Policy(**policy), Trace(**trace_set)
    drawn = draw_requests(trace.lengths, requests, seed)
    run = run_policy(Machine(**machine), arm, trace, drawn, seed)
    return {
        "scheduler": arm.label,
        **summarize(run, arm.extra_tokens),
        "within_bounds": within_bounds(run.batches, run.total_blocks),
    }


def within_bounds(batches: pd.DataFrame, blocks: int) -> float:
    """Return the share of batches with at most 256 requests, 768 tokens and so many blocks."""
    tokens = batches["prefill_tokens"] + batches["decode_tokens"]
    within = (batches["requests"] <= 256) & (tokens <= 768)
    return float((within & batches["used_blocks"].between(0, blocks)).mean())


def overhead(parameters: BurstParameters) -> pd.DataFrame:
    """Return what the predictor takes of a run of the ranking, one row per model, trace, seed.

    Columns: ``total_s`` of the run, ``predictor_s`` and its ``share``.
    """
    ranking = [policy for policy in parameters.policies if policy.scores == "ranking"][:1]
    machines = {SMALL: parameters.machine, LARGE: parameters.large_machine}
    points = _points(parameters.model_copy(update={"policies": ranking}), machines)
    measure = partial(measure_overhead, requests=parameters.overhead_requests)
    return sweep(measure, points, parameters.seeds, label="overhead")


def measure_overhead(
    machine: dict[str, Any],
    policy: dict[str, Any],
    trace_set: dict[str, Any],
    requests: int,
    seed: int,
    **names: str | float,
) -> dict[str, Any]:
    """Serve one burst and count what scoring its prompts took."""
    world, trace = Machine(**machine), Trace(**trace_set)
    drawn = draw_requests(trace.lengths, requests, seed)
    total_s = summarize(run_policy(world, Policy(**policy), trace, drawn, seed))["makespan_s"]
    predictor_s = world.score_token_s * float(drawn["prompt_tokens"].sum())
    return {
        "total_s": total_s,
        "predictor_s": predictor_s,
        "share": predictor_s / total_s,
    }


def data_set(parameters: BurstParameters) -> pd.DataFrame:
    """Generate a synthetic data set, one row per model, trace, policy and seed.

    Columns: ``first_s``, time until the first so many answers are there, scoring included;
    ``completions`` within the window; ``makespan_s``.
    """
    compared = [each for each in parameters.policies if each.label in parameters.data_set_policies]
    machines = {SMALL: parameters.machine, LARGE: parameters.large_machine}
    points = _points(parameters.model_copy(update={"policies": compared}), machines)
    measure = partial(
        measure_data_set,
        prompts=parameters.prompts,
        first=parameters.first,
        window_s=parameters.window_s,
    )
    return sweep(measure, points, parameters.seeds, label="data set")


def measure_data_set(
    machine: dict[str, Any],
    policy: dict[str, Any],
    trace_set: dict[str, Any],
    prompts: int,
    first: int,
    window_s: float,
    seed: int,
    **names: str | float,
) -> dict[str, Any]:
    """Generate one data set."""
    arm, trace = Policy(**policy), Trace(**trace_set)
    drawn = draw_requests(trace.lengths, prompts, seed)
    finish_s = run_policy(Machine(**machine), arm, trace, drawn, seed).requests["finish_s"]
    finish_s = np.sort(finish_s.to_numpy())
    return {
        "scheduler": arm.label,
        "first_s": finish_s[first - 1],
        "completions": int(np.searchsorted(finish_s, window_s, side="right")),
        "makespan_s": finish_s[-1],
    }


def _points(parameters: BurstParameters, machines: dict[str, Machine]) -> list[dict[str, Any]]:
    """Return every model with every trace and policy, as plain values for other processes."""
    return [
        {
            "model": model,
            "trace": name,
            "machine": machine.model_dump(),
            "policy": policy.model_dump(),
            "trace_set": trace.model_dump(),
        }
        for model, machine in machines.items()
        for name, trace in parameters.traces.items()
        for policy in parameters.policies
    ]
