"""A whole inference: dispatch after dispatch, each under a scheduler, with a barrier in between."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from schedlab.microcontrollers import fluid
from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.model import Dispatch, Layout, Model
from schedlab.microcontrollers.schedule import (
    Decision,
    Schedule,
    check,
    complete,
    overhead,
    play,
    raid,
)
from schedlab.microcontrollers.schedulers import InlineLoop


@dataclass(frozen=True, eq=False)
class Inference:
    """What one inference took.

    Attributes
    ----------
    model, board
        What ran where.
    layout
        The dispatches, or concurrent groups, that were scheduled one by one.
    core, start, end
        Of each workgroup in the layout's order, in cycles from the beginning of its step.
    serial
        Cycles of the main thread before each step.
    spans
        Cycles of each step, until its barrier is passed.
    before
        Cycles before the first step.
    """

    model: Model
    board: Board
    layout: Layout
    core: np.ndarray
    start: np.ndarray
    end: np.ndarray
    serial: np.ndarray
    spans: np.ndarray
    before: float

    @property
    def cycles(self) -> float:
        """Latency of the inference, cycles."""
        return float(self.before + self.serial.sum() + self.spans.sum())

    @property
    def latency_s(self) -> float:
        """Latency of the inference, s."""
        return self.cycles / self.board.clock_hz

    def table(self) -> pd.DataFrame:
        """Return one row per workgroup, with times in cycles of the whole run.

        Columns: ``step``, ``name``, ``workgroup``, ``core``, ``start``, ``end``; within a step by
        start.
        """
        begins = self.before + np.cumsum(self.serial + self.spans) - self.spans
        counts = np.diff(self.layout.offsets)
        step = np.repeat(np.arange(counts.size), counts)
        columns = {
            "step": step,
            "name": np.repeat([s.name for s in self.layout.steps], counts),
            "workgroup": np.arange(step.size) - self.layout.offsets[step],
            "core": self.core,
            "start": self.start + begins[step],
            "end": self.end + begins[step],
        }
        return pd.DataFrame(columns).sort_values(["step", "start", "core"], ignore_index=True)


def infer(model: Model, board: Board, scheduler: Any) -> Inference:
    """Run a model under a scheduler with the fast engine.

    Latency is ``o_inv + sum over dispatches of (o_disp + fills + makespan)``: every dispatch ends
    with a barrier, which main passes once it runs again, on the first core that runs out. A
    scheduler with ``concurrent = True`` gets the dispatches of a concurrent group as one.
    Schedulers that only have ``assign`` have every schedule checked.

    Parameters
    ----------
    model, board
        What runs where.
    scheduler
        Anything with ``assign(dispatch, board) -> Schedule``.

    Raises
    ------
    ValueError
        If the board executes other instructions than the model was compiled for, or a schedule
        cannot be followed.
    """
    if board.target != model.target:
        raise ValueError(
            f"{board.name} executes {board.target}, {model.name} was compiled for {model.target}"
        )
    layout = model.side_by_side if getattr(scheduler, "concurrent", False) else model.in_order
    run = _play_decisions if hasattr(scheduler, "decide") else _follow_schedules
    core, start, end, inline = run(layout, board, scheduler)
    back = float(board.barrier_overhead)
    return Inference(
        model=model,
        board=board,
        layout=layout,
        core=core,
        start=start,
        end=end,
        serial=serial_cycles(layout, board),
        spans=fluid.barriers(core, end, layout.offsets, inline, board.cores, back),
        before=board.costs.inference,
    )


def _play_decisions(layout: Layout, board: Board, scheduler: Any) -> Sequence[np.ndarray]:
    decisions = [scheduler.decide(step, board) for step in layout.steps]
    pieces = [
        complete(decision, step.instructions.size)
        for decision, step in zip(decisions, layout.steps, strict=True)
    ]
    orders, bounds, owners = zip(*pieces, strict=True)
    chunks = np.zeros(len(owners) + 1, dtype=np.int64)
    np.cumsum([owner.size for owner in owners], out=chunks[1:])
    played = fluid.play_all(
        board.work(layout),
        layout.offsets,
        np.concatenate(orders),
        chunks,
        np.concatenate(bounds),
        np.concatenate(owners),
        np.array([overhead(board, decision) for decision in decisions]),
        np.array(board.speeds),
        float(board.beta),
        np.array([raid(board, decision) for decision in decisions]),
    )
    return *played, np.array([decision.inline for decision in decisions])


def _follow_schedules(layout: Layout, board: Board, scheduler: Any) -> Sequence[np.ndarray]:
    rows = []
    for step in layout.steps:
        schedule: Schedule = scheduler.assign(step, board)
        check(schedule, step, board)
        by_id = np.argsort(schedule.workgroups)
        rows.append([a[by_id] for a in (schedule.core, schedule.start, schedule.end)])
    core, start, end = (np.concatenate(column) for column in zip(*rows, strict=True))
    return core, start, end, np.zeros(len(rows), dtype=bool)


def serial_cycles(layout: Layout, board: Board) -> np.ndarray:
    """Return what the main thread does before each step, cycles of the first core."""
    fills = layout.serial_instructions * board.cpi
    return (board.costs.dispatch * layout.dispatches + fills) / board.speeds[0]


def single_core_cycles(model: Model, board: Board) -> float:
    """Return the latency of the plain loop on one core: no queue, no threads, no contention."""
    return infer(model, board, InlineLoop()).cycles


def speed_up(model: Model, board: Board, scheduler: Any) -> float:
    """Return how many times faster a scheduler is than the plain loop on the first core."""
    return single_core_cycles(model, board) / infer(model, board, scheduler).cycles


def without_barriers(model: Model, board: Board) -> float:
    """Return the latency if workgroups could start before the dispatch ahead has ended.

    Main would queue the next dispatch as soon as the last workgroup of this one has started. No
    compiler guarantees that this respects the data, so it is a bound, not a schedule.
    """
    layout = model.in_order
    everything = Dispatch("all", layout.instructions, weight_bytes=layout.weight_bytes)
    span = play(everything, board, Decision()).makespan
    return board.costs.inference + serial_cycles(layout, board).sum() + span


def breakdown(model: Model, board: Board, scheduler: Any) -> dict[str, float]:
    """Return where an inference's cycles go, as differences between runs that lack one cost each.

    ``compute``: the work shared evenly by all cores; ``imbalance``: what the schedule adds while
    nothing hinders it; ``contention``: what the shared memory adds to that; ``queue``: what
    hand-overs add; ``serial``: the main thread alone.
    """
    full = infer(model, board, scheduler)
    unhindered = replace(board, job_cycles=0.0, costs=replace(board.costs, steal=0.0))
    without_queue = infer(model, unhindered, scheduler).spans.sum()
    alone = infer(model, replace(unhindered, beta=0.0), scheduler).spans.sum()
    compute = board.work(model.in_order).sum() / sum(board.speeds)
    return {
        "compute": compute,
        "imbalance": alone - compute,
        "contention": without_queue - alone,
        "queue": full.spans.sum() - without_queue,
        "serial": full.before + full.serial.sum(),
    }
