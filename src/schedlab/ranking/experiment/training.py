"""Train predictors on real prompts and see how well they order the answers of others."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from schedlab.lab.resolve import resolve
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep
from schedlab.ranking.metrics import kendall_tau
from schedlab.ranking.parameters.training import TrainingParameters
from schedlab.ranking.prompts import prompt_set
from schedlab.ranking.rankers import RANKERS
from schedlab.ranking.rankers.linear import LinearRanker
from schedlab.ranking.splits import split_by_prompt

Halves = tuple[pd.DataFrame, pd.DataFrame]


def train_all(parameters: TrainingParameters) -> pd.DataFrame:
    """Return the scores that each ranker gives the held-out prompts, one split per seed.

    Columns: ``ranker``, ``seed``, ``row`` (of the prompt set), ``prompt_tokens``,
    ``output_tokens``, ``score`` (larger: expected shorter) and ``accuracy`` (share of right
    classes of this ranker and seed, NaN without classes).
    """
    entries = [entry.model_dump() for entry in parameters.rankers]
    measure = partial(_scores, **_data(parameters))
    table = sweep(measure, {"entry": entries}, parameters.seeds, label="training")
    return table[["ranker", *[name for name in table if name != "ranker"]]]


def handed_over(scores: pd.DataFrame, parameters: TrainingParameters) -> pd.DataFrame:
    """Return the scores that other stages serve by, with the lengths and no more."""
    kept = scores["ranker"].isin(parameters.hand_over)
    return scores.loc[kept, ["ranker", "seed", "prompt_tokens", "output_tokens", "score"]]


def tau_by_ranker(scores: pd.DataFrame) -> pd.DataFrame:
    """Return ``ranker, seed, tau, accuracy`` from a table of :func:`train_all`."""
    rows = [
        (*key, kendall_tau(part["score"], part["output_tokens"]), part["accuracy"].iloc[0])
        for key, part in scores.groupby(["ranker", "seed"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["ranker", "seed", "tau", "accuracy"])


def tau_by_setting(parameters: TrainingParameters) -> pd.DataFrame:
    """Return the tau of ListMLE over label buckets and list sizes: ``setting, value, seed, tau``.

    The settings that do not vary are the defaults, hence also the paper's.
    """
    points = [
        {"setting": setting, "value": value}
        for setting, values in (
            ("bucket", parameters.label_buckets),
            ("list_size", parameters.list_sizes),
        )
        for value in values
    ]
    return sweep(partial(_setting, **_data(parameters)), points, parameters.seeds, label="settings")


def learning_curve(parameters: TrainingParameters) -> pd.DataFrame:
    """Return loss and tau of ListMLE over its first steps: ``step, seed, loss, tau``.

    The loss is the mean over the lists since the previous row.
    """
    measure = partial(_curve, every=parameters.curve_every, **_data(parameters))
    return sweep(measure, [{}], parameters.seeds, label="learning curve")


def transfer(parameters: TrainingParameters) -> pd.DataFrame:
    """Return the tau of ListMLE trained on one prompt set and tested on another.

    Columns: ``trained_on``, ``tested_on``, ``seed``, ``tau``. All sets give as many training
    prompts as the smallest of them can, so that only their kind differs.
    """
    names = parameters.transfer_between
    fewest = min(len(prompt_set(name)) for name in names)
    grid = {"trained_on": names, "tested_on": names}
    measure = partial(_transferred, prompts=min(fewest, parameters.transfer_prompts))
    measure = partial(measure, held_out=parameters.held_out)
    return sweep(measure, grid, parameters.seeds, label="transfer")


def halves(prompts: int, held_out: float, seed: int, name: str = "sharegpt-first-turns") -> Halves:
    """Return training and held-out prompts of a set: a random subset, split by text."""
    table = prompt_set(name)
    rows = generator(seed, "ranking", "prompts", name).permutation(len(table))[:prompts]
    table = table.iloc[np.sort(rows)].rename_axis("row").reset_index()
    trained, tested = split_by_prompt(table["prompt"].tolist(), held_out, seed)
    return table.iloc[trained], table.iloc[tested]


def _data(parameters: TrainingParameters) -> dict[str, Any]:
    return {"prompts": parameters.prompts, "held_out": parameters.held_out}


def _scores(entry: dict[str, Any], prompts: int, held_out: float, seed: int) -> pd.DataFrame:
    training, held = halves(prompts, held_out, seed)
    ranker = resolve(entry, RANKERS).make()
    fit(ranker, training, seed)
    texts, table = held["prompt"].tolist(), held.drop(columns="prompt")
    accuracy = getattr(ranker, "accuracy", lambda *_: np.nan)
    return table.assign(
        ranker=entry["label"],
        score=np.asarray(ranker.score(texts), dtype=np.float32),
        accuracy=accuracy(texts, table["output_tokens"]),
    )


def fit(ranker: Any, training: pd.DataFrame, seed: int) -> None:
    """Train a ranker on a table of prompts; if it draws anything, from this seed."""
    if hasattr(ranker, "seed"):
        ranker.seed = seed
    ranker.fit(training["prompt"].tolist(), training["output_tokens"].to_numpy())


def _setting(setting: str, value: int, prompts: int, held_out: float, seed: int) -> dict[str, Any]:
    training, held = halves(prompts, held_out, seed)
    ranker = LinearRanker(**{setting: value})
    fit(ranker, training, seed)
    return {"tau": _tau(ranker, held)}


def _transferred(
    trained_on: str, tested_on: str, prompts: int, held_out: float, seed: int
) -> dict[str, Any]:
    training, _ = halves(prompts, held_out, seed, trained_on)
    _, held = halves(prompts, held_out, seed, tested_on)
    known = set(training["prompt"])
    ranker = LinearRanker()
    fit(ranker, training, seed)
    return {"tau": _tau(ranker, held[~held["prompt"].isin(known)])}


def _curve(prompts: int, held_out: float, every: int, seed: int) -> pd.DataFrame:
    training, held = halves(prompts, held_out, seed)
    ranker = LinearRanker(epochs=1, seed=seed)
    losses: list[float] = []
    rows = []
    for loss in ranker.steps(training["prompt"].tolist(), training["output_tokens"].to_numpy()):
        losses.append(loss)
        if len(losses) % every == 0:
            rows.append((len(losses), float(np.mean(losses[-every:])), _tau(ranker, held)))
    return pd.DataFrame(rows, columns=["step", "loss", "tau"])


def _tau(ranker: Any, held: pd.DataFrame) -> float:
    return kendall_tau(ranker.score(held["prompt"].tolist()), held["output_tokens"])


def own_labels(entries: Sequence[Any]) -> list[str]:
    """Return the labels of rankers that come from a user's own module."""
    choices: Iterable[Any] = (resolve(entry, RANKERS) for entry in entries)
    return [choice.label for choice in choices if choice.registered is None]
