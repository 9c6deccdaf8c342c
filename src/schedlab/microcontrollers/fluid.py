"""The fast engine: one dispatch on some cores, in fluid rates, compiled.

A core takes chunks of workgroups. Handing a chunk over takes some cycles in which it does not
touch memory; then its workgroups run one after the other. While ``b`` cores run workgroups, each
runs at its speed divided by ``1 + beta (b - 1)``. Rates change only when a core starts or ends a
workgroup, so between two such events everything is linear and no time step is needed.
"""

from typing import Any

import numpy as np
from numba import njit

SHARED = -1
"""Owner of a chunk that whoever is idle takes."""
IDLE, HANDED, RUNNING = 0, 1, 2

Floats = np.ndarray
Ints = np.ndarray


@njit(cache=True)
def play(
    work: Floats,
    order: Ints,
    bounds: Ints,
    owner: Ints,
    speeds: Floats,
    beta: float,
    overhead: float,
    raid_overhead: float,
) -> tuple[Ints, Floats, Floats]:
    """Run the workgroups of one dispatch until all have ended.

    Parameters
    ----------
    work
        Cycles of each workgroup, alone on a core of speed 1; shape ``(n,)``.
    order
        Workgroups in the order of the queue.
    bounds
        Chunk ``k`` holds the positions ``bounds[k]`` to ``bounds[k + 1]`` of the order.
    owner
        Core that must run a chunk, or :data:`SHARED`. Cores take the first chunk they may; ties
        in time go to the core with the lower number.
    speeds
        Relative speed of each core; shape ``(m,)``.
    beta
        Slow-down for each other core that runs a workgroup.
    overhead
        Cycles to hand a chunk over.
    raid_overhead
        Cycles in which a core that has run out takes the later half of the chunks of whoever has
        most; negative where it may not.

    Returns
    -------
    Core, start and end of each workgroup, in cycles from the beginning of the dispatch.
    """
    n, cores = work.size, speeds.size
    owner, taken = owner.copy(), np.zeros(owner.size, np.bool_)
    core_of, start, end = np.empty(n, np.int64), np.empty(n), np.empty(n)
    phase, left, rate = np.zeros(cores, np.int64), np.zeros(cores), np.zeros(cores)
    at, until = np.zeros(cores, np.int64), np.zeros(cores, np.int64)
    now, ended = 0.0, 0
    while ended < n:
        for core in range(cores):
            if phase[core] == IDLE:
                chunk, extra = _next_chunk(core, owner, taken, cores, raid_overhead)
                if chunk >= 0:
                    at[core], until[core] = bounds[chunk], bounds[chunk + 1]
                    phase[core], left[core] = HANDED, overhead + extra
            if phase[core] == HANDED and left[core] <= 0.0:
                phase[core] = RUNNING
                core_of[order[at[core]]], start[order[at[core]]] = core, now
                left[core] = work[order[at[core]]]
        step = _step(phase, left, rate, speeds, beta)
        now += step
        for core in range(cores):
            left[core] -= step * rate[core]
            if phase[core] == IDLE or left[core] > 1e-9 * rate[core] * now:
                continue
            left[core] = 0.0
            if phase[core] == RUNNING:
                end[order[at[core]]] = now
                ended += 1
                at[core] += 1
                phase[core] = HANDED if at[core] < until[core] else IDLE
    return core_of, start, end


@njit(cache=True)
def _step(phase: Ints, left: Floats, rate: Floats, speeds: Floats, beta: float) -> float:
    """Set the rate of every core; return the time until the first of them is done."""
    busy = (phase == RUNNING).sum()
    step = np.inf
    for core in range(phase.size):
        slow = 1.0 + beta * (busy - 1) if phase[core] == RUNNING else 1.0
        rate[core] = 0.0 if phase[core] == IDLE else speeds[core] / slow
        if phase[core] != IDLE:
            step = min(step, left[core] / rate[core])
    return step


@njit(cache=True)
def _next_chunk(
    core: int, owner: Ints, taken: Any, cores: int, raid_overhead: float
) -> tuple[int, float]:
    """Take the first chunk that a core may run, or -1; return it with what a raid cost."""
    chunk = _first(core, owner, taken)
    extra = 0.0
    if chunk < 0 and raid_overhead >= 0.0:
        _raid(core, owner, taken, cores)
        chunk, extra = _first(core, owner, taken), raid_overhead
    if chunk >= 0:
        taken[chunk] = True
    return chunk, extra


@njit(cache=True)
def _first(core: int, owner: Ints, taken: Any) -> int:
    for k in range(owner.size):
        if not taken[k] and (owner[k] == core or owner[k] == SHARED):
            return k
    return -1


@njit(cache=True)
def _raid(core: int, owner: Ints, taken: Any, cores: int) -> None:
    """Give a core the later half, rounded up, of the chunks of the core that has most left."""
    waiting = np.zeros(cores, np.int64)
    for k in range(owner.size):
        if not taken[k]:
            waiting[owner[k]] += 1
    victim = np.argmax(waiting)
    stays = waiting[victim] // 2
    for k in range(owner.size):
        if not taken[k] and owner[k] == victim:
            if stays > 0:
                stays -= 1
            else:
                owner[k] = core


@njit(cache=True)
def barriers(core: Ints, end: Floats, steps: Ints, inline: Any, cores: int, back: float) -> Floats:
    """Return when each dispatch's barrier is passed.

    Main passes it once the last workgroup has ended and main runs again, on the first core that
    has run out of workgroups; a core that had none was main's all along.

    Parameters
    ----------
    core, end
        Of all workgroups.
    steps
        Dispatch ``d`` has the workgroups ``steps[d]`` to ``steps[d + 1]``.
    inline
        Of each dispatch: whether main runs the workgroups itself.
    cores
        Number of cores.
    back
        Cycles until main runs again.
    """
    passed = np.empty(steps.size - 1)
    done = np.empty(cores)
    for d in range(steps.size - 1):
        done[:] = 0.0
        for job in range(steps[d], steps[d + 1]):
            done[core[job]] = max(done[core[job]], end[job])
        first = done.min()
        waits = not inline[d] and first > 0.0
        passed[d] = max(done.max(), first + back) if waits else done.max()
    return passed


@njit(cache=True)
def play_all(
    work: Floats,
    steps: Ints,
    order: Ints,
    chunks: Ints,
    bounds: Ints,
    owner: Ints,
    overheads: Floats,
    speeds: Floats,
    beta: float,
    raids: Floats,
) -> tuple[Ints, Floats, Floats]:
    """Run dispatches one by one, as :func:`play` does, in one call.

    Parameters
    ----------
    work, order
        Of all dispatches, one after the other; orders count from 0 in each.
    steps
        Dispatch ``d`` has the workgroups ``steps[d]`` to ``steps[d + 1]``.
    chunks
        Dispatch ``d`` has the chunks ``chunks[d]`` to ``chunks[d + 1]``.
    bounds, owner
        Of all chunks; a dispatch has one more bound than chunks.
    overheads, raids
        Of each dispatch.
    speeds, beta
        Of the board.
    """
    core, start, end = np.empty(work.size, np.int64), np.empty(work.size), np.empty(work.size)
    for d in range(steps.size - 1):
        first, last = steps[d], steps[d + 1]
        low, high = chunks[d], chunks[d + 1]
        core[first:last], start[first:last], end[first:last] = play(
            work[first:last],
            order[first:last],
            bounds[low + d : high + d + 1],
            owner[low:high],
            speeds,
            beta,
            overheads[d],
            raids[d],
        )
    return core, start, end
