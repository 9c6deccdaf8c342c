"""Schedulers against each other, bounds and the optimum on boards with two cores."""

from typing import Any

import numpy as np
import pandas as pd

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.bounds import lower_bound
from schedlab.microcontrollers.experiment.runs import (
    by_seed,
    changed,
    jittered,
    made,
    names,
    pairs,
    unhindered,
)
from schedlab.microcontrollers.inference import (
    infer,
    single_core_cycles,
    without_barriers,
)
from schedlab.microcontrollers.model import Model
from schedlab.microcontrollers.parameters import SpeedUpParameters
from schedlab.microcontrollers.schedulers import ArielFIFO
from schedlab.microcontrollers.schedulers.optimal import solve

BOUND = "lower bound"
NO_BARRIER = "no barriers (bound)"


def speed_ups(parameters: SpeedUpParameters) -> pd.DataFrame:
    """Return one row per network, board, setting, scheduler and seed.

    Columns: ``seed, model, target, board, setting, scheduler, speed_up``, against the plain loop
    on one core of the same setting, and ``latency_ms``. Two more schedulers are bounds: the sum of
    every dispatch's lower bound, and workgroups that wait for no barrier.
    """
    return by_seed(_speed_ups, parameters, "speed-up")


def _speed_ups(scene: dict[str, Any], seed: int) -> pd.DataFrame:
    rows = []
    for measured, on in pairs(scene["counts"], scene["boards"]):
        model = jittered(measured, scene["jitter"], seed)
        for setting, costs in scene["settings"].items():
            here = changed(on, **costs, cpi=scene["cpi"])
            alone = single_core_cycles(model, here)
            for label, cycles in _cycles(model, here, scene["schedulers"]).items():
                where = {**names(model, on), "setting": setting, "scheduler": label}
                ms = 1e3 * cycles / on.clock_hz
                rows.append({**where, "speed_up": alone / cycles, "latency_ms": ms})
    return pd.DataFrame(rows)


def _cycles(model: Model, on: Board, entries: list[Any]) -> dict[str, float]:
    serial = infer(model, on, ArielFIFO())
    bounds = sum(lower_bound(dispatch, on) for dispatch in model.dispatches)
    return {
        **{label: infer(model, on, scheduler).cycles for label, scheduler in made(entries)},
        BOUND: serial.before + serial.serial.sum() + bounds,
        NO_BARRIER: without_barriers(model, on),
    }


def excess_over_optimum(parameters: SpeedUpParameters) -> pd.DataFrame:
    """Return one row per network, board and scheduler, without anything that hinders the cores.

    Columns: ``over_bound`` and ``over_optimum``, the summed makespans of all dispatches over the
    sum of their lower bounds and of their optima, minus 1; ``unproven``, what the solver leaves
    between its best schedules and its own bounds. Measured counts without jitter.
    """
    rows = []
    for model, board in pairs(parameters.counts, parameters.boards):
        on = unhindered(board)
        optima = [solve(dispatch, on) for dispatch in model.dispatches]
        best = sum(optimum.makespan for optimum in optima)
        proven = sum(optimum.bound for optimum in optima)
        bound = sum(lower_bound(dispatch, on) for dispatch in model.dispatches)
        for label, scheduler in made(parameters.schedulers):
            span = infer(model, on, scheduler).spans.sum()
            row = {**names(model, on), "scheduler": label, "over_bound": span / bound - 1}
            rows.append({**row, "over_optimum": span / best - 1, "unproven": best / proven - 1})
    return pd.DataFrame(rows)


def over_bound(parameters: SpeedUpParameters) -> pd.DataFrame:
    """Return one row per network, board, scheduler and seed: ``over_bound`` with jitter."""
    return by_seed(_over_bound, parameters, "bounds")


def _over_bound(scene: dict[str, Any], seed: int) -> pd.DataFrame:
    rows = []
    for measured, board in pairs(scene["counts"], scene["boards"]):
        model, on = jittered(measured, scene["jitter"], seed), unhindered(board)
        bound = sum(lower_bound(dispatch, on) for dispatch in model.dispatches)
        for label, scheduler in made(scene["schedulers"]):
            span = infer(model, on, scheduler).spans.sum()
            rows.append({**names(model, on), "scheduler": label, "over_bound": span / bound - 1})
    return pd.DataFrame(rows)


def single_core_efficiency(parameters: SpeedUpParameters) -> pd.DataFrame:
    """Return cycles per multiply-accumulate of one core, per network, board and seed."""
    return by_seed(_efficiency, parameters, "one core")


def _efficiency(scene: dict[str, Any], seed: int) -> pd.DataFrame:
    rows = []
    for measured, on in pairs(scene["counts"], scene["boards"]):
        model = jittered(measured, scene["jitter"], seed)
        cycles = single_core_cycles(model, on) / model.macs if model.macs else np.nan
        rows.append({**names(model, on), "network": model.name, "cycles_per_mac": cycles})
    return pd.DataFrame(rows)
