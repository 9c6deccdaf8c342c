"""Silence on real trajectories: thresholds around estimates that extrapolate, learn, or listen.

Replayed plants are exact, since sending changes nothing in a recording. The scheduler sends when
the receiver's error would exceed a threshold, which is tuned on training data for every receiver
on its own. Learned receivers correct the extrapolation by a perceptron on (last message, age):

silence missing
    Fitted to what followed the instants at which messages were in fact sent, silent or not, up
    to the oldest silence. Starting points drawn at random would be unfair to it: messages are
    sent in manoeuvres.
silence missing, ages as met
    The same with ages as frequent as in the loop, so that it is not judged by how it fits
    horizons that it hardly ever meets: the strictest comparison.
silence read
    Fitted to the silent steps alone.

Both refit in a closed loop: a new receiver sends at other instants.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from schedlab.estimation.estimators.interface import Estimator
from schedlab.estimation.estimators.predictors import Hold, Predictor
from schedlab.estimation.learning.estimators import Context, ResidualNetwork, Silences
from schedlab.estimation.learning.pairs import LearnedEstimator
from schedlab.estimation.parameters import RecordedParameters
from schedlab.estimation.plants import Problem
from schedlab.estimation.recordings import RECORDINGS, STEPS, Recording
from schedlab.estimation.schedulers import MyopicValue
from schedlab.estimation.simulate import Step, follow, simulate
from schedlab.lab.seeds import generator

HELD, SLOPE = "send-on-delta", "extrapolation"
MISSING, MET = "learned, silence missing", "learned, silence missing, ages as met"
READ = "learned, silence read"
POLICIES = (HELD, SLOPE, MISSING, MET, READ)


@dataclass(frozen=True)
class Loop:
    """A receiver and the threshold on its squared error beyond which the sender speaks."""

    estimator: Estimator
    threshold: float

    def scheduler(self, problem: Problem) -> MyopicValue:
        """Return the sender."""
        return MyopicValue(self.threshold, problem.weight)


@dataclass(frozen=True)
class Compared:
    """What came of replaying the recordings.

    Attributes
    ----------
    costs
        One row per recording, price, policy and block of test windows: ``recording, unit, price,
        policy, seed, block, windows, threshold, cost, rate, mse``; cost is per step, without
        discount; ``seed`` numbers the blocks, which are what is independent.
    strip
        The liveliest test window of the first recording at its last price, step by step:
        ``policy, step, value, estimate, sent, unit, price``.
    """

    costs: pd.DataFrame
    strip: pd.DataFrame


def compare(parameters: RecordedParameters) -> Compared:
    """Tune and fit every policy on training windows; measure them on test windows."""
    costs, strips = [], []
    for name in parameters.recordings:
        recording = RECORDINGS[name]()
        for price in parameters.prices[name]:
            problem = recording.problem(price, recording.test)
            loops = learn_loops(recording, price, parameters)
            costs += [_by_block(recording, problem, *item) for item in loops.items()]
        strips.append(_strip(recording, price, loops))
    return Compared(pd.concat(costs, ignore_index=True), strips[0])


def _by_block(recording: Recording, problem: Problem, policy: str, loop: Loop) -> pd.DataFrame:
    run = _replayed(problem, loop)
    table = pd.DataFrame({"block": recording.blocks, "rate": run.rate, "mse": run.mse})
    table["cost"] = table["mse"] + problem.price * table["rate"]
    found = table.groupby("block", sort=True).mean().reset_index()
    counts = table["block"].value_counts().loc[found["block"]].to_numpy()
    key = {"recording": recording.name, "unit": recording.unit, "price": problem.price}
    own = {"policy": policy, "seed": range(len(found)), "windows": counts}
    return found.assign(**key, **own, threshold=loop.threshold, block=found["block"].astype(str))


def learn_loops(
    recording: Recording, price: float, parameters: RecordedParameters
) -> dict[str, Loop]:
    """Return every policy, tuned and fitted on the training windows."""
    problem = recording.problem(price, recording.training)
    loops = {
        HELD: _tuned(problem, Hold(), parameters),
        SLOPE: _tuned(problem, Predictor(problem.plant), parameters),
    }
    title = f"{recording.name}, {price:g}"
    with tqdm(total=len(COLLECTED) * parameters.alternations, desc=title, leave=False) as bar:
        for policy, collect in COLLECTED.items():
            network = _network(recording, problem, parameters)
            loop = loops[SLOPE]
            for _ in range(parameters.alternations):
                network.fit(collect(problem, loop), torch.tensor([True]))
                loop = _tuned(problem, LearnedEstimator(problem, network), parameters)
                bar.update()
            loops[policy] = loop
    return loops


def _tuned(problem: Problem, estimator: Estimator, parameters: RecordedParameters) -> Loop:
    """Return a receiver with the threshold that costs least on the problem's windows."""
    loops = [Loop(estimator, problem.price * share) for share in parameters.threshold_shares]
    costs = [_cost(problem, loop) for loop in loops]
    return loops[int(np.argmin(costs))]


