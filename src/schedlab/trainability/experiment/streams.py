"""Other streams: renamed classes, shuffled pixels, and a regression that changes slowly."""

from typing import Any

import pandas as pd

from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep
from schedlab.trainability.experiment.arms import Entry, arms_of, chunks, device_of, run_arm
from schedlab.trainability.images import labelled_digits
from schedlab.trainability.parameters import StreamParameters
from schedlab.trainability.streams import STREAMS, Task


def compare(parameters: StreamParameters) -> pd.DataFrame:
    """Train every arm on every stream.

    Returns
    -------
    Columns ``stream``, ``arm``, ``seed``, ``task``, ``score``: accuracy, or on the stream of
    flipped bits the squared error, both averaged along the task.
    """
    omitted = {"streams", "schedulers", "remedies", "seeds", "stack"}
    setting = parameters.model_dump(exclude=omitted)
    setting |= {"activation": "relu", "penalty": ""}
    grid = [
        {"stream": stream, **arm, "setting": setting, "members": members}
        for stream in parameters.streams
        for arm in arms_of(parameters.schedulers, parameters.remedies)
        for members in chunks(parameters.seeds, parameters.stack)
    ]
    table = sweep(measure, grid, [0], label="streams")
    return table[["stream", "arm", "seed", "task", "score"]].drop_duplicates(ignore_index=True)


def measure(
    stream: str,
    arm: str,
    setting: dict[str, Any],
    members: list[int],
    scheduler: Entry,
    remedy: Entry | None,
    regulariser: Entry | None,
    seed: int,
) -> pd.DataFrame:
    """Train one arm on one stream for a few seeds."""
    if stream == "flipped_bits":
        setting = setting | {"widths": setting["bit_widths"]}
    streams = [tasks_of(stream, setting, member) for member in members]
    return run_arm(setting, streams, members, scheduler, remedy, regulariser)


def tasks_of(stream: str, setting: dict[str, Any], seed: int) -> list[Task]:
    """Return a seed's tasks on a stream."""
    rng, tasks, device = generator(seed, stream), setting["tasks"], device_of(setting)
    if stream == "flipped_bits":
        made = STREAMS[stream](setting["bit_samples"], tasks, rng)
        return [Task(task.inputs.to(device), task.targets.to(device)) for task in made]
    images, labels = labelled_digits(
        setting["images"], setting["samples"], generator(seed, "images")
    )
    return STREAMS[stream](images.to(device), labels.to(device), tasks, rng)
