"""The three pairs that everything is compared with, for a scalar linear plant.

``zero-bias``
    The best scheduler for a receiver that takes silence for missing data.
``estimator-only``
    The same scheduler, with a receiver that has learned what its silence says.
``joint``
    The best equilibrium of both that alternation finds from several starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from schedlab.estimation.cells import Cells, cells_of
from schedlab.estimation.estimators.predictors import Biased
from schedlab.estimation.exact.alternation import (
    Equilibria,
    alternate,
    estimator_only,
    lloyd_start,
    silent_pieces,
)
from schedlab.estimation.exact.responses import Outcome, Sender, best_sender
from schedlab.estimation.plants.plant import Plant, Problem
from schedlab.estimation.schedulers.value import SilentIntervals

PAIRS = ("zero-bias", "estimator-only", "joint")


@dataclass(frozen=True)
class Pair:
    """A scheduler and an estimator of a scalar linear plant, with what they cost.

    Attributes
    ----------
    name
        One of :data:`PAIRS`.
    price
        Cost of a message that they are for.
    cost, rate, mse
        Normalised discounted cost; messages and squared error per step in the long run.
    biases
        The receiver's, by age.
    pieces
        The sender's silent intervals of the error of prediction, by age.
    """

    name: str
    price: float
    cost: float
    rate: float
    mse: float
    biases: np.ndarray
    pieces: list[list[tuple[float, float]]]

    @property
    def scheduler(self) -> SilentIntervals:
        """The sender."""
        most = max(1, *map(len, self.pieces))
        ends = np.full((len(self.pieces), most, 2), np.nan)
        for row, found in zip(ends, self.pieces, strict=True):
            row[: len(found)] = np.reshape(found, (-1, 2))
        return SilentIntervals(ends[..., 0], ends[..., 1])

    def estimator(self, plant: Plant) -> Biased:
        """Return the receiver."""
        return Biased(plant, self.biases)


@dataclass(frozen=True)
class Grid:
    """Sizes of the exact solver.

    Attributes
    ----------
    cells
        Cells of the grid of errors, odd. A law that jumps is met best where it jumps at an edge
        between cells, as Exp(1) - 1 does for ``cells = 8 (2 i + 1) + 1``; one of single points
        where these are centres, as a coin's are for ``cells = 16 i + 1``.
    reach
        Half width of the grid, in standard deviations of the noise.
    ages
        Length of the tables; the last age stands for all later ones.
    """

    cells: int = 329
    reach: float = 8.0
    ages: int = 20

    def of(self, plant: Plant) -> Cells:
        """Return the grid for a plant."""
        width = self.reach * float(np.sqrt(plant.noise.variance))
        return cells_of(plant, count=self.cells, reach=width)


@dataclass(frozen=True)
class Solution:
    """Pairs of one problem, and how alternation went from every start.

    Attributes
    ----------
    pairs
        By name.
    equilibria
        The first start is without biases, the others are Lloyd starts.
    """

    pairs: dict[str, Pair]
    equilibria: Equilibria


def solve(
    problem: Problem, rng: np.random.Generator, *, grid: Grid | None = None, starts: int = 6
) -> Solution:
    """Return the three pairs of a scalar linear plant.

    Parameters
    ----------
    problem
        Its plant scalar and linear, with ``cdf`` of the noise.
    rng
        Draws the Lloyd starts.
    grid
        Sizes.
    starts
        Number of Lloyd starts, beside the one without biases.
    """
    size = grid or Grid()
    cells = size.of(problem.plant)
    first, ears_only = _deaf_pairs(problem, cells, size.ages)
    lloyd = [
        lloyd_start(cells, problem.price, size.ages, rng, tries=1 + 7 * (i % 2))
        for i in range(starts)
    ]
    found = alternate(
        cells,
        np.stack([np.zeros(size.ages), *lloyd]),
        np.full(1 + starts, problem.price),
        problem.discount,
    )
    joint = _pair("joint", problem, cells, found.biases, found.sender, found.outcome, found.best)
    return Solution({pair.name: pair for pair in (first, ears_only, joint)}, found)


def zero_bias(problem: Problem, *, grid: Grid | None = None) -> Pair:
    """Return the best scheduler for a receiver that takes silence for missing data."""
    size = grid or Grid()
    return _deaf_pairs(problem, size.of(problem.plant), size.ages)[0]


def _deaf_pairs(problem: Problem, cells: Cells, ages: int) -> tuple[Pair, Pair]:
    """Return the zero-bias pair, and its scheduler with the receiver that reads its silence."""
    deaf, prices = np.zeros((1, ages)), np.full(1, problem.price)
    sender, outcome = best_sender(cells, deaf, prices, problem.discount)
    biases, heard = estimator_only(cells, deaf, sender, prices, problem.discount)
    return (
        _pair("zero-bias", problem, cells, deaf, sender, outcome, 0),
        _pair("estimator-only", problem, cells, biases, sender, heard, 0),
    )


def _pair(
    name: str,
    problem: Problem,
    cells: Cells,
    biases: np.ndarray,
    sender: Sender,
    outcome: Outcome,
    row: int,
) -> Pair:
    pieces = [silent_pieces(cells.centres, advantage) for advantage in sender.advantage[row]]
    numbers = (float(part[row]) for part in (outcome.cost, outcome.rate, outcome.mse))
    return Pair(name, problem.price, *numbers, biases[row], pieces)


def tables(system: str, pairs: list[Pair]) -> dict[str, pd.DataFrame]:
    """Return pairs as tidy tables: ``optima``, ``biases`` and ``regions``.

    ``optima`` has a row per pair: ``system, price, pair, cost, rate, mse``; ``biases`` one per
    age: ``age, bias``; ``regions`` one per age and silent interval: ``age, low, high``.
    """
    keys = [{"system": system, "price": pair.price, "pair": pair.name} for pair in pairs]
    rows = list(zip(keys, pairs, strict=True))
    return {
        "optima": pd.DataFrame(
            [key | {"cost": p.cost, "rate": p.rate, "mse": p.mse} for key, p in rows]
        ),
        "biases": pd.DataFrame(
            [
                key | {"age": age, "bias": float(bias)}
                for key, p in rows
                for age, bias in enumerate(p.biases, start=1)
            ]
        ),
        "regions": pd.DataFrame(
            [
                key | {"age": age, "low": low, "high": high}
                for key, p in rows
                for age, pieces in enumerate(p.pieces, start=1)
                for low, high in pieces
            ],
            columns=["system", "price", "pair", "age", "low", "high"],
        ),
    }


def read_pair(stored: Mapping[str, pd.DataFrame], system: str, price: float, name: str) -> Pair:
    """Return a pair from the tables of :func:`tables`.

    Raises
    ------
    ValueError
        If they hold none such.
    """
    chosen = {
        table: rows[(rows["system"] == system) & (rows["price"] == price) & (rows["pair"] == name)]
        for table, rows in stored.items()
        if "pair" in rows
    }
    if chosen["optima"].empty:
        known = stored["optima"][["system", "price"]].drop_duplicates().to_records(index=False)
        raise ValueError(f"no {name} pair of {system} at price {price:g}; there are {known}")
    numbers = chosen["optima"].iloc[0]
    biases = chosen["biases"].sort_values("age")["bias"].to_numpy()
    pieces: list[list[tuple[float, float]]] = [[] for _ in biases]
    for row in chosen["regions"].itertuples():
        pieces[row.age - 1].append((row.low, row.high))
    return Pair(name, price, numbers["cost"], numbers["rate"], numbers["mse"], biases, pieces)
