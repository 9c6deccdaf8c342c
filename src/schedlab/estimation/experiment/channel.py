"""What reading silence is worth when silence may be a lost or a queued message."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from schedlab.estimation.channel import Channel, Traffic, share
from schedlab.estimation.estimators.predictors import Biased
from schedlab.estimation.exact.solve import Pair, read_pair
from schedlab.estimation.experiment.stored import read_optima
from schedlab.estimation.parameters import ChannelParameters
from schedlab.estimation.plants.plant import Problem
from schedlab.estimation.plants.systems import system
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep

BLIND, READ = "silence = missing", "silence read"
REFIT = "silence read, refitted to the channel"
POLICIES = (BLIND, READ, REFIT)
PAIRS = {BLIND: "zero-bias", READ: "joint", REFIT: "joint"}
FEWEST = 30  # silent samples below which a bias is not refitted


def contention(parameters: ChannelParameters) -> pd.DataFrame:
    """Return what loops get from a channel without loss, against their number."""
    channel = {"airtime": parameters.airtime}
    points = [{"loops": loops, "channel": channel} for loops in parameters.loops]
    return _measured(parameters, points, "contention")


def impairments(parameters: ChannelParameters) -> pd.DataFrame:
    """Return what few loops get from a channel with loss or delay."""
    points = [
        {
            "loops": parameters.few_loops,
            "channel": {"airtime": parameters.airtime, "loss": loss, "delay": delay},
        }
        for loss in parameters.losses
        for delay in parameters.delays
    ]
    return _measured(parameters, points, "impairments")


def _measured(
    parameters: ChannelParameters, points: list[dict[str, Any]], label: str
) -> pd.DataFrame:
    """Return a row per point, policy and seed.

    Columns: ``policy, loops, loss, delay, seed, cost, mse, attempts, arrivals, latency``; rates
    are per loop and step, the cost counts attempts.
    """
    stored = read_optima(parameters.optima_folder)
    pairs = {
        policy: vars(read_pair(stored, parameters.system, parameters.price, name))
        for policy, name in PAIRS.items()
    }
    measure = partial(
        measure_channel,
        name=parameters.system,
        steps=parameters.steps,
        discount=parameters.discount,
    )
    grid = [
        {**point, "policy": policy, "pair": pair}
        for policy, pair in pairs.items()
        for point in points
    ]
    return sweep(measure, grid, parameters.seeds, label=label)


def measure_channel(
    loops: int,
    channel: dict[str, float],
    policy: str,
    pair: dict[str, Any],
    name: str,
    steps: int,
    discount: float,
    seed: int,
) -> dict[str, Any]:
    """Return one row of :func:`contention` or :func:`impairments`."""
    chosen, shared = Pair(**pair), Channel(**channel)
    problem = system(name, chosen.price, discount)
    receiver = chosen.estimator(problem.plant)
    run = partial(share, problem, chosen.scheduler, channel=shared, loops=loops, steps=steps)
    if policy == REFIT:
        pilot = run(estimator=receiver, rng=generator(seed, "pilot", str(loops)))
        receiver = refitted(problem, receiver, pilot)
    traffic = run(estimator=receiver, rng=generator(seed, "loops", str(loops)))
    row = {"loss": shared.loss, "delay": shared.delay}
    return row | _summary(traffic, problem, loops * steps)


def refitted(problem: Problem, receiver: Biased, pilot: Traffic) -> Biased:
    """Return a receiver whose biases are the means of what a pilot run found at each age."""
    biases = receiver.biases.copy()
    for k in range(1, len(biases) + 1):
        found = pilot.residual[pilot.age == k]
        if len(found) >= FEWEST:
            biases[k - 1] = found.mean(axis=0)
    return Biased(problem.plant, biases)


def _summary(traffic: Traffic, problem: Problem, decisions: int) -> dict[str, float]:
    attempts, mse = traffic.attempts.sum() / decisions, traffic.error.mean()
    return {
        "cost": mse + problem.price * attempts,
        "mse": mse,
        "attempts": attempts,
        "arrivals": traffic.arrivals.sum() / decisions,
        "latency": float(np.mean(traffic.latency)) if len(traffic.latency) else np.nan,
    }
