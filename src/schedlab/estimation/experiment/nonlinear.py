"""Nonlinear plants: no optimum is known, so learned pairs are compared with what is.

The yardsticks are the scheduler learned for the noise-free prediction, in short "blind", and
particle filters that know the scheduler and read its silence as a measurement.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from schedlab.estimation.estimators.particle import ParticleFilter
from schedlab.estimation.estimators.predictors import Predictor
from schedlab.estimation.learning.pairs import LearnedScheduler
from schedlab.estimation.learning.training import Member, train
from schedlab.estimation.parameters import NonlinearParameters
from schedlab.estimation.plants.plant import Problem
from schedlab.estimation.plants.systems import system
from schedlab.estimation.schedulers import MyopicValue
from schedlab.estimation.simulate import simulate
from schedlab.lab.seeds import generator

MYOPIC, BLIND = "myopic value, silence missing", "learned, silence missing"
ZERO, LLOYD = "learned pair, zero start", "learned pair, Lloyd start"
FILTERED = "{}, particle filter"
STARTS = {BLIND: ("zero", False), ZERO: ("zero", True), LLOYD: ("lloyd", True)}
POLICIES = (MYOPIC, *(name for pair in STARTS for name in (pair, FILTERED.format(pair))))


def compare(parameters: NonlinearParameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return costs, and the curves of learning.

    ``costs`` has a row per system, policy and seed: ``cost, rate, mse, silent_mse``; policies of
    one seed see equal trajectories. ``curves`` has a row per system, seed, round and ``learns``.
    """
    parts = [_on(name, parameters) for name in parameters.systems]
    costs, curves = zip(*parts, strict=True)
    return pd.concat(costs, ignore_index=True), pd.concat(curves, ignore_index=True)


def _on(name: str, parameters: NonlinearParameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    problem = system(name, None, parameters.discount)
    members = {
        (policy, seed): Member(seed, problem.price, start, learns)
        for policy, (start, learns) in STARTS.items()
        for seed in parameters.seeds
    }
    trained = train(problem, list(members.values()), parameters.training)
    quiet, rows = Predictor(problem.plant), []
    runs = [
        (MYOPIC, s, MyopicValue(problem.price, problem.weight), quiet) for s in parameters.seeds
    ]
    for (policy, seed), pair in zip(members, trained.pairs, strict=True):
        receiver = quiet if policy == BLIND else pair.estimator
        runs.append((policy, seed, pair.scheduler, receiver))
        reader = _filter(problem, pair.scheduler, parameters, seed)
        runs.append((FILTERED.format(policy), seed, pair.scheduler, reader))
    for policy, seed, *sides in runs:
        means = _run(problem, sides, parameters, seed)
        rows.append({"system": name, "policy": policy, "seed": seed} | means)
    rows.sort(key=lambda row: POLICIES.index(row["policy"]))
    return pd.DataFrame(rows), trained.history.assign(system=name)


def _filter(
    problem: Problem, scheduler: LearnedScheduler, parameters: NonlinearParameters, seed: int
) -> ParticleFilter:
    rng = generator(seed, "particles", problem.plant.name)
    return ParticleFilter(problem.plant, scheduler, rng, particles=parameters.particles)


def _run(
    problem: Problem, sides: Sequence[Any], parameters: NonlinearParameters, seed: int
) -> dict[str, float]:
    rng = generator(seed, "evaluation", problem.plant.name)
    run = simulate(problem, *sides, paths=parameters.paths, steps=parameters.steps, rng=rng)
    return run.means()
