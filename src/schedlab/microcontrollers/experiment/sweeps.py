"""What contention, hand-overs, the number of cores and unequal cores do to a speed-up."""

from dataclasses import replace
from typing import Any

import pandas as pd

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.bounds import amdahl_bound
from schedlab.microcontrollers.experiment.runs import (
    by_seed,
    changed,
    jittered,
    made,
    names,
    pairs,
    unhindered,
)
from schedlab.microcontrollers.inference import serial_cycles, speed_up
from schedlab.microcontrollers.model import Model
from schedlab.microcontrollers.parameters import SweepParameters
from schedlab.microcontrollers.schedulers import ArielFIFO


def contention(parameters: SweepParameters) -> pd.DataFrame:
    """Return Ariel's speed-up by ``beta``, all else as on the board; a row per network and seed."""
    return by_seed(_contention, parameters, "contention")


def _contention(scene: dict[str, Any], seed: int) -> pd.DataFrame:
    return pd.DataFrame(
        {**names(model, on), "beta": beta, "speed_up": _ariel(model, changed(on, beta=beta))}
        for model, on in _jittered_pairs(scene, seed)
        for beta in scene["betas"]
    )


def overhead(parameters: SweepParameters) -> pd.DataFrame:
    """Return speed-ups by hand-over cost without contention or serial work.

    Columns: ``overhead``, cost of a hand-over over the mean workgroup; ``scheduler``; and
    ``speed_up``.
    """
    return by_seed(_overhead, parameters, "overhead")


def _overhead(scene: dict[str, Any], seed: int) -> pd.DataFrame:
    rows = []
    for model, on in _jittered_pairs(scene, seed):
        mean = on.work(model.in_order).mean()
        for share in scene["overheads"]:
            here = replace(unhindered(on), job_cycles=share * mean)
            for label, scheduler in made(scene["schedulers"]):
                found = speed_up(model, here, scheduler)
                where = {**names(model, on), "overhead": share, "scheduler": label}
                rows.append({**where, "speed_up": found})
    return pd.DataFrame(rows)


def cores(parameters: SweepParameters) -> pd.DataFrame:
    """Return Ariel's speed-up by number of equal cores.

    Columns: ``cores``; ``tiles``, without anything that hinders the cores; ``amdahl``, that over
    the largest speed-up that Amdahl's law allows with the board's serial work; ``speed_up``, with
    all costs of the board.
    """
    return by_seed(_cores, parameters, "cores")


def _cores(scene: dict[str, Any], seed: int) -> pd.DataFrame:
    rows = []
    for model, on in _jittered_pairs(scene, seed):
        for count in scene["cores"]:
            here = on.with_cores(count)
            serial_only = changed(here, beta=0.0, job_cycles=0.0)
            parallel = on.work(model.in_order).sum()
            limit = amdahl_bound(serial_cycles(model.in_order, on).sum(), parallel, count)
            row = {**names(model, on), "cores": count, "speed_up": _ariel(model, here)}
            row["tiles"] = _ariel(model, unhindered(here))
            rows.append({**row, "amdahl": _ariel(model, serial_only) / limit})
    return pd.DataFrame(rows)


def unequal_cores(parameters: SweepParameters) -> pd.DataFrame:
    """Return speed-ups over the fast core alone, with a second core of each speed.

    Columns: ``slow``, speed of the second core; ``scheduler``; ``speed_up``, without anything
    that hinders the cores.
    """
    return by_seed(_unequal, parameters, "unequal cores")


def _unequal(scene: dict[str, Any], seed: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **names(model, on),
            "slow": slow,
            "scheduler": label,
            "speed_up": speed_up(model, replace(unhindered(on), speeds=(1.0, slow)), scheduler),
        }
        for model, on in _jittered_pairs(scene, seed)
        for slow in scene["slow_speeds"]
        for label, scheduler in made(scene["schedulers"])
    )


def _jittered_pairs(scene: dict[str, Any], seed: int) -> list[tuple[Model, Board]]:
    found = pairs(scene["counts"], scene["boards"])
    return [(jittered(model, scene["jitter"], seed), on) for model, on in found]


def _ariel(model: Model, on: Board) -> float:
    return speed_up(model, on, ArielFIFO())
