"""The upper level of the bi-level problem: how good a temporary meta-model is.

"Meta-learning with an Adaptive Task Scheduler" (2021), after its figure 1 and public code: the
meta-model takes one gradient step on the selected tasks, θ̃ = θ − β ∇ mean L, adapts to validation
tasks, and its mean performance there is the scheduler's reward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from schedlab.metalearning.batches import Tasks, stack
from schedlab.metalearning.learners.candidates import Learner
from schedlab.metalearning.learners.records import Params
from schedlab.metalearning.schedulers.interface import Bilevel
from schedlab.metalearning.tasks.world import World


def temporary(
    params: Params,
    gradient: Callable[[Tensor, Tensor], Params],
    index: Tensor,
    coefficients: Tensor,
    *,
    lr: float,
) -> Params:
    """Return the parameters one gradient step on selected tasks away.

    Parameters
    ----------
    params
        Of all seeds.
    gradient
        Of a pool at these parameters; see :class:`~schedlab.metalearning.pools.Pool`.
    index, coefficients
        The selection, shape ``(seeds, b)``.
    lr
        β, the step size.
    """
    step = gradient(index, coefficients)
    return {name: p - lr * step[name] for name, p in params.items()}


def reward(
    learner: Learner, world: World, bilevel: Bilevel, params: Params, *, tasks: Tasks
) -> Tensor:
    """Return the mean score, or negative loss, of each seed's model on validation tasks.

    Parameters
    ----------
    learner
        Adapts the model.
    world
        Whose score counts; the same measure for all seeds.
    bilevel
        Says which of the two is the reward.
    params, tasks
        Of all seeds.

    Returns
    -------
    Shape ``(seeds,)``.
    """
    outputs = learner.outputs(params, tasks)
    if bilevel.reward == "loss":
        return -learner.objective.loss(outputs, tasks.y_query).mean(1)
    return world.score(learner.objective.predict(outputs), tasks.y_query).mean(1)


def validation_batch(
    worlds: Sequence[World], size: int | None, generators: Sequence[torch.Generator]
) -> Tasks:
    """Return the validation tasks of a step: all, or some of each seed's at random.

    Raises
    ------
    ValueError
        If a world has fewer.
    """
    if size is None:
        return stack([world.validation for world in worlds])
    members = []
    for world, generator in zip(worlds, generators, strict=True):
        if size > len(world.validation):
            raise ValueError(f"{size} validation tasks wanted, {len(world.validation)} there")
        drawn = torch.randperm(len(world.validation), generator=generator)[:size]
        members.append(world.validation.take(drawn))
    return stack(members)
