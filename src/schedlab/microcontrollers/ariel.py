"""Ariel-ML's scheduler on Ariel OS, thread by thread, as a SimPy model.

The paper's multi-core workgroup scheduler as its public code has it, and the parts of Ariel OS that
it stands on:

* one run queue for all cores; threads of one priority are cooperative, with no time slice; a
  thread that is made ready goes to a sleeping core, which an interrupt wakes;
* a channel of capacity zero: a send with a receiver waiting hands over and goes on, otherwise it
  blocks; a receive likewise; both run in a global critical section;
* a main thread that sends the workgroups of a dispatch in row-major order and then yields until
  all have ended, and one worker for each core, none of them pinned;
* main and workers share the cores: main runs where a core would otherwise have nothing to do.

Workgroups slow each other down as in :mod:`schedlab.microcontrollers.fluid`. Main's spinning
does not, since it stays in registers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
import simpy

from schedlab.microcontrollers.boards import Board
from schedlab.microcontrollers.inference import Inference, serial_cycles
from schedlab.microcontrollers.model import Model

BLOCK, YIELD = "block", "yield"
Program = Generator[Any, Any, Any]


def run(model: Model, board: Board) -> tuple[Inference, pd.DataFrame]:
    """Run one inference.

    Returns
    -------
    The inference, and what each core did: ``core, thread, doing, start, end``, cycles, where
    ``doing`` is ``workgroup``, ``serial``, ``send``, ``receive``, ``switch`` or ``spin``.
    """
    system = System(model, board)
    system.env.run(until=system.done)
    core, start, end = np.array(system.rows).T
    inference = Inference(
        model=model,
        board=board,
        layout=model.in_order,
        core=core.astype(np.int64),
        start=start,
        end=end,
        serial=serial_cycles(model.in_order, board),
        spans=np.array(system.spans),
        before=board.costs.inference,
    )
    columns = ["core", "thread", "doing", "start", "end"]
    return inference, pd.DataFrame(system.segments, columns=columns)


class Thread:
    """A thread: its program, the core it runs on, and the message it was handed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.program: Program
        self.core = 0
        self.message: int | None = None


