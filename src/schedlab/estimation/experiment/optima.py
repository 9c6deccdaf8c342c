"""Exact optima of the scalar systems, and simulations that check them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from schedlab.estimation.estimators.predictors import Predictor
from schedlab.estimation.exact import closed
from schedlab.estimation.exact.fredholm import best_threshold
from schedlab.estimation.exact.planar import solve_planar
from schedlab.estimation.exact.solve import PAIRS, Grid, Pair, read_pair, solve, tables
from schedlab.estimation.noise import Mixture
from schedlab.estimation.parameters import ExactParameters
from schedlab.estimation.plants.systems import system
from schedlab.estimation.schedulers.triggers import EventTriggered
from schedlab.estimation.schedulers.value import PlanarValue
from schedlab.estimation.simulate import simulate
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep


def solve_all(parameters: ExactParameters) -> dict[str, pd.DataFrame]:
    """Return the pairs of every system and price, and how alternation went.

    Tables ``optima``, ``biases`` and ``regions`` are those of
    :func:`schedlab.estimation.exact.solve.tables`; ``rounds`` has a row per system, price, start
    and round: ``cost``. Start 0 is the one without biases.
    """
    points = [(name, price) for name, prices in parameters.prices.items() for price in prices]
    parts: list[dict[str, pd.DataFrame]] = []
    for name, price in tqdm(points, desc="optima", leave=False):
        solution = solve(
            system(name, price, parameters.discount),
            generator(0, "lloyd", name, str(price)),
            grid=grid_of(parameters, name),
            starts=parameters.starts,
        )
        found = tables(name, list(solution.pairs.values()))
        parts.append(found | {"rounds": _rounds(name, price, solution.equilibria.costs)})
    return {key: pd.concat([part[key] for part in parts], ignore_index=True) for key in parts[0]}


def grid_of(parameters: ExactParameters, name: str) -> Grid:
    """Return the sizes of the solver for a system."""
    chosen = parameters.coin_grid if name == "S6" else parameters.grid
    return Grid(**chosen.model_dump())


def _rounds(name: str, price: float, costs: np.ndarray) -> pd.DataFrame:
    rounds, starts = np.indices(costs.shape)
    columns = {"start": starts.ravel(), "round": rounds.ravel() + 1, "cost": costs.ravel()}
    return pd.DataFrame({"system": name, "price": price} | columns)


def independent_costs(parameters: ExactParameters) -> pd.DataFrame:
    """Return the least costs that another method gives: ``system, price, method, cost``."""
    points = [(name, price) for name, prices in parameters.prices.items() for price in prices]
    rows = [
        (name, price, *found)
        for name, price in points
        if (found := _independent(name, price, parameters.discount))
    ]
    return pd.DataFrame(rows, columns=["system", "price", "method", "cost"])


def _independent(name: str, price: float, discount: float) -> tuple[str, float] | None:
    match name:
        case "S1":
            return "integral equation", best_threshold(price, Mixture().pdf, 0.9, discount).cost
        case "S6" if price < 1:
            return "closed form", closed.coin_cost(price)
        case "S7":
            return "closed form", closed.memoryless_normal_cost(price)
        case "S8" if price >= 1:
            return "closed form", closed.memoryless_exponential_cost(price)
    return None


def check_by_simulation(
    parameters: ExactParameters, stored: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return simulated costs of the headline pairs: one row per system, pair and seed.

    Columns: ``system, price, pair, seed, exact, cost, rate, mse, silent_mse``.
    """
    grid = [
        {"name": name, "price": price, "pair": vars(read_pair(stored, name, price, pair))}
        for name, price in parameters.headline.items()
        for pair in PAIRS
    ]
    measure = partial(
        simulate_pair,
        discount=parameters.discount,
        paths=parameters.paths,
        steps=parameters.steps,
    )
    return sweep(measure, grid, parameters.seeds, label="simulations").rename(
        columns={"name": "system"}
    )


def simulate_pair(
    name: str,
    price: float,
    pair: dict[str, Any],
    discount: float,
    paths: int,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """Return what a pair costs on simulated trajectories."""
    problem, chosen = system(name, price, discount), Pair(**pair)
    run = simulate(
        problem,
        chosen.scheduler,
        chosen.estimator(problem.plant),
        paths=paths,
        steps=steps,
        rng=generator(seed, "plants", name),
    )
    return {"pair": chosen.name, "exact": chosen.cost, **run.means()}


def planar_check(parameters: ExactParameters) -> pd.DataFrame:
    """Return the plane's optimum against a threshold on the norm: one row per rule and seed.

    Columns: ``rule, seed, exact, cost``; ``exact`` is missing for the threshold.
    """
    problem = system("S5", parameters.planar_price, parameters.discount)
    optimum = solve_planar(problem, count=121)
    rules = {
        "value iteration": (PlanarValue(optimum.reach, optimum.advantage), optimum.cost),
        "norm threshold": (EventTriggered(0.85 * np.sqrt(parameters.planar_price)), np.nan),
    }
    rows = []
    for label, (rule, exact) in rules.items():
        for seed in parameters.seeds:
            run = simulate(
                problem,
                rule,
                Predictor(problem.plant),
                paths=parameters.paths,
                steps=parameters.steps,
                rng=generator(seed, "plants", "S5"),
            )
            rows.append((label, seed, exact, run.means()["cost"]))
    return pd.DataFrame(rows, columns=["rule", "seed", "exact", "cost"])


def summary(parameters: ExactParameters, solved: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the headline costs: a row per system with its pairs, gain, and other method."""
    other = independent_costs(parameters).set_index(["system", "price"])["cost"]
    rows = []
    for name, price in parameters.headline.items():
        costs = {pair: read_pair(solved, name, price, pair).cost for pair in PAIRS}
        gain = 1 - costs["joint"] / costs["zero-bias"]
        independent = other.get((name, price), np.nan)
        rows.append(
            {"system": name, "price": price, **costs, "gain": gain, "independent": independent}
        )
    return pd.DataFrame(rows)
