"""Requests that arrive over time: latency against load, starvation, the depth of the queue."""

from functools import partial
from typing import Any

import pandas as pd

from schedlab.lab.sweep import sweep
from schedlab.ranking.claims.labels import CONTROLLED
from schedlab.ranking.experiment.arrivals import arrival_times
from schedlab.ranking.experiment.world import draw_requests, run_policy, summarize
from schedlab.ranking.parameters.serving import Machine, Policy, RatesParameters, Trace


def rate_sweep(parameters: RatesParameters) -> pd.DataFrame:
    """Return one row per trace, policy, rate and seed; columns of ``world.summarize``."""
    points = [
        _point(parameters.machine, name, trace, policy, rate)
        for name, trace in parameters.traces.items()
        for policy in parameters.policies
        for rate in parameters.rates
    ]
    return _measured(parameters, points, "rates")


def starvation(parameters: RatesParameters) -> pd.DataFrame:
    """Return FCFS, ranking, and ranking with starvation control on the large machine.

    One row per trace, rate, policy and seed; columns of ``world.summarize``, and ``promote_after``
    and ``quantum``, 0 without control.
    """
    fcfs, ranking = _pair(parameters)
    arms = [(fcfs, 0, 0), (ranking, 0, 0)]
    arms += [
        (controlled(ranking, after, quantum), after, quantum)
        for quantum in parameters.quantum
        for after in parameters.promote_after
    ]
    points = [
        _point(parameters.large_machine, name, trace, policy, rate)
        | {"promote_after": after, "quantum": quantum}
        for name, trace in parameters.traces.items()
        for rate in parameters.starvation_rates
        for policy, after, quantum in arms
    ]
    return _measured(parameters, points, "starvation")


def controlled(ranking: Policy, after: int, quantum: int) -> Policy:
    """Return ranking with starvation control: T and q, both in batches."""
    options = {**ranking.options, "promote_after": after, "quantum": quantum}
    label = CONTROLLED.format(after, quantum)
    return ranking.model_copy(update={"options": options, "label": label})


def queue_depth(parameters: RatesParameters, sweep_rows: pd.DataFrame) -> pd.DataFrame:
    """Return what ranking gains with more or fewer slots, one row per trace, slots, rate, seed.

    Columns: ``queue``, the mean number of requests that wait under FCFS, and ``gain``, the mean
    latency of FCFS over that of ranking.

    Parameters
    ----------
    parameters
        With the numbers of slots to try beside the usual one.
    sweep_rows
        Table of :func:`rate_sweep`, whose runs have the usual number of slots.
    """
    fcfs, ranking = _pair(parameters)
    points = [
        _point(parameters.machine, name, trace, _slotted(policy, slots), rate) | {"slots": slots}
        for name, trace in parameters.traces.items()
        for slots in parameters.slots
        for rate in parameters.rates
        for policy in (fcfs, ranking)
    ]
    usual = sweep_rows.assign(slots=fcfs.options["max_num_seqs"])
    rows = pd.concat([_measured(parameters, points, "queue depth"), usual])
    places = ["trace", "slots", "rate", "seed"]
    arms = [rows[rows["scheduler"] == p.label].set_index(places) for p in (fcfs, ranking)]
    gain = arms[0]["latency_mean"] / arms[1]["latency_mean"]
    return pd.DataFrame({"queue": arms[0]["queue"], "gain": gain}).reset_index()


def _slotted(policy: Policy, slots: int) -> Policy:
    return policy.model_copy(update={"options": {**policy.options, "max_num_seqs": slots}})


def _pair(parameters: RatesParameters) -> tuple[Policy, Policy]:
    """Return the baseline, which is listed first, and the first policy with a trained ranker."""
    return parameters.policies[0], next(p for p in parameters.policies if p.scores == "ranking")


def _point(
    machine: Machine, name: str, trace: Trace, policy: Policy, rate: float
) -> dict[str, Any]:
    return {
        "trace": name,
        "rate": rate,
        "machine": machine.model_dump(),
        "policy": policy.model_dump(),
        "trace_set": trace.model_dump(),
    }


def _measured(
    parameters: RatesParameters, points: list[dict[str, Any]], label: str
) -> pd.DataFrame:
    measure = partial(measure_rate, arrivals=parameters.arrivals, arrivals_s=parameters.arrivals_s)
    return sweep(measure, points, parameters.seeds, label=label)


def measure_rate(
    machine: dict[str, Any],
    policy: dict[str, Any],
    trace_set: dict[str, Any],
    arrivals: str,
    arrivals_s: float,
    rate: float,
    seed: int,
    **names: str | float,
) -> dict[str, Any]:
    """Serve arrivals until the last has finished."""
    arm, trace = Policy(**policy), Trace(**trace_set)
    count = round(rate * arrivals_s)
    drawn = draw_requests(trace.lengths, count, seed)
    drawn["arrival_s"] = arrival_times(arrivals, count, rate, seed)
    run = run_policy(Machine(**machine), arm, trace, drawn, seed)
    return {"scheduler": arm.label, **summarize(run, arm.extra_tokens)}
