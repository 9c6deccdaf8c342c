"""Learned pairs beside the exact optimum, on the same random numbers."""

from typing import Any

import numpy as np
import pandas as pd

from schedlab.estimation.estimators.predictors import Predictor
from schedlab.estimation.exact.solve import PAIRS, Pair, read_pair
from schedlab.estimation.experiment.stored import read_optima
from schedlab.estimation.learning.dqn import learn_values
from schedlab.estimation.learning.training import Member, Trained, train
from schedlab.estimation.parameters import Arm, LearningParameters
from schedlab.estimation.plants.plant import Problem
from schedlab.estimation.plants.systems import system
from schedlab.estimation.schedulers import Always, EventTriggered, MyopicValue
from schedlab.estimation.simulate import Run, follow, simulate
from schedlab.lab.seeds import generator

DQN = "DQN, scheduler only"
Sides = tuple[Any, Any]  # scheduler and estimator
Optima = dict[tuple[str, float], dict[str, Pair]]  # by system and price, then by name


def exact_optima(parameters: LearningParameters) -> Optima:
    """Return the exact pairs of every system and price that something is learned at."""
    stored = read_optima(parameters.optima_folder)
    points = sorted({(arm.system, price) for arm in parameters.arms for price in arm.prices})
    return {
        (name, price): {pair: read_pair(stored, name, price, pair) for pair in PAIRS}
        for name, price in points
    }


def learn_all(parameters: LearningParameters) -> list[tuple[Arm, Trained]]:
    """Train every arm; the seeds and prices of an arm are members of one batch."""
    return [(arm, _learn(arm, parameters)) for arm in parameters.arms]


def _learn(arm: Arm, parameters: LearningParameters) -> Trained:
    problem = system(arm.system, arm.prices[0], parameters.discount)
    return train(problem, _members(arm, parameters), parameters.settings_of(arm))


def _members(arm: Arm, parameters: LearningParameters) -> list[Member]:
    seeds = parameters.seeds[: arm.seeds]
    return [Member(seed, price, arm.start) for price in arm.prices for seed in seeds]


def curves(learned: list[tuple[Arm, Trained]]) -> pd.DataFrame:
    """Return what was judged between rounds: one row per arm, price, seed and round."""
    return pd.concat(
        [t.history.assign(system=arm.system, arm=arm.label) for arm, t in learned],
        ignore_index=True,
    )


def costs(
    parameters: LearningParameters, learned: list[tuple[Arm, Trained]], optima: Optima
) -> pd.DataFrame:
    """Return what learned, exact and plain policies cost on equal trajectories.

    One row per system, price, policy and seed: ``cost, rate, mse, silent_mse``, and ``excess``
    with its ``excess_se``: paired difference to the exact joint pair, and its standard error.
    Baselines run at the first price of a system only.
    """
    rows = []
    for (name, price), pairs in optima.items():
        problem = system(name, price, parameters.discount)
        for seed in parameters.seeds:
            best = _run(problem, _exact(problem, pairs, "joint"), parameters, seed)
            compared = _learned(problem, learned, seed)
            if price == parameters.headline(name):
                compared += _baselines(problem, pairs)
            for policy, run in [
                ("exact joint", best),
                *((policy, _run(problem, sides, parameters, seed)) for policy, sides in compared),
            ]:
                off = run.cost - best.cost
                excess = {"excess": off.mean(), "excess_se": off.std(ddof=1) / np.sqrt(len(off))}
                key = {"system": name, "price": price, "policy": policy, "seed": seed}
                rows.append(key | run.means() | excess)
    return pd.DataFrame(rows)


def _baselines(problem: Problem, pairs: dict[str, Pair]) -> list[tuple[str, Sides]]:
    quiet = Predictor(problem.plant)
    return [
        ("exact zero-bias", _exact(problem, pairs, "zero-bias")),
        ("exact estimator-only", _exact(problem, pairs, "estimator-only")),
        ("myopic value", (MyopicValue(problem.price), quiet)),
        ("always", (Always(), quiet)),
    ]


def _learned(
    problem: Problem, learned: list[tuple[Arm, Trained]], seed: int
) -> list[tuple[str, Sides]]:
    asked = (problem.plant.name, problem.price, seed)
    return [
        (arm.label, (pair.scheduler, pair.estimator))
        for arm, trained in learned
        for member, pair in zip(trained.members, trained.pairs, strict=True)
        if (arm.system, member.price, member.seed) == asked
    ]


