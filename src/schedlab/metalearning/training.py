"""Meta-training under a task scheduler, many seeds at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from schedlab.metalearning.checkpoints import load, save
from schedlab.metalearning.iteration import MetaTraining, adam, apply_gradient, draw
from schedlab.metalearning.learners.candidates import Learner, draw_stacked
from schedlab.metalearning.learners.records import Params
from schedlab.metalearning.schedulers.interface import Scheduler
from schedlab.metalearning.settings import Settings
from schedlab.metalearning.tasks.world import World, random_stream


@dataclass(frozen=True)
class Run:
    """What meta-training leaves behind.

    Attributes
    ----------
    steps, scores, cost
        Tables; see :class:`~schedlab.metalearning.recording.Log`.
    parameters
        Of the meta-models, stacked over seeds.
    schedulers
        As they were at the end.
    """

    steps: pd.DataFrame
    scores: pd.DataFrame
    cost: pd.DataFrame
    parameters: Params
    schedulers: list[Scheduler]


def pretrained(
    learner: Learner, worlds: Sequence[World], settings: Settings, seeds: Sequence[int]
) -> Params:
    """Return initial parameters of every seed, after pre-training if so set.

    Parameters
    ----------
    learner, worlds, settings, seeds
        As in :func:`train`. Whatever is scheduled later starts from these.
    """
    params = draw_stacked(learner.network, [random_stream(seed, "parameters") for seed in seeds])
    streams = [random_stream(seed, "pretraining") for seed in seeds]
    optimizer = adam(params, settings.meta_lr)
    index = torch.arange(settings.batch).repeat(len(seeds), 1)
    equal = torch.full(index.shape, 1 / settings.batch)
    updates = range(settings.pretrain)
    for _ in tqdm(updates, desc="pre-training", leave=False, disable=not updates):
        tasks = draw(worlds, settings.batch, streams, clean=settings.pretrain_clean)
        gradient = learner.candidates(params, tasks).gradient(index, equal)
        apply_gradient(optimizer, params, gradient)
    return params


def train(
    learner: Learner,
    worlds: Sequence[World],
    schedulers: Sequence[Scheduler],
    settings: Settings,
    seeds: Sequence[int],
    *,
    params: Params | None = None,
    checkpoint: Path | None = None,
    label: str = "meta-training",
) -> Run:
    """Train several seeds' meta-models under one kind of scheduler.

    Parameters
    ----------
    learner
        MAML or ANIL.
    worlds, schedulers
        One for each seed; the schedulers are of one class and options.
    settings
        Sizes.
    seeds
        Of the meta-models' initial parameters, pools and draws. Pools do not depend on the
        scheduler, so that runs of a seed under different schedulers are paired.
    params
        Parameters to start from, by default those of :func:`pretrained`; they are not changed.
    checkpoint
        File that is written now and then, from which an interrupted run goes on to the same
        bits, and which is removed at the end.
    label
        Words for the progress bar.

    Raises
    ------
    ValueError
        If numbers of worlds, schedulers and seeds differ, a batch exceeds its pool, a scheduler's
        weights are no probabilities, or the checkpoint is of another run.
    """
    _check(worlds, schedulers, settings, seeds)
    start = pretrained(learner, worlds, settings, seeds) if params is None else params
    training = MetaTraining(learner, worlds, schedulers, settings, seeds, start)
    if checkpoint is not None and checkpoint.exists():
        load(checkpoint, training)
    with tqdm(total=training.total, initial=training.done, desc=label, leave=False) as bar:
        while training.done < training.total:
            training.advance()
            bar.update()
            if checkpoint is not None and training.done % settings.checkpoint_every == 0:
                save(checkpoint, training)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    log = training.log
    tables = log.step_table(), log.score_table(), log.cost_table()
    return Run(*tables, training.params, training.schedulers)


def _check(
    worlds: Sequence[World],
    schedulers: Sequence[Scheduler],
    settings: Settings,
    seeds: Sequence[int],
) -> None:
    if not len(worlds) == len(schedulers) == len(seeds):
        raise ValueError(
            f"one world and one scheduler for each seed: there are {len(worlds)} worlds, "
            f"{len(schedulers)} schedulers and {len(seeds)} seeds"
        )
    if not 1 <= settings.batch <= settings.pool:
        raise ValueError(f"cannot take {settings.batch} tasks of a pool of {settings.pool}")
