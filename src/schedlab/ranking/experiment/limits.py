"""How good an order can be at best: with perfect classes, other models, or another sampling run."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from schedlab.data import catalog, lengths
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep
from schedlab.ranking.metrics import kendall_tau
from schedlab.ranking.objectives import objective
from schedlab.ranking.parameters.training import LimitsParameters
from schedlab.ranking.prompts import ALPACA_ANSWERED_BY

PERCENTILES = "10 percentiles"


def perfect_classes(parameters: LimitsParameters) -> pd.DataFrame:
    """Return the tau of classifiers that never err, as they lose the order within a class.

    Columns: ``workload``, ``classes`` (their width, or :data:`PERCENTILES`), ``seed``, ``tau``,
    ``largest_class`` (share of requests in it: the accuracy of always naming it).
    """
    names = [*[f"{width} tokens" for width in parameters.class_widths], PERCENTILES]
    grid = {"workload": parameters.workloads, "classes": names}
    measure = partial(_perfect, sample=parameters.sample)
    return sweep(measure, grid, parameters.seeds, label="perfect classes")


def _perfect(workload: str, classes: str, sample: int, seed: int) -> dict[str, float]:
    drawn = _sample(lengths(workload)["output_tokens"].to_numpy(), sample, seed)
    width = int(classes.split()[0])
    made = objective("percentiles" if classes == PERCENTILES else "classes", width).fit(drawn)
    found = made.classes(drawn)
    return {
        "tau": kendall_tau(-found, drawn),
        "largest_class": float(np.bincount(found).max() / len(found)),
    }


def _sample(values: np.ndarray, sample: int, seed: int, *names: str) -> np.ndarray:
    rows = generator(seed, "ranking", "limits", *names).permutation(len(values))[:sample]
    return values[rows]


def own_runs(table: pd.DataFrame, parameters: LimitsParameters) -> pd.DataFrame:
    """Return the tau between two sampling runs of one model: ``seed, tau``, per sample of prompts.

    Parameters
    ----------
    table
        As :mod:`schedlab.ranking.own_lengths` writes it; may be empty.
    parameters
        Its seeds each draw half of the prompts.
    """
    runs = table.pivot_table(index="row", columns="run", values="output_tokens")
    rows = [
        (seed, _tau_between(_sample(runs.to_numpy(), len(runs) // 2, seed, "own")))
        for seed in (parameters.seeds if len(runs) else [])
    ]
    return pd.DataFrame(rows, columns=["seed", "tau"])


def _tau_between(pairs: np.ndarray) -> float:
    return kendall_tau(-pairs[:, 0], pairs[:, 1])


def public_predictions(parameters: LimitsParameters) -> pd.DataFrame:
    """Return the tau of predictions that others published: ``predictor, seed, tau``."""
    tables = [PUBLIC[name](parameters) for name in parameters.public]
    return pd.concat([pd.DataFrame(columns=["predictor", "seed", "tau"]), *tables])


def _bert(parameters: LimitsParameters) -> pd.DataFrame:
    """Judge a fine-tuned BERT's classes of the answers to 85,482 prompts of LMSYS-Chat-1M."""
    rows, sample = [], parameters.sample
    for classes in (3, 5):
        table = pd.read_csv(catalog.fetch(f"ssjf-lmsys-vicuna13b-bert-cls{classes}"))
        pairs = table[["predicted_length", "output_token_length"]].to_numpy()
        rows += [
            (f"BERT, {classes} classes (LMSYS)", seed, _tau_between(_sample(pairs, sample, seed)))
            for seed in parameters.seeds
        ]
    return pd.DataFrame(rows, columns=["predictor", "seed", "tau"])


def _other_llms(parameters: LimitsParameters) -> pd.DataFrame:
    """Judge other models' answers to the 805 prompts of AlpacaEval as predictions of Llama's."""
    table = pd.read_csv(catalog.fetch("alpaca-eval-output-tokens"))
    rows = []
    for other in ("Meta-Llama-3-70B-Instruct", "gpt4_1106_preview", "vicuna-13b"):
        pairs = table[[other, ALPACA_ANSWERED_BY]].to_numpy()
        rows += [
            (f"{other} (AlpacaEval)", seed, _tau_between(_sample(pairs, len(pairs) // 2, seed)))
            for seed in parameters.seeds
        ]
    return pd.DataFrame(rows, columns=["predictor", "seed", "tau"])


PUBLIC: dict[str, Callable[[Any], pd.DataFrame]] = {"bert": _bert, "other-llms": _other_llms}
"""Published predictions by the name that ``params.yaml`` uses."""
