"""The optimum of one dispatch, by constraint programming: what every other scheduler is held to."""

from dataclasses import dataclass, replace

import numpy as np

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.bounds import lower_bound
from schedlab.microcontrollers.model import Dispatch
from schedlab.microcontrollers.schedule import Decision
from schedlab.microcontrollers.schedulers.interface import Decider
from schedlab.microcontrollers.schedulers.static import EFT, owned

EFFORT = 0.5  # of CP-SAT's deterministic time, about seconds, and equal on every machine
GAP = 1e-5  # relative distance to the bound at which a search ends


@dataclass(frozen=True)
class Optimum:
    """What the solver found for a dispatch without contention and hand-overs.

    Attributes
    ----------
    core
        Core of each workgroup.
    makespan, bound
        Cycles of that assignment, and cycles that it proved no assignment can beat.
    """

    core: np.ndarray
    makespan: float
    bound: float


class Optimal(Decider):
    """Minimal makespan on the board's cores (P or Q || C_max), by OR-tools CP-SAT.

    Contention and hand-overs are left out of the decision, not of the schedule: on two equal
    cores and ``beta < 1`` the makespan ``L2 (1 + beta) + (L1 - L2)`` of loads ``L1 >= L2`` falls
    with ``L1``, so that the best partition is the same with contention.

    Parameters
    ----------
    effort
        Deterministic time for one dispatch; what is not proven by then is within the bound that
        :func:`solve` returns.
    """

    def __init__(self, *, effort: float = EFFORT) -> None:
        if effort <= 0:
            raise ValueError(f"effort must be positive, got {effort}")
        self.effort = effort

    def decide(self, dispatch: Dispatch, board: Board) -> Decision:
        """Return order, chunks and owners."""
        return owned(solve(dispatch, board, self.effort).core)


def solve(dispatch: Dispatch, board: Board, effort: float = EFFORT) -> Optimum:
    """Return the best assignment of workgroups to cores that is found, with a proven bound."""
    alone = replace(board, beta=0.0, job_cycles=0.0)
    greedy = EFT().assign(dispatch, alone)
    bound = lower_bound(dispatch, alone)
    if greedy.makespan <= bound * (1 + GAP):
        return Optimum(greedy.core, greedy.makespan, bound)
    return _search(board.work(dispatch), np.array(board.speeds), greedy.core, bound, effort)


def _search(
    work: np.ndarray, speeds: np.ndarray, hint: np.ndarray, bound: float, effort: float
) -> Optimum:
    """Count how many workgroups of each length go to each core; equal ones need no names."""
    from ortools.sat.python import cp_model

    lengths, kind, counts = np.unique(work, return_inverse=True, return_counts=True)
    cores = range(speeds.size)
    unit = bound / 1e7  # the solver's integers
    model = cp_model.CpModel()
    share = [
        [model.new_int_var(0, int(n), f"{k} on {c}") for c in cores] for k, n in enumerate(counts)
    ]
    end = model.new_int_var(int(bound / unit), int(work.sum() / speeds.max() / unit) + 1, "end")
    for k, n in enumerate(counts):
        model.add(sum(share[k]) == int(n))
    for c in cores:
        cycles = np.ceil(lengths / speeds[c] / unit).astype(int).tolist()
        model.add(sum(t * share[k][c] for k, t in enumerate(cycles)) <= end)
        for k in range(lengths.size):
            model.add_hint(share[k][c], int(((hint == c) & (kind == k)).sum()))
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = effort
    solver.parameters.relative_gap_limit = GAP
    core = hint  # which stands if the effort is too little to find anything
    if solver.solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        core = np.empty(work.size, dtype=np.int64)
        for k in range(lengths.size):
            core[kind == k] = np.repeat(cores, [solver.value(v) for v in share[k]])
        bound = max(bound, solver.best_objective_bound * unit * (1 - 2e-5))
    loads = np.bincount(core, weights=work, minlength=speeds.size) / speeds
    return Optimum(core, float(loads.max()), bound)