def _cost(problem: Problem, loop: Loop) -> float:
    run = _replayed(problem, loop)
    return float((run.mse + problem.price * run.rate).mean())


def _replayed(problem: Problem, loop: Loop) -> Any:
    rng = generator(0, "replay")  # every window once, in order
    windows = len(problem.plant.windows)
    sender = loop.scheduler(problem)
    return simulate(problem, sender, loop.estimator, paths=windows, steps=STEPS, rng=rng)


def _network(
    recording: Recording, problem: Problem, parameters: RecordedParameters
) -> ResidualNetwork:
    states = recording.training
    moved = problem.plant.quiet_step(states[:, :-1])
    scales = (
        (states[:, 1:] - moved).std((0, 1)),
        states.mean((0, 1)),
        states.std((0, 1)),
    )
    context = Context(*(torch.as_tensor(s, dtype=torch.float32) for s in scales), relative=False)
    stream = torch.Generator().manual_seed(parameters.seed)
    return ResidualNetwork(states.shape[-1], context, parameters.training, [stream])


def _steps(problem: Problem, loop: Loop) -> Iterator[tuple[int, np.ndarray, Step]]:
    states = problem.plant.windows.swapaxes(0, 1)
    rng, sender = generator(0, "replay"), loop.scheduler(problem)
    for t, step in enumerate(follow(problem.plant, sender, loop.estimator, states, rng), start=1):
        yield t, states, step


def silent_steps(problem: Problem, loop: Loop) -> Silences:
    """Return the steps at which nothing was sent."""
    rows = []
    for t, states, step in _steps(problem, loop):
        quiet = np.flatnonzero(~step.sent)
        last = states[t - step.age[quiet], quiet]
        rows.append((last, step.age[quiet], (step.state - step.predicted)[quiet]))
    return _samples(rows)


def after_messages(problem: Problem, loop: Loop, *, as_met: bool = False) -> Silences:
    """Return what followed each message, whether silent or not, up to the oldest silence.

    Parameters
    ----------
    problem, loop
        What is replayed.
    as_met
        Whether to keep only as many samples of an age as the loop has steps of that age.
    """
    states, rng = problem.plant.windows.swapaxes(0, 1), generator(0, "horizons")
    sent, met = np.zeros(states.shape[:2], dtype=bool), np.zeros(STEPS + 1, dtype=int)
    sent[0] = True
    for t, _, step in _steps(problem, loop):
        sent[t] = step.sent
        met += np.bincount(step.age, minlength=STEPS + 1)
    rows, predicted = [], states
    for k in range(1, np.flatnonzero(met)[-1] + 1):
        predicted = problem.plant.quiet_step(predicted)
        start, window = np.nonzero(sent[:-k])
        pick = rng.permutation(len(start))[: met[k] if as_met else None]
        at, later = (start[pick], window[pick]), (start[pick] + k, window[pick])
        rows.append((states[at], np.full(len(pick), k), states[later] - predicted[at]))
    return _samples(rows)


def _samples(rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Silences:
    last, age, residual = (np.concatenate(column)[None] for column in zip(*rows, strict=True))
    return Silences(
        torch.as_tensor(last, dtype=torch.float32),
        torch.as_tensor(age, dtype=torch.int64),
        torch.as_tensor(residual, dtype=torch.float32),
        torch.ones(age.shape, dtype=torch.bool),
    )


COLLECTED = {
    MISSING: after_messages,
    MET: partial(after_messages, as_met=True),
    READ: silent_steps,
}


def _strip(recording: Recording, price: float, loops: dict[str, Loop]) -> pd.DataFrame:
    liveliest = np.argmax(np.ptp(recording.test[..., 0], axis=1))
    problem = recording.problem(price, recording.test[liveliest][None])
    rows = [
        (policy, t, step.state[0, 0], step.estimate[0, 0], bool(step.sent[0]))
        for policy, loop in loops.items()
        for t, _, step in _steps(problem, loop)
    ]
    table = pd.DataFrame(rows, columns=["policy", "step", "value", "estimate", "sent"])
    return table.assign(unit=recording.unit, price=price)
