"""Error against rate for every rule, beside the exact pairs; and rules ranked by cost."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from schedlab.estimation.estimators import Estimator, GridFilter, Hold, Predictor
from schedlab.estimation.exact.solve import Pair, read_pair
from schedlab.estimation.experiment.stored import read_optima
from schedlab.estimation.parameters import BaselineParameters
from schedlab.estimation.plants.plant import Plant
from schedlab.estimation.plants.systems import system
from schedlab.estimation.schedulers import SCHEDULERS
from schedlab.estimation.simulate import simulate
from schedlab.lab.resolve import resolve
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep

EXACT = {"zero-bias": "best for the predictor (exact)", "joint": "joint optimum (exact)"}


def receiver(name: str, plant: Plant, scheduler: Any) -> Estimator:
    """Return the receiver that a rule runs with, see :class:`BaselineParameters`."""
    match name:
        case "hold":
            return Hold()
        case "filter":
            return GridFilter(plant, scheduler)
        case _:
            return Predictor(plant)


def error_against_rate(parameters: BaselineParameters) -> pd.DataFrame:
    """Return what every rule and every exact pair does: one row per system, setting and seed.

    Columns: ``system, scheduler, setting, seed, rate, mse, silent_mse, cost``. The setting is the
    dial's value, for exact pairs the price that they are best for; the cost is at
    ``ranked_price``.
    """
    stored = read_optima(parameters.optima_folder)
    sizes = {
        "price": parameters.ranked_price,
        "discount": parameters.discount,
        "paths": parameters.paths,
        "steps": parameters.steps,
    }
    rules = [
        {"name": name, "entry": entry.model_dump(), "estimator": rule.estimator, "setting": value}
        for name in parameters.systems
        for rule in parameters.schedulers
        for entry, value in zip(rule.entries(), rule.settings or [np.nan], strict=True)
    ]
    pairs = [
        {"name": row.system, "pair": vars(read_pair(stored, row.system, row.price, row.pair))}
        for row in stored["optima"].itertuples()
        if row.system in parameters.systems and row.pair in EXACT
    ]
    found = [
        sweep(partial(measure_pair, **sizes), pairs, parameters.seeds, label="exact pairs"),
        sweep(partial(measure_rule, **sizes), rules, parameters.seeds, label="rules"),
    ]
    table = pd.concat(found, ignore_index=True).rename(columns={"name": "system"})
    columns = ["system", "scheduler", "setting", "seed", "rate", "mse", "silent_mse", "cost"]
    return table[columns]


def measure_rule(
    name: str,
    entry: dict[str, Any],
    estimator: str,
    setting: float,
    price: float,
    discount: float,
    paths: int,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """Return what one rule does under one seed."""
    scheduler = resolve(entry, SCHEDULERS).make()
    problem = system(name, price, discount)
    run = simulate(
        problem,
        scheduler,
        receiver(estimator, problem.plant, scheduler),
        paths=paths,
        steps=steps,
        rng=generator(seed, "plants", name),
    )
    return {"scheduler": entry["label"], "setting": setting, **run.means()}


def measure_pair(
    name: str,
    pair: dict[str, Any],
    price: float,
    discount: float,
    paths: int,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """Return what one exact pair does under one seed."""
    chosen, problem = Pair(**pair), system(name, price, discount)
    run = simulate(
        problem,
        chosen.scheduler,
        chosen.estimator(problem.plant),
        paths=paths,
        steps=steps,
        rng=generator(seed, "plants", name),
    )
    return {"scheduler": EXACT[chosen.name], "setting": chosen.price, **run.means()}


def ranking(table: pd.DataFrame, parameters: BaselineParameters) -> pd.DataFrame:
    """Return every rule at its best setting: ``scheduler, setting, seed, cost``, cheapest first.

    The setting is that of least mean cost over seeds at ``ranked_price``; for the exact pair, the
    one for that price.
    """
    rows = table[table["system"] == parameters.ranked].fillna({"setting": 0.0})
    exact = rows["scheduler"].isin(EXACT.values())
    rows = rows[~exact | (rows["setting"] == parameters.ranked_price)]
    rows = rows[rows["scheduler"] != EXACT["zero-bias"]]
    mean = rows.groupby(["scheduler", "setting"])["cost"].mean()
    best = mean.loc[mean.groupby("scheduler").idxmin()].sort_values()
    kept = [
        rows[(rows["scheduler"] == label) & (rows["setting"] == setting)]
        for label, setting in best.index
    ]
    columns = ["scheduler", "setting", "seed", "cost"]
    return pd.concat(kept, ignore_index=True)[columns]


def at_rate(rows: pd.DataFrame, rate: float) -> float:
    """Return one scheduler's error at a rate, between its settings; missing outside of them.

    The logarithm of the error is linear in the rate between neighbours.
    """
    points = rows[rows["mse"] > 0].sort_values("rate")
    if points.empty or not points["rate"].iloc[0] <= rate <= points["rate"].iloc[-1]:
        return np.nan
    return float(np.exp(np.interp(rate, points["rate"], np.log(points["mse"]))))


def matched(table: pd.DataFrame, parameters: BaselineParameters) -> pd.DataFrame:
    """Return errors at equal rates: ``system, rate, scheduler, seed, mse``."""
    rows = [
        (name, rate, label, seed, at_rate(part, rate))
        for (name, label, seed), part in table.groupby(["system", "scheduler", "seed"], sort=False)
        for rate in parameters.matched_rates.get(name, [])
    ]
    found = pd.DataFrame(rows, columns=["system", "rate", "scheduler", "seed", "mse"])
    return found.dropna().reset_index(drop=True)


def own_labels(parameters: BaselineParameters) -> list[str]:
    """Return the labels of schedulers that come from a user's own module."""
    entries = [rule.entries()[0] for rule in parameters.schedulers]
    choices = [resolve(entry, SCHEDULERS) for entry in entries]
    return [choice.label for choice in choices if choice.registered is None]
