"""Where alternation ends, by where it starts; and what skewness has to do with it."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from schedlab.estimation.exact.alternation import alternate
from schedlab.estimation.exact.solve import Grid, solve
from schedlab.estimation.experiment.optima import PAIRS
from schedlab.estimation.noise import StandardGamma
from schedlab.estimation.parameters import BiasMap, ExactParameters
from schedlab.estimation.plants.linear import linear
from schedlab.estimation.plants.plant import Problem
from schedlab.estimation.plants.systems import system
from schedlab.estimation.simulate import simulate
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep


def equilibrium_map(parameters: ExactParameters) -> pd.DataFrame:
    """Return the cost that exact alternation ends at from a plane of first biases.

    Columns: ``system, price, first, later, cost``: bias at age 1, bias at all later ages.
    """
    return pd.concat(
        [one_map(chosen, parameters.discount) for chosen in parameters.maps], ignore_index=True
    )


def one_map(chosen: BiasMap, discount: float) -> pd.DataFrame:
    """Return one system's map."""
    axis = np.linspace(-chosen.reach, chosen.reach, chosen.points)
    first, later = (side.ravel() for side in np.meshgrid(axis, axis, indexing="ij"))
    starts = np.repeat(later[:, None], chosen.grid.ages, axis=1)
    starts[:, 0] = first
    cells = Grid(**chosen.grid.model_dump()).of(system(chosen.system).plant)
    prices = np.full(len(starts), chosen.price)
    found = alternate(cells, starts, prices, discount, polish=False)
    return pd.DataFrame(
        {
            "system": chosen.system,
            "price": chosen.price,
            "first": first,
            "later": later,
            "cost": found.outcome.cost,
        }
    )


def skewness_sweep(parameters: ExactParameters) -> pd.DataFrame:
    """Return pairs under gamma noise of varied skewness: one row per skewness, pair and seed.

    Columns: ``skewness, pair, seed, exact, cost``; mean 0 and variance 1 throughout.
    """
    measure = partial(
        measure_skewness,
        price=parameters.skewness_price,
        discount=parameters.discount,
        grid=parameters.grid.model_dump(),
        paths=parameters.paths,
        steps=parameters.steps,
        seeds=parameters.seeds,
    )
    return sweep(measure, {"skewness": parameters.skewness}, [0], label="skewness")


def measure_skewness(
    skewness: float,
    price: float,
    discount: float,
    grid: dict[str, Any],
    paths: int,
    steps: int,
    seeds: list[int],
    seed: int,
) -> pd.DataFrame:
    """Return the simulated cost of every pair under one law; ``seed`` draws the starts."""
    plant = linear(0.9, StandardGamma(skewness), name=f"skewness {skewness:g}")
    problem = Problem(plant, price, discount=discount)
    pairs = solve(problem, generator(seed, "lloyd"), grid=Grid(**grid), starts=2).pairs
    rows = []
    for name in PAIRS:
        for path_seed in seeds:
            run = simulate(
                problem,
                pairs[name].scheduler,
                pairs[name].estimator(plant),
                paths=paths,
                steps=steps,
                rng=generator(path_seed, "plants"),
            )
            rows.append((name, path_seed, pairs[name].cost, run.means()["cost"]))
    return pd.DataFrame(rows, columns=["pair", "seed", "exact", "cost"])


def gains(sweep_table: pd.DataFrame) -> pd.DataFrame:
    """Return relative gains over zero-bias: ``skewness, seed, pair, gain``."""
    wide = sweep_table.pivot_table(index=["skewness", "seed"], columns="pair", values="cost")
    rest = [name for name in PAIRS if name != "zero-bias"]
    ratios = 1 - wide[rest].div(wide["zero-bias"], axis=0)
    return ratios.reset_index().melt(["skewness", "seed"], var_name="pair", value_name="gain")
