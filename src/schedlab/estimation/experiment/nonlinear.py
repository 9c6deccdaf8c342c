"""Nonlinear plants: no optimum is known, so learned pairs are compared with what is.

The yardsticks are the scheduler learned for the noise-free prediction, in short "blind", and
particle filters that know the scheduler and read its silence as a measurement.
"""

from typing import Any

import pandas as pd

from schedlab.estimation.estimators.particle import ParticleFilter
from schedlab.estimation.estimators.predictors import Predictor
from schedlab.estimation.learning.pairs import Pair
from schedlab.estimation.learning.training import Member, train
from schedlab.estimation.parameters import NonlinearParameters
from schedlab.estimation.plants.plant import Problem
from schedlab.estimation.plants.systems import system
from schedlab.estimation.schedulers import MyopicValue
from schedlab.estimation.simulate import simulate
from schedlab.lab.seeds import generator

MYOPIC, BLIND, JOINT = "myopic value, silence missing", "learned, silence missing", "learned pair"
BLIND_FILTERED = "its scheduler, particle filter"
JOINT_FILTERED = "the pair's scheduler, particle filter"
POLICIES = (MYOPIC, BLIND, BLIND_FILTERED, JOINT, JOINT_FILTERED)


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
    blind = [Member(seed, problem.price, "zero", learns=False) for seed in parameters.seeds]
    joint = [Member(seed, problem.price, "lloyd") for seed in parameters.seeds]
    trained = train(problem, blind + joint, parameters.training)
    count, rows = len(parameters.seeds), []
    for i, seed in enumerate(parameters.seeds):
        sides = _sides(problem, trained.pairs[i], trained.pairs[count + i], parameters, seed)
        for policy, both in sides.items():
            means = _run(problem, both, parameters, seed)
            rows.append({"system": name, "policy": policy, "seed": seed} | means)
    return pd.DataFrame(rows), trained.history.assign(system=name)


def _sides(
    problem: Problem, blind: Pair, joint: Pair, parameters: NonlinearParameters, seed: int
) -> dict[str, tuple[Any, Any]]:
    quiet = Predictor(problem.plant)

    def reading(scheduler: Any) -> ParticleFilter:
        rng = generator(seed, "particles", problem.plant.name)
        return ParticleFilter(problem.plant, scheduler, rng, particles=parameters.particles)

    return {
        MYOPIC: (MyopicValue(problem.price, problem.weight), quiet),
        BLIND: (blind.scheduler, quiet),
        BLIND_FILTERED: (blind.scheduler, reading(blind.scheduler)),
        JOINT: (joint.scheduler, joint.estimator),
        JOINT_FILTERED: (joint.scheduler, reading(joint.scheduler)),
    }


def _run(
    problem: Problem, sides: tuple[Any, Any], parameters: NonlinearParameters, seed: int
) -> dict[str, float]:
    rng = generator(seed, "evaluation", problem.plant.name)
    run = simulate(problem, *sides, paths=parameters.paths, steps=parameters.steps, rng=rng)
    return run.means()
