"""What a team of schedulers and estimators does: explore, collect silences, be judged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from schedlab.estimation.learning.estimators import BiasTable, Context, ResidualNetwork, Silences
from schedlab.estimation.learning.networks import Perceptrons
from schedlab.estimation.learning.ppo import Rollout
from schedlab.estimation.learning.world import View, World
from schedlab.estimation.plants import Linear, Plant, Problem
from schedlab.lab.seeds import generator

FAR = 10.0  # inputs are clipped there, so that one long silence cannot ruin a critic
HORIZON = 5  # steps within which noise reaches every state
SCENES = 512


@dataclass
class Team:
    """Schedulers and estimators of all members, and what an error costs.

    Attributes
    ----------
    actor
        Logits of sending.
    estimator
        Corrections to the prediction.
    context
        What standardises inputs.
    weight
        Of squared errors, ``(d, d)``.
    price
        Of a message, ``(members, 1)``.
    discount
        Per step.
    longest_silence
        Age at which a message is forced; None never forces.
    """

    actor: Perceptrons
    estimator: BiasTable | ResidualNetwork
    context: Context
    weight: Tensor
    price: Tensor
    discount: float
    longest_silence: int | None = None


class Measured(NamedTuple):
    """Means over plants, per member: normalised discounted cost, rate, and mean squared error."""

    cost: Tensor
    rate: Tensor
    mse: Tensor


def context_of(problem: Problem, error_unit: float) -> Context:
    """Return what standardises a plant's inputs, from a fixed sample of its states.

    Parameters
    ----------
    problem
        Whose plant it is.
    error_unit
        Deviations of a one-step error that count as one.
    """
    plant, rng = problem.plant, generator(0, "context")
    relative = isinstance(plant.transition, Linear)
    if relative:
        states = np.zeros((SCENES, plant.dimension))
    else:
        states = plant.paths(rng, SCENES, 100)[50::10].reshape(-1, plant.dimension)
    scales = [
        error_unit * _first_errors(plant, states, rng),
        states.mean(0),
        states.std(0) + relative,
    ]
    return Context(*(torch.as_tensor(s, dtype=torch.float32) for s in scales), relative)


def _first_errors(plant: Plant, states: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the deviation of each state's error of prediction when noise first reaches it."""
    moved, predicted, found = states, states, np.zeros(plant.dimension)
    for _ in range(HORIZON):
        moved, predicted = plant.step(moved, rng), plant.quiet_step(predicted)
        found = np.where(found > 0, found, (moved - predicted).std(0))
    return np.where(found > 0, found, 1.0)


def inputs_of(context: Context) -> int:
    """Return how many numbers a scheduler sees."""
    return (2 if context.relative else 4) * len(context.error) + 1


def features(view: View, correction: Tensor, context: Context) -> Tensor:
    """Return what a scheduler sees, ``(members, plants, inputs)``.

    Distances of the state from the receiver's estimate and from the noise-free prediction, one
    over the age, and, unless only distances matter, state and last message.
    """
    error = (view.state - view.predicted) / context.error
    columns = [error - correction / context.error, error, 1 / view.age.unsqueeze(-1)]
    if not context.relative:
        columns += [context.standard(view.state), context.standard(view.last)]
    return torch.cat(columns, dim=-1).clamp(-FAR, FAR)


def squared(error: Tensor, weight: Tensor) -> Tensor:
    """Return weighted squared errors over leading axes."""
    return (error @ weight * error).sum(-1)


def explore(team: Team, world: World, streams: Sequence[torch.Generator], steps: int) -> Rollout:
    """Roll out with actions drawn from the actor; rewards are costs times ``-1 / (2 price)``."""
    noise, dice = world.draw(steps), _dice(streams, steps, world.plants)
    seen, logits, sent, rewards = [], [], [], []
    with torch.no_grad():
        for t in range(steps):
            view, correction, x = _look(team, world)
            logit = team.actor(x).squeeze(-1)
            send = _forced(dice[t] < logit.sigmoid(), view, team)
            loss = squared(view.state - view.predicted - correction, team.weight)
            seen.append(x)
            logits.append(logit)
            sent.append(send)
            rewards.append(-torch.where(send, team.price, loss) * 0.5 / team.price)
            world.advance(send, noise[t])
        seen.append(_look(team, world)[2])
    return Rollout(*(torch.stack(column) for column in (seen, logits, sent, rewards)))


def silences(team: Team, world: World, steps: int) -> Silences:
    """Return what silence of the deterministic schedulers looks like."""
    walk = list(decide(team, world, steps))
    columns = (
        torch.stack([step.view.last for step in walk], 1),
        torch.stack([step.view.age for step in walk], 1),
        torch.stack([step.view.state - step.view.predicted for step in walk], 1),
        torch.stack([~step.sent for step in walk], 1),
    )
    return Silences(*(column.flatten(1, 2) for column in columns))


def measure(team: Team, world: World, steps: int) -> Measured:
    """Return what the deterministic pairs cost from the start of a world on."""
    cost, sends, errors = 0.0, 0.0, 0.0
    for t, step in enumerate(decide(team, world, steps)):
        error = torch.where(step.sent, 0.0, step.loss)
        cost = cost + team.discount**t * torch.where(step.sent, team.price, error).mean(1)
        sends = sends + step.sent.float().mean(1)
        errors = errors + error.mean(1)
    share = (1 - team.discount) / (1 - team.discount**steps)
    return Measured(share * cost, sends / steps, errors / steps)


class Step(NamedTuple):
    """What was seen, decided, and the error that silence costs or would have cost."""

    view: View
    sent: Tensor
    loss: Tensor


def decide(team: Team, world: World, steps: int) -> Iterator[Step]:
    """Run deterministic schedulers, sending where the actor finds it likelier than not."""
    noise = world.draw(steps)
    with torch.no_grad():
        for t in range(steps):
            view, correction, x = _look(team, world)
            sent = _forced(team.actor(x).squeeze(-1) > 0, view, team)
            loss = squared(view.state - view.predicted - correction, team.weight)
            yield Step(view, sent, loss)
            world.advance(sent, noise[t])


def _look(team: Team, world: World) -> tuple[View, Tensor, Tensor]:
    view = world.view()
    correction = team.estimator.correction(view.last, view.age)
    return view, correction, features(view, correction, team.context)


def _forced(sent: Tensor, view: View, team: Team) -> Tensor:
    limit = team.longest_silence
    return sent if limit is None else sent | (view.age >= limit)


def _dice(streams: Sequence[torch.Generator], steps: int, plants: int) -> Tensor:
    return torch.stack([torch.rand(steps, plants, generator=g) for g in streams], dim=1)
