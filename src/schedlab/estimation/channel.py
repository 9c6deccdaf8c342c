"""Several loops that contend for one channel with airtime, loss, delay and acknowledgement.

Each loop has a plant, a sender and a receiver. Decisions fall at whole steps; a sender that decides
to speak waits for a free slot of the channel, then sends the state it has at that moment. It waits
for the acknowledgement, or for the time by which that would have come, before it may speak again.
What the receiver holds is measured at the end of each step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy

from schedlab.estimation.observation import observe
from schedlab.estimation.plants.plant import Problem

END = 1 - 2**-10  # of a step, when everything that arrives within it has arrived


@dataclass(frozen=True)
class Channel:
    """A shared medium.

    Attributes
    ----------
    airtime
        Steps that a message occupies a slot.
    slots
        Messages on the air at once.
    loss
        Probability that a message does not arrive.
    delay
        Steps from the end of the airtime to the arrival.
    acknowledgement
        Steps from the arrival to the sender's knowing of it.
    """

    airtime: float = 2**-5
    slots: int = 1
    loss: float = 0.0
    delay: float = 0.0
    acknowledgement: float = 0.0

    def __post_init__(self) -> None:
        if not self.airtime > 0 or self.slots < 1 or min(self.delay, self.acknowledgement) < 0:
            raise ValueError(f"airtime and slots must be above 0, delays not below 0: {self}")
        if not 0 <= self.loss < 1:
            raise ValueError(f"loss must be at least 0 and below 1, got {self.loss}")


@dataclass(frozen=True)
class Traffic:
    """What a run measured.

    Attributes
    ----------
    error, residual
        Weighted squared error, and the state's distance from the noise-free prediction of the
        receiver, ``(steps, loops)`` and ``(steps, loops, d)``.
    age
        Steps between the state that the receiver heard last and now, ``(steps, loops)``.
    attempts, arrivals
        Messages sent, and heard, by loop.
    latency
        Steps from each arrival's decision to its arrival.
    """

    error: np.ndarray
    residual: np.ndarray
    age: np.ndarray
    attempts: np.ndarray
    arrivals: np.ndarray
    latency: np.ndarray


def share(
    problem: Problem,
    scheduler: Any,
    estimator: Any,
    channel: Channel,
    *,
    loops: int,
    steps: int,
    rng: np.random.Generator,
) -> Traffic:
    """Run equal loops on one channel.

    Parameters
    ----------
    problem
        Plant and weight of errors.
    scheduler, estimator
        The two sides of every loop; the estimator needs ``predict``.
    channel
        What they share.
    loops, steps
        How many, and how long.
    rng
        Randomness of plants, and, from a stream of its own, of losses.
    """
    states = problem.plant.paths(rng, loops, steps)
    net = _Net(problem, scheduler, estimator, channel, states, rng.spawn(1)[0])
    env = net.env
    env.process(net.run())
    env.run()
    return Traffic(
        np.array(net.errors),
        np.array(net.residuals),
        np.array(net.ages),
        net.attempts,
        net.arrivals,
        np.array(net.latency),
    )


class _Net:
    """Loops, the channel between their sides, and what either side knows."""

    def __init__(
        self,
        problem: Problem,
        scheduler: Any,
        estimator: Any,
        channel: Channel,
        states: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        self.problem, self.scheduler, self.estimator = problem, scheduler, estimator
        self.channel, self.states, self.rng = channel, states, rng
        self.env = simpy.Environment(initial_time=1)
        self.medium = simpy.Resource(self.env, capacity=channel.slots)
        loops = states.shape[1]
        self.heard, self.known = _Memory(states[0]), _Memory(states[0])
        self.waiting = np.zeros(loops, dtype=bool)
        self.attempts, self.arrivals = np.zeros(loops, dtype=int), np.zeros(loops, dtype=int)
        self.errors, self.residuals, self.ages, self.latency = [], [], [], []

    def run(self) -> Iterator[simpy.Event]:
        """Let senders decide at every step, and look at the receivers at its end."""
        for now in range(1, len(self.states)):
            for loop in np.flatnonzero(self._decide(now) & ~self.waiting):
                self.waiting[loop] = True
                self.env.process(self._speak(int(loop)))
            yield self.env.timeout(END)
            self._measure(now)
            yield self.env.timeout(1 - END)

    def _decide(self, now: int) -> np.ndarray:
        last, age = self.known.last, now - self.known.stamp
        predicted = self.problem.plant.roll_out(last, age)
        estimate = self.estimator.predict(last, age)
        seen = observe(self.states[now], estimate, predicted, last, age)
        return np.asarray(self.scheduler.act(seen, self.rng), dtype=bool)

    def _speak(self, loop: int) -> Iterator[simpy.Event]:
        decided = self.env.now
        with self.medium.request() as slot:
            yield slot
            stamp = min(int(self.env.now), len(self.states) - 1)
            self.attempts[loop] += 1
            yield self.env.timeout(self.channel.airtime)
        yield self.env.timeout(self.channel.delay)
        arrived = self.rng.random() >= self.channel.loss
        if arrived:
            self.heard.note(loop, stamp, self.states)
            self.arrivals[loop] += 1
            self.latency.append(self.env.now - decided)
        yield self.env.timeout(self.channel.acknowledgement)
        if arrived:
            self.known.note(loop, stamp, self.states)
        self.waiting[loop] = False

    def _measure(self, now: int) -> None:
        last, age = self.heard.last, now - self.heard.stamp
        fresh = (age == 0)[:, None]
        predicted = self.problem.plant.roll_out(last, age)
        silent = self.estimator.predict(last, np.maximum(age, 1))
        estimate = np.where(fresh, self.states[now], silent)
        self.errors.append(self.problem.squared_error(self.states[now], estimate))
        self.residuals.append(self.states[now] - predicted)
        self.ages.append(age)


class _Memory:
    """The newest state that a side of each loop knows the other to have, and when it was."""

    def __init__(self, start: np.ndarray) -> None:
        self.last, self.stamp = start.copy(), np.zeros(len(start), dtype=int)

    def note(self, loop: int, stamp: int, states: np.ndarray) -> None:
        if stamp > self.stamp[loop]:
            self.last[loop], self.stamp[loop] = states[stamp, loop], stamp
