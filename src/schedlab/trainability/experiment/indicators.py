"""What each indicator says while accuracy falls, for several methods."""

from typing import Any

import pandas as pd
import torch

from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep
from schedlab.trainability.experiment.arms import chunks, fleet_of
from schedlab.trainability.experiment.random_labels import stream
from schedlab.trainability.indicators import effective_rank, indicators
from schedlab.trainability.parameters import IndicatorParameters
from schedlab.trainability.schedulers import PRESETS, NoiseCurvatureLR
from schedlab.trainability.training import Course, train

METHODS: dict[str, dict[str, Any]] = {
    "plain": {"activation": "relu", "penalty": "", "weight_decay": 0.0},
    "l2": {"activation": "relu", "penalty": ""},
    "crelu": {"activation": "crelu", "penalty": "", "weight_decay": 0.0},
    "wasserstein": {"activation": "relu", "penalty": "wasserstein", "weight_decay": 0.0},
}
"""What a method changes in the setting."""


def watch(parameters: IndicatorParameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train each method at a constant learning rate, the scheduler only watching.

    Returns
    -------
    Per method, seed and task: ``accuracy``, the six indicators and ``effective_rank`` as the task
    ended, and for each bound the share of decisions in which some layer's step exceeded it,
    ``exceeds_gradient``, ``exceeds_curvature`` and ``exceeds_combined``. And the history of every
    decision, with ``method`` and ``seed``.
    """
    setting = parameters.model_dump(exclude={"methods", "seeds", "stack"})
    grid = [
        {"method": method, "setting": {**setting, **METHODS[method]}, "members": members}
        for method in parameters.methods
        for members in chunks(parameters.seeds, parameters.stack)
    ]
    table = sweep(measure, grid, [0], label="indicators")
    history = table[table["layer"].notna()].dropna(axis=1, how="all")
    by_task = table[table["layer"].isna()].dropna(axis=1, how="all")
    return by_task.reset_index(drop=True), history.reset_index(drop=True)


def measure(method: str, setting: dict[str, Any], members: list[int], seed: int) -> pd.DataFrame:
    """Train a few seeds of a method; rows of tasks, then rows of decisions, which have a layer."""
    fleet = fleet_of(setting, members)
    streams = [stream(setting, member) for member in members]
    seen: list[dict[str, Any]] = []

    def note(task: int, member: int, before: dict[str, torch.Tensor]) -> None:
        data, model = streams[member][task], fleet.models[member]
        inputs, targets = (d[: setting["batch_size"]] for d in (data.inputs, data.targets))
        found = indicators(model, inputs, targets, before)
        rank = effective_rank(model(inputs).detach())
        place = {"seed": members[member], "task": task + 1}
        seen.append(place | found | {"effective_rank": rank})

    probe = {"iterations": setting["iterations"], "tolerance": setting["tolerance"]}
    course = Course(setting["epochs"], setting["batch_size"], setting["interval"], probe)
    options = PRESETS.get(method, PRESETS["paper"])
    scores, schedulers = train(
        fleet,
        streams,
        course,
        lambda optimizer: NoiseCurvatureLR(optimizer, dry_run=True, **options),
        None,
        [generator(member, "order") for member in members],
        observe=note,
    )
    history = pd.concat(
        [s.history.assign(seed=member) for s, member in zip(schedulers, members, strict=True)]
    )
    by_task = pd.DataFrame(seen).merge(_scores(scores, members)).merge(_exceeding(history))
    return pd.concat([by_task, history], ignore_index=True)


def _scores(scores: torch.Tensor, members: list[int]) -> pd.DataFrame:
    rows = [
        {"seed": seed, "task": task, "accuracy": score}
        for seed, row in zip(members, scores.tolist(), strict=True)
        for task, score in enumerate(row, start=1)
    ]
    return pd.DataFrame(rows)


def _exceeding(history: pd.DataFrame) -> pd.DataFrame:
    """Return the share of decisions in which any layer's step exceeds each bound (appendix C.2)."""
    bounds = {
        "gradient": "gradient_step",
        "curvature": "curvature_step",
        "combined": "critical_step",
    }
    flags = pd.DataFrame(
        {
            f"exceeds_{name}": (history["effective_step"] > history[column]).astype(float)
            for name, column in bounds.items()
        }
    ).assign(seed=history["seed"], task=history["task"], update=history["update"])
    return (
        flags.groupby(["seed", "task", "update"])
        .max()
        .groupby(["seed", "task"])
        .mean()
        .reset_index()
    )


def predictions(by_task: pd.DataFrame) -> pd.DataFrame:
    """Return each bound's prediction of accuracy, 1 − share exceeded, scaled to its range.

    Appendix C.2 of the paper, per method and seed. Columns ``method, seed, task, bound, accuracy,
    predicted``.
    """
    tall = by_task.melt(
        ["method", "seed", "task", "accuracy"],
        ["exceeds_gradient", "exceeds_curvature", "exceeds_combined"],
        "bound",
        "share",
    )
    tall["bound"] = tall["bound"].str.removeprefix("exceeds_")
    groups = tall.groupby(["method", "seed", "bound"])
    low, high = (groups["share"].transform(how) for how in ("min", "max"))
    floor, ceiling = (groups["accuracy"].transform(how) for how in ("min", "max"))
    # Where the share never changes it predicts nothing but the middle of the range.
    place = ((high - tall["share"]) / (high - low)).where(high > low, 0.5)
    return tall.assign(predicted=floor + (ceiling - floor) * place).drop(columns="share")
