"""Arms of a comparison: schedulers on the same worlds, initial parameters and pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import pandas as pd

from schedlab.lab.resolve import Choice, resolve
from schedlab.lab.sweep import sweep
from schedlab.metalearning.iteration import similarity_of
from schedlab.metalearning.learners import make
from schedlab.metalearning.learners.candidates import Learner, tensors
from schedlab.metalearning.learners.factors import Similarity
from schedlab.metalearning.learners.networks import Network
from schedlab.metalearning.learners.records import Params
from schedlab.metalearning.parameters import GIVEN, Comparison
from schedlab.metalearning.schedulers import SCHEDULERS
from schedlab.metalearning.schedulers.interface import Scheduler
from schedlab.metalearning.settings import Settings
from schedlab.metalearning.tasks import make_world
from schedlab.metalearning.tasks.world import World
from schedlab.metalearning.training import Run, pretrained, train

Entry = dict[str, Any]
TABLES = ("steps", "scores", "cost")
MATCHED = "Uniform, equal compute"
UNIFORM: Entry = {"use": "uniform", "label": MATCHED, "options": {}}


def compare(
    parameters: Comparison, worlds: Sequence[Entry] | None = None
) -> dict[str, pd.DataFrame]:
    """Meta-train under every scheduler in every world, all seeds.

    Parameters
    ----------
    parameters
        Of the stage.
    worlds
        Worlds to compare in, by default the stage's only one; each may carry a ``label``.

    Returns
    -------
    Tables ``steps``, ``scores`` and ``cost`` of :class:`~schedlab.metalearning.recording.Log`,
    with columns ``scheduler`` (its label) and ``world`` (its label, or its name) in front.
    """
    setting = parameters.model_dump(exclude={"world", "seeds", "stack", "schedulers"})
    grid = [
        {
            "world": dict(world),
            "members": parameters.seeds[i : i + parameters.stack],
            "setting": setting,
            "entries": [entry.model_dump() for entry in parameters.schedulers],
        }
        for world in worlds or [parameters.world]
        for i in range(0, len(parameters.seeds), parameters.stack)
    ]
    return parts(sweep(measure, grid, [0], label="worlds and seeds"))


def parts(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables that :func:`measure` laid on top of each other."""
    found = {}
    for name in TABLES:
        rows = table[table["table"] == name].drop(columns="table")
        columns = [c for c in COLUMNS[name] if c in rows]
        types = {c: TYPES[c] for c in columns if c in TYPES}
        found[name] = rows[columns].reset_index(drop=True).astype(types)
    return found


COLUMNS = {
    "steps": (
        *("scheduler", "world", "seed", "phase", "step", "candidate", "noisy", "group"),
        *("loss", "similarity", "weight", "selected", "reward"),
    ),
    "scores": ("scheduler", "world", "seed", "step", "task", "score", "loss"),
    "cost": ("scheduler", "world", "seed", "phase", "step", "passes"),
}
TYPES = {"noisy": bool, "step": int}


def measure(
    world: Entry, members: list[int], setting: Entry, entries: list[Entry], seed: int
) -> pd.DataFrame:
    """Meta-train a stack of seeds under every scheduler, from common initial parameters.

    Parameters
    ----------
    world
        What :func:`~schedlab.metalearning.tasks.make_world` takes, and perhaps ``label``.
    members
        Seeds of the stack.
    setting
        Values of :class:`~schedlab.metalearning.parameters.Comparison`.
    entries
        Schedulers.
    seed
        Not used; the members are the seeds.
    """
    options = dict(world)
    label = options.pop("label", world["use"])
    worlds = [make_world(options, member) for member in members]
    learner, settings = learner_of(setting, worlds[0]), settings_of(setting)
    start = pretrained(learner, worlds, settings, members)
    tables = []
    for entry in entries:
        run = run_arm(learner, worlds, entry, settings, members, start)
        tables.append(labelled(run, entry["label"], label))
        if entry["label"] == setting["match_compute"]:
            longer = replace(settings, steps=steps_worth(run.cost, settings))
            matched = run_arm(learner, worlds, UNIFORM, longer, members, start)
            tables.append(labelled(matched, MATCHED, label, names=("scores", "cost")))
    return pd.concat(tables, ignore_index=True)


def run_arm(
    learner: Learner,
    worlds: Sequence[World],
    entry: Entry,
    settings: Settings,
    members: Sequence[int],
    start: Params,
) -> Run:
    """Meta-train a stack of seeds under one scheduler."""
    choice = resolve(entry, SCHEDULERS, given=GIVEN)
    schedulers = [scheduler_of(choice, learner.network, member) for member in members]
    return train(learner, worlds, schedulers, settings, members, params=start, label=choice.label)


def scheduler_of(choice: Choice, network: Network, seed: int) -> Scheduler:
    """Return a seed's scheduler, made for the parameter tensors that it wants compared."""
    made = choice.make(tensors(network, Similarity()), seed)
    wanted = similarity_of(made)
    if wanted is None or wanted.scope == "all":
        return made
    return choice.make(tensors(network, wanted), seed)


def steps_worth(cost: pd.DataFrame, settings: Settings) -> int:
    """Return the steps of uniform training that cost as many passes as a run did."""
    return round(cost["passes"].max() / (3 * settings.batch))


def labelled(run: Run, scheduler: str, world: str, names: Sequence[str] = TABLES) -> pd.DataFrame:
    """Return a run's tables on top of each other."""
    tables = [getattr(run, name).assign(table=name) for name in names]
    return pd.concat(tables, ignore_index=True).assign(scheduler=scheduler, world=world)


def learner_of(setting: Entry, world: World) -> Learner:
    """Return the stage's learner for a world."""
    return make(world.objective, world.shape, world.outputs, **setting["learner"])


def settings_of(setting: Entry) -> Settings:
    """Return the sizes among a stage's values."""
    names = [field.name for field in fields(Settings)]
    return Settings(**{name: setting[name] for name in names if name in setting})
