"""One network on one board: its schedules, and whether two engines and five rules hold on it."""

from typing import Any

import numpy as np
import pandas as pd

from schedlab.microcontrollers import ariel, costs
from schedlab.microcontrollers.boards import Board, board
from schedlab.microcontrollers.bounds import graham_bound
from schedlab.microcontrollers.experiment.runs import by_seed, jittered, made, names, pairs
from schedlab.microcontrollers.experiment.runs import unhindered as without_hindrance
from schedlab.microcontrollers.inference import Inference, breakdown, infer, single_core_cycles
from schedlab.microcontrollers.model import Model
from schedlab.microcontrollers.parameters import ScheduleParameters
from schedlab.microcontrollers.schedulers import LPT, ArielFIFO, Guided

TWO_CORES = ("rp2040", "rp2350-arm", "rp2350-riscv")
LIST_SCHEDULERS = {"Ariel FIFO": ArielFIFO(), "LPT": LPT(), "Guided": Guided()}


def chosen(parameters: ScheduleParameters) -> tuple[Model, Board]:
    """Return the network and the board that the parameters name."""
    on = board(parameters.board)
    return costs.find(parameters.counts, parameters.model, on.target), on


def dispatch_table(model: Model) -> pd.DataFrame:
    """Return one row per dispatch: its grid, instructions, and how equal its workgroups are."""
    return pd.DataFrame(
        {
            "name": dispatch.name,
            "op": dispatch.op,
            "workgroups": dispatch.workgroups,
            "instructions": dispatch.instructions.sum(),
            "spread": dispatch.instructions.max() / dispatch.instructions.mean(),
            "concurrent group": dispatch.group,
        }
        for dispatch in model.dispatches
    )


def busiest_window(run: Inference) -> tuple[float, float]:
    """Return when the first workgroups of the dispatch with most of them run, in cycles."""
    table = run.table()
    rows = table[table["step"] == table["step"].mode()[0]]
    shown = rows.iloc[: 3 * run.board.cores]
    margin = 0.15 * (shown["end"].max() - shown["start"].min())
    return max(0.0, shown["start"].min() - margin), shown["end"].max() + margin


def schedules(parameters: ScheduleParameters) -> dict[str, Inference]:
    """Return one inference under each scheduler, by label, without jitter."""
    model, on = chosen(parameters)
    return {label: infer(model, on, scheduler) for label, scheduler in made(parameters.schedulers)}


def latencies(parameters: ScheduleParameters) -> pd.DataFrame:
    """Return one row per scheduler: latency, speed-up, and where the cycles go, in ms."""
    model, on = chosen(parameters)
    alone = single_core_cycles(model, on)
    rows = []
    for label, scheduler in made(parameters.schedulers):
        parts = breakdown(model, on, scheduler)
        total = sum(parts.values())
        in_ms = {f"{name}_ms": 1e3 * cycles / on.clock_hz for name, cycles in parts.items()}
        row = {"scheduler": label, "latency_ms": 1e3 * total / on.clock_hz}
        rows.append({**row, "speed_up": alone / total, **in_ms})
    return pd.DataFrame(rows)


def rule_checks(parameters: ScheduleParameters) -> pd.DataFrame:
    """Return, per seed, network and board of two cores, how the rules of Ariel's scheduler fare.

    Columns, shares of dispatches: ``row_major``, those whose workgroups start in row-major order,
    but for races shorter than a hand-over; ``barrier``, those that begin when the one ahead has
    ended; ``conserving``, those in which no core sleeps while a workgroup waits to be sent;
    ``graham``, list schedules within Graham's bound. ``engines_differ``: relative difference of
    the two engines' latencies.
    """
    return by_seed(_rules, parameters, "rules")


def _rules(scene: dict[str, Any], seed: int) -> pd.DataFrame:
    rows = []
    for measured, on in pairs(scene["counts"], TWO_CORES):
        model = jittered(measured, scene["jitter"], seed)
        threads, segments = ariel.run(model, on)
        table = threads.table()
        rows.append(
            {
                **names(model, on),
                "row_major": _share_in_row_major(table, on),
                "barrier": _share_behind_barriers(table),
                "conserving": _share_conserving(table, segments, on),
                "graham": _share_within_graham(model, on),
                "engines_differ": abs(threads.cycles / infer(model, on, ArielFIFO()).cycles - 1),
            }
        )
    return pd.DataFrame(rows)


def _share_in_row_major(table: pd.DataFrame, on: Board) -> float:
    """Count a worker that was handed its workgroup but is still being switched to as in order."""
    ordered = table.sort_values(["step", "workgroup"])
    latest = ordered.groupby("step")["start"].cummax()
    ahead_by = (latest - ordered["start"]).groupby(ordered["step"]).max()
    return float((ahead_by <= on.costs.job).mean())


def _share_behind_barriers(table: pd.DataFrame) -> float:
    spans = table.groupby("step").agg(first=("start", "min"), last=("end", "max"))
    waits = spans["first"].to_numpy()[1:] >= spans["last"].to_numpy()[:-1]
    return float(waits.mean()) if waits.size else 1.0


def _share_conserving(table: pd.DataFrame, segments: pd.DataFrame, on: Board) -> float:
    """Tell dispatches in which cores sleep no longer than it takes to wake them and hand over."""
    costs_ = on.costs
    longest = costs_.interrupt + costs_.send + costs_.receive + costs_.switch
    kept = []
    for _, rows in table.groupby("step"):
        begin, end = rows["start"].min(), rows["start"].max()  # until the last one is sent
        inside = segments[(segments["end"] > begin) & (segments["start"] < end)]
        kept.append(
            all(_longest_gap(part, begin, end) <= longest for _, part in _by_core(inside, on))
        )
    return float(np.mean(kept))


def _by_core(segments: pd.DataFrame, on: Board) -> list[tuple[int, pd.DataFrame]]:
    return [(core, segments[segments["core"] == core]) for core in range(on.cores)]


def _longest_gap(segments: pd.DataFrame, begin: float, end: float) -> float:
    """Return the longest time between two segments of one core, from begin to end."""
    ordered = segments.sort_values("start")
    starts = np.append(ordered["start"].to_numpy(), end)
    ends = np.append(begin, ordered["end"].to_numpy())
    return float(np.max(starts - ends))


def _share_within_graham(model: Model, on: Board) -> float:
    bare = without_hindrance(on)
    kept = []
    for scheduler in LIST_SCHEDULERS.values():
        spans = infer(model, bare, scheduler).spans
        limits = [graham_bound(bare.work(d), bare.cores) for d in model.dispatches]
        kept.append(spans <= np.array(limits) * (1 + 1e-9))
    return float(np.mean(kept))
