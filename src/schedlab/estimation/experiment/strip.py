"""One trajectory step by step, with what a silence-aware receiver believes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from schedlab.estimation.estimators.grid import GridFilter
from schedlab.estimation.exact.solve import read_pair
from schedlab.estimation.experiment.optima import grid_of
from schedlab.estimation.parameters import ExactParameters
from schedlab.estimation.plants.systems import system
from schedlab.estimation.simulate import follow
from schedlab.lab.seeds import generator


@dataclass(frozen=True)
class Story:
    """A trajectory and the beliefs along it.

    Attributes
    ----------
    table
        A row per step: ``step, state, sent, age, predicted, estimate, low, high``; the last two
        hold the central 90 % of the belief after silence, and the state where it was sent.
    centres
        Errors of prediction that beliefs are given at.
    beliefs
        By age, from age 1 on: probability of each error after silence.
    """

    table: pd.DataFrame
    centres: np.ndarray
    beliefs: np.ndarray


def follow_pair(
    parameters: ExactParameters, stored: Mapping[str, pd.DataFrame], name: str, *, steps: int
) -> Story:
    """Follow the joint pair of a scalar system along one trajectory.

    Parameters
    ----------
    parameters
        Of the stage; the first seed draws the trajectory.
    stored
        Tables of :func:`schedlab.estimation.experiment.optima.solve_all`.
    name
        System.
    steps
        Length.
    """
    problem = system(name, parameters.headline[name], parameters.discount)
    pair = read_pair(stored, name, problem.price, "joint")
    reader = GridFilter(problem.plant, pair.scheduler, count=grid_of(parameters, name).cells)
    rng = generator(parameters.seeds[0], "strip")
    states = problem.plant.paths(rng, 1, steps)
    centres = reader.cells.centres
    low, high = (_quantiles(centres, reader.beliefs, share) for share in (0.05, 0.95))
    rows = []
    for t, step in enumerate(follow(problem.plant, pair.scheduler, reader, states, rng), start=1):
        sent, age = bool(step.sent[0]), int(step.age[0])
        state, predicted = float(step.state[0, 0]), float(step.predicted[0, 0])
        row = min(age, len(low)) - 1
        ends = (state, state) if sent else (predicted + low[row], predicted + high[row])
        rows.append((t, state, sent, age, predicted, float(step.estimate[0, 0]), *ends))
    columns = ["step", "state", "sent", "age", "predicted", "estimate", "low", "high"]
    return Story(pd.DataFrame(rows, columns=columns), centres, reader.beliefs)


def _quantiles(centres: np.ndarray, beliefs: np.ndarray, share: float) -> np.ndarray:
    return centres[np.argmax(np.cumsum(beliefs, axis=1) >= share, axis=1)]
