"""Which grid and scheduler suit a board, what a coarser grid saves, and what fits in memory."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from schedlab.microcontrollers import costs, tuner
from schedlab.microcontrollers.anchors import board_measurements
from schedlab.microcontrollers.boards import Board, board
from schedlab.microcontrollers.claims.labels import COARSE, MERGE
from schedlab.microcontrollers.experiment.runs import by_seed, jittered, made, names, pairs
from schedlab.microcontrollers.inference import infer
from schedlab.microcontrollers.memory import footprint
from schedlab.microcontrollers.model import Dispatch, Model, coarsened
from schedlab.microcontrollers.parameters import TunerParameters
from schedlab.microcontrollers.schedulers import ArielFIFO

XIP_KAPPA = 1.0  # one more cycle per instruction, which reproduces the reported jump


def grids(counts: str, name: str, target: str) -> list[Model]:
    """Return a network with every grid that was measured, or with neighbours merged if only one."""
    found = [m for m in costs.read(counts) if (m.name, m.target) == (name, target)]
    return found if len(found) > 1 else [*found, *(coarsened(m, MERGE) for m in found)]


def tuned(parameters: TunerParameters) -> pd.DataFrame:
    """Return every candidate for every network and board, see :func:`tuner.tune`."""
    schedulers = dict(made(parameters.schedulers))
    tables = [
        tuner.tune(grids(parameters.counts, model.name, model.target), on, schedulers)
        for model, on in pairs(parameters.counts, parameters.boards)
    ]
    table = pd.concat(tables, ignore_index=True)
    return table.assign(model=table["model"].map(costs.title))


def gains(table: pd.DataFrame, ariel: str) -> pd.DataFrame:
    """Return the best candidate of each network and board with what it saves.

    Parameters
    ----------
    table
        Of :func:`tuned`.
    ariel
        Label of Ariel's scheduler, whose latency with the default grid is compared with.
    """
    keys = ["model", "board"]
    usual = table[(table["grid"] == "default") & (table["scheduler"] == ariel)]
    ariel_ms = usual.set_index(keys)["latency_ms"].rename("ariel_ms")
    first = table.groupby(keys, sort=False).first().reset_index().join(ariel_ms, on=keys)
    return first.assign(gain=1 - first["latency_ms"] / first["ariel_ms"])


def crossover(parameters: TunerParameters) -> pd.DataFrame:
    """Return Ariel's latency with each grid by the cost of a hand-over.

    Columns: ``grid, job_cycles, latency_ms``, and ``over_default``, relative to the default grid's.
    """
    return by_seed(_crossover, parameters, "crossover")


def _crossover(scene: dict[str, Any], seed: int) -> pd.DataFrame:
    rows = []
    for model, on, grid in _gridded(scene):
        for job_cycles in scene["job_cycles"]:
            here = replace(on, job_cycles=job_cycles)
            usual = infer(jittered(model, scene["jitter"], seed), here, ArielFIFO()).latency_s
            found = infer(jittered(grid, scene["jitter"], seed), here, ArielFIFO()).latency_s
            row = {**names(model, on), "grid": grid.grid, "job_cycles": job_cycles}
            rows.append({**row, "latency_ms": 1e3 * found, "over_default": found / usual - 1})
    return pd.DataFrame(rows)


def _gridded(scene: dict[str, Any]) -> Iterator[tuple[Model, Board, Model]]:
    """Yield every network with a coarser grid: default, board, grid."""
    for model, on in pairs(scene["counts"], scene["boards"]):
        for grid in grids(scene["counts"], model.name, model.target):
            if grid.grid in ("default", *COARSE):
                yield model, on, grid


def memory_fit(parameters: TunerParameters, boards: list[str]) -> pd.DataFrame:
    """Return one row per network and board.

    Columns: parts of flash and RAM in KiB; ``flash_share`` and ``ram_share``, what all of them
    fill of what the board has; ``fits``.
    """
    rows = []
    for model, on in pairs(parameters.counts, boards):
        need = footprint(model, on)
        parts = {
            "weights": need.weights,
            "kernels": need.kernels,
            "firmware": need.firmware + need.multicore,
            "tensors": need.tensors,
            "stacks and slots": need.main_stack + need.worker_stacks + need.slots,
        }
        kib = {name: size / 1024 for name, size in parts.items()}
        filled = {"flash_share": need.flash / on.flash_bytes, "ram_share": need.ram / on.sram_bytes}
        rows.append({**names(model, on), **kib, **filled, "fits": need.fits})
    return pd.DataFrame(rows)


def cache_cliff() -> pd.DataFrame:
    """Return what others measured of IREE by size of the largest weights, beside the XIP model.

    Columns: ``board, network, weights_kib, cycles_per_mac, modelled``. The model takes the
    smallest network's cycles per multiply-accumulate for all, and adds ``XIP_KAPPA`` of that where
    the weights of a workgroup outgrow the board's cache.
    """
    measured = board_measurements()
    rows = measured[(measured["runtime"] == "IREE") & measured["network"].str.startswith("Mel")]
    parts = []
    for name, part in rows.groupby("board", sort=False):
        on = replace(board(name), xip_kappa=XIP_KAPPA, cpi=1.0)
        base = part["cycles_per_mac"].iloc[0]
        modelled = [
            on.work(Dispatch("conv", [base], weight_bytes=int(size)))[0]
            for size in part["weights_bytes"]
        ]
        parts.append(part.assign(modelled=modelled, weights_kib=part["weights_bytes"] / 1024))
    columns = ["board", "network", "weights_kib", "cycles_per_mac", "modelled"]
    return pd.concat(parts, ignore_index=True)[columns]