def _exact(problem: Problem, pairs: dict[str, Pair], name: str) -> Sides:
    pair = pairs[name]
    return pair.scheduler, pair.estimator(problem.plant)


def _run(problem: Problem, sides: Sides, parameters: LearningParameters, seed: int) -> Run:
    rng = generator(seed, "evaluation", problem.plant.name)
    return simulate(problem, *sides, paths=parameters.paths, steps=parameters.steps, rng=rng)


def scheduler_only(parameters: LearningParameters, optima: Optima) -> pd.DataFrame:
    """Return what a deep Q-network reaches against the silence-blind receiver.

    One row per system and seed, at the price of the system's first arm: ``system, price, policy,
    seed, cost, rate, mse, silent_mse, zero_bias``, the last the exact cost of the best scheduler
    for that receiver.
    """
    rows = []
    for name in parameters.dqn_systems:
        price = parameters.headline(name)
        problem = system(name, price, parameters.discount)
        members = [Member(seed, price) for seed in parameters.seeds[: parameters.dqn_seeds]]
        found = learn_values(problem, members, parameters.dqn)
        for member, scheduler in zip(members, found, strict=True):
            run = _run(problem, (scheduler, Predictor(problem.plant)), parameters, member.seed)
            key = {"system": name, "price": price, "policy": DQN, "seed": member.seed}
            exact = optima[name, price]["zero-bias"].cost
            rows.append(key | run.means() | {"zero_bias": exact})
    return pd.DataFrame(rows)


def silent_spans(
    parameters: LearningParameters, learned: list[tuple[Arm, Trained]], optima: Optima
) -> pd.DataFrame:
    """Return which errors stay silent, and what the receiver makes of it.

    One row per system, policy, seed and age, at the first price of each arm that starts from
    Lloyd's cells: ``low, high`` (1st and 99th percentile of the silent errors of prediction
    that occur), ``bias`` (what the receiver adds), ``share`` of all steps.
    """
    rows = []
    for arm, trained in learned:
        name, price = arm.system, arm.prices[0]
        if arm.start != "lloyd" or arm.prices[1:]:
            continue
        problem = system(name, price, parameters.discount)
        sides = [("exact", 0, _exact(problem, optima[name, price], "joint"))]
        for member, pair in zip(trained.members, trained.pairs, strict=True):
            sides.append(("learned", member.seed, (pair.scheduler, pair.estimator)))
        for policy, seed, both in sides:
            key = {"system": name, "price": price, "policy": policy, "seed": seed}
            rows += [key | row for row in _spans(problem, both, parameters.ages_shown)]
    return pd.DataFrame(rows)


def _spans(problem: Problem, sides: Sides, ages: int) -> list[dict[str, Any]]:
    rng = generator(0, "spans", problem.plant.name)
    states = problem.plant.paths(rng, 400, 100)
    seen = [
        (step.age, (step.state - step.predicted)[:, 0], step.sent)
        for step in follow(problem.plant, *sides, states, rng)
    ]
    age, error, sent = (np.concatenate(column) for column in zip(*seen, strict=True))
    bias = sides[1].predict(np.zeros((ages, 1)), np.arange(1, ages + 1))[:, 0]
    rows = []
    for k in range(1, ages + 1):
        silent = error[(age == k) & ~sent]
        if len(silent) >= 20:
            low, high = np.quantile(silent, [0.01, 0.99])
            share = len(silent) / len(error)
            rows.append({"age": k, "low": low, "high": high, "bias": bias[k - 1], "share": share})
    return rows


def triggered_curve(parameters: LearningParameters) -> pd.DataFrame:
    """Return error against rate of send-on-delta with prediction, the "silence is missing" rule.

    One row per system with several prices, width of the trigger and seed: ``rate, mse``.
    """
    names = dict.fromkeys(arm.system for arm in parameters.arms if arm.prices[1:])
    rows = []
    for name in names:
        problem = system(name, 1.0, parameters.discount)
        for width in parameters.trigger_widths:
            for seed in parameters.seeds:
                sides = (EventTriggered(width), Predictor(problem.plant))
                means = _run(problem, sides, parameters, seed).means()
                key = {"system": name, "width": width, "seed": seed}
                rows.append(key | {"rate": means["rate"], "mse": means["mse"]})
    return pd.DataFrame(rows)
