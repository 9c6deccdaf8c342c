"""The paper's stream: the same images, all labels drawn anew for each task."""

from typing import Any

import pandas as pd

from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep
from schedlab.trainability.experiment.arms import (
    UNTREATED,
    Entry,
    arms_of,
    chunks,
    device_of,
    run_arm,
)
from schedlab.trainability.images import digits
from schedlab.trainability.labels import FINAL, SCHEDULED
from schedlab.trainability.parameters import RandomLabelParameters
from schedlab.trainability.streams import Task, random_labels


def compare(parameters: RandomLabelParameters) -> pd.DataFrame:
    """Train every arm on every seed's stream.

    Beside the arms that the parameters list, a control runs at the learning rates at which the
    scheduled arm ended, constant from the start, if that arm is among them.

    Returns
    -------
    Columns ``arm``, ``seed``, ``task``, ``score``, and those of the decisions; see
    :func:`schedlab.trainability.experiment.arms.run_arm`.
    """
    treatments = {"schedulers", "remedies", "regularisers"}
    setting = parameters.model_dump(exclude=treatments | {"seeds", "stack"})
    arms = arms_of(parameters.schedulers, parameters.remedies, parameters.regularisers)
    grid = [
        {**arm, "setting": setting, "members": members}
        for arm in arms
        for members in chunks(parameters.seeds, parameters.stack)
    ]
    table = sweep(measure, grid, [0], label="arms")
    scheduled = table[table["arm"] == SCHEDULED]
    if scheduled.empty:
        return table
    ends = scheduled.groupby(["seed", "layer"])["lr"].last()
    control = [
        {
            "arm": FINAL,
            "setting": setting,
            "members": members,
            **UNTREATED,
            "steps": {seed: ends[seed].to_dict() for seed in members},
        }
        for members in chunks(parameters.seeds, parameters.stack)
    ]
    return pd.concat([table, sweep(measure, control, [0], label="control")], ignore_index=True)


def measure(
    arm: str,
    setting: dict[str, Any],
    members: list[int],
    scheduler: Entry,
    remedy: Entry | None,
    regulariser: Entry | None,
    seed: int,
    steps: dict[int, dict[str, float]] | None = None,
) -> pd.DataFrame:
    """Train one arm on the streams of a few seeds."""
    streams = [stream(setting, member) for member in members]
    return run_arm(setting, streams, members, scheduler, remedy, regulariser, steps)


def stream(setting: dict[str, Any], seed: int) -> list[Task]:
    """Return a seed's images with their random labels, task by task."""
    images = digits(setting["images"], setting["samples"], generator(seed, "images"))
    images = images.to(device_of(setting))
    classes = setting["widths"][-1]
    return random_labels(images, setting["tasks"], generator(seed, "labels"), classes=classes)


def accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per arm, seed and task: ``arm, seed, task, accuracy``."""
    rows = table[["arm", "seed", "task", "score"]].drop_duplicates(ignore_index=True)
    return rows.rename(columns={"score": "accuracy"})


def decisions(table: pd.DataFrame, lr: float) -> pd.DataFrame:
    """Return the rows of the arms that decide by statistics, with ``relative_lr``, lr / start."""
    if "action" not in table:
        return table.iloc[:0].assign(relative_lr=[])
    rows = table[table["action"].notna()].drop(columns="score")
    return rows.assign(relative_lr=rows["lr"] / lr).reset_index(drop=True)