class System:
    """Cores, threads, run queue and channel while one model runs."""

    def __init__(self, model: Model, board: Board) -> None:
        self.env = simpy.Environment()
        self.model, self.board = model, board
        self.memory = Memory(self.env, board)
        self.critical = simpy.Resource(self.env)
        self.ready: deque[Thread] = deque()
        self.asleep: dict[int, simpy.Event] = {}
        self.receivers: deque[Thread] = deque()
        self.sender: Thread | None = None
        self.remaining = 0
        self.barrier = self.env.event()
        self.done = self.env.event()
        self.work: np.ndarray
        self.began = 0.0
        self.rows = [(0, 0.0, 0.0)] * model.in_order.instructions.size
        self.first = 0
        self.spans: list[float] = []
        self.segments: list[tuple[int, str, str, float, float]] = []
        self._start_threads()

    def _start_threads(self) -> None:
        main = Thread("main")
        main.program = self._main(main)
        self.ready.append(main)
        for core in range(self.board.cores):
            worker = Thread(f"worker {core}")
            worker.program = self._worker(worker)
            self.receivers.append(worker)  # since boot, each waits for its first message
            self.env.process(self._core(core))

    def _core(self, core: int) -> Program:
        """Run ready threads one after the other; sleep while there is none."""
        last: Thread | None = None
        while True:
            if not self.ready:
                self.asleep[core] = self.env.event()
                yield self.asleep[core]
                continue
            thread = self.ready.popleft()
            thread.core = core
            if thread is not last and last is not None:
                yield from self._spend(thread, "switch", self.board.costs.switch)
            last = thread
            yield from self._until_it_stops(thread)

    def _until_it_stops(self, thread: Thread) -> Program:
        for wish in thread.program:
            if wish == BLOCK:
                return
            if wish == YIELD:
                self.ready.append(thread)
                return
            yield wish

    def _wake(self, thread: Thread) -> None:
        """Make a thread ready, and interrupt a sleeping core if there is one."""
        self.ready.append(thread)
        if self.asleep:
            sleeper = self.asleep.pop(min(self.asleep))
            later = self.env.timeout(self.board.costs.interrupt)
            later.callbacks.append(lambda _: sleeper.succeed())

    def _spend(self, thread: Thread, doing: str, cycles: float) -> Program:
        start = self.env.now
        yield self.env.timeout(cycles / self.board.speeds[thread.core])
        self.segments.append((thread.core, thread.name, doing, start, self.env.now))

    def _main(self, thread: Thread) -> Program:
        yield self.env.timeout(self.board.costs.inference)
        layout = self.model.in_order
        serial = serial_cycles(layout, self.board) * self.board.speeds[0]
        for step, dispatch in enumerate(self.model.dispatches):
            yield from self._spend(thread, "serial", serial[step])
            self.began, self.first = self.env.now, layout.offsets[step]
            self.work = self.board.work(dispatch)
            self.remaining, self.barrier = dispatch.workgroups, self.env.event()
            for workgroup in range(dispatch.workgroups):
                yield from self._send(thread, workgroup)
            yield from self._wait_for_all(thread)
            self.spans.append(self.env.now - self.began)
        self.done.succeed()

    def _send(self, thread: Thread, workgroup: int) -> Program:
        with self.critical.request() as entered:
            yield entered
            yield from self._spend(thread, "send", self.board.costs.send)
            if self.receivers:
                receiver = self.receivers.popleft()
                receiver.message = workgroup
                self._wake(receiver)
                return
            self.sender, thread.message = thread, workgroup
        yield BLOCK

    def _receive(self, thread: Thread) -> Program:
        with self.critical.request() as entered:
            yield entered
            yield from self._spend(thread, "receive", self.board.costs.receive)
            if self.sender:
                sender, self.sender = self.sender, None
                self._wake(sender)
                thread.message = sender.message
                return
            self.receivers.append(thread)
        yield BLOCK

    def _wait_for_all(self, thread: Thread) -> Program:
        """Yield to whoever is ready; with nobody ready, spin in whole turns of the loop."""
        while self.remaining:
            if self.ready:
                yield YIELD
                continue
            start = self.env.now
            yield self.barrier
            turn = self.board.costs.spin / self.board.speeds[thread.core]
            yield self.env.timeout(
                ceil((self.env.now - start) / turn) * turn - (self.env.now - start)
            )
            self.segments.append((thread.core, thread.name, "spin", start, self.env.now))

    def _worker(self, thread: Thread) -> Program:
        while True:  # it has just been handed a workgroup
            workgroup, start = thread.message, self.env.now
            yield self.memory.run(thread.core, self.work[workgroup])
            row = (thread.core, start - self.began, self.env.now - self.began)
            self.rows[self.first + workgroup] = row
            self.segments.append((thread.core, thread.name, "workgroup", start, self.env.now))
            self.remaining -= 1
            if not self.remaining:
                self.barrier.succeed()
            yield from self._receive(thread)


class Memory:
    """The memory that cores share: while ``b`` run workgroups, each is slower by its rate."""

    def __init__(self, env: simpy.Environment, board: Board) -> None:
        self.env, self.board = env, board
        self.left: dict[int, float] = {}
        self.ends: dict[int, simpy.Event] = {}
        self.since = 0.0
        self.version = 0

    def run(self, core: int, cycles: float) -> simpy.Event:
        """Return the event at which a core will have done so much work."""
        self._advance()
        self.left[core], self.ends[core] = cycles, self.env.event()
        self._wait_for_next()
        return self.ends[core]

    def _rate(self, core: int) -> float:
        return self.board.speeds[core] / (1 + self.board.beta * (len(self.left) - 1))

    def _advance(self) -> None:
        passed, self.since = self.env.now - self.since, self.env.now
        self.left = {core: left - passed * self._rate(core) for core, left in self.left.items()}

    def _wait_for_next(self) -> None:
        """Set an alarm for whoever ends first; a later change makes this one void."""
        self.version += 1
        if self.left:
            first = min(left / self._rate(core) for core, left in self.left.items())
            alarm = self.env.timeout(max(0.0, first), value=self.version)
            alarm.callbacks.append(self._end)

    def _end(self, alarm: simpy.Event) -> None:
        if alarm.value != self.version:
            return
        self._advance()
        smallest = 1e-9 * max(self.env.now, 1.0)
        for core in [core for core, left in self.left.items() if left <= smallest]:
            del self.left[core]
            self.ends.pop(core).succeed()
        self._wait_for_next()
