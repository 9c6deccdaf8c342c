"""The auto-tuner: the best grid and scheduler of a network for a board, within its memory."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.inference import infer, single_core_cycles
from schedlab.microcontrollers.memory import footprint
from schedlab.microcontrollers.model import Model
from schedlab.microcontrollers.plan import Plan


def tune(grids: Iterable[Model], board: Board, schedulers: Mapping[str, Any]) -> pd.DataFrame:
    """Try every grid with every scheduler on a board.

    Parameters
    ----------
    grids
        One network, compiled with different flags.
    board
        For what.
    schedulers
        Schedulers by label.

    Returns
    -------
    One row per candidate, best first: those that fit and raise no warning, by latency, then the
    others. Columns: ``model, grid, board, scheduler, latency_ms, speed_up`` (over the plain loop
    with the same grid), ``flash_kib, ram_kib, fits, warnings``.
    """
    rows = [
        _candidate(model, board, label, scheduler)
        for model in grids
        for label, scheduler in schedulers.items()
    ]
    table = pd.DataFrame(rows)
    return (
        table.assign(flawed=table["warnings"] != "")
        .sort_values(["fits", "flawed", "latency_ms"], ascending=[False, True, True], kind="stable")
        .drop(columns="flawed")
        .reset_index(drop=True)
    )


def _candidate(model: Model, board: Board, label: str, scheduler: Any) -> dict[str, Any]:
    run = infer(model, board, scheduler)
    memory = footprint(model, board)
    problems = [p.kind for p in Plan(model, board).problems if p.kind != "proxy"]
    return {
        "model": model.name,
        "grid": model.grid,
        "board": board.name,
        "scheduler": label,
        "latency_ms": 1e3 * run.latency_s,
        "speed_up": single_core_cycles(model, board) / run.cycles,
        "flash_kib": memory.flash / 1024,
        "ram_kib": memory.ram / 1024,
        "fits": memory.fits,
        "warnings": ", ".join(problems),
    }
