"""Scheduler-only learning in the manner of the authors' earlier work on intermittent control.

*InterQ: A DQN Framework for Optimal Intermittent Control* (arXiv 2504.09035) learns Q(e, send) by
a deep Q-network; the receiver takes silence for missing data and never learns. Kept from its public
code: three hidden layers of GELU units, Huber loss, replay, a target copied now and then, and
exploration that fades. Traps of it that are not inherited:

- after a message the next error is the fresh noise, not zero;
- gradients are clipped before the step of the optimiser, where it has an effect;
- costs are discounted forwards in time;
- training and evaluation draw the noise of the problem;
- all plants of all members run in parallel.
"""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss
from tqdm import tqdm

from schedlab.estimation.learning.estimators import Context
from schedlab.estimation.learning.networks import Perceptrons, anneal, clip_gradients
from schedlab.estimation.learning.pairs import single
from schedlab.estimation.learning.rollouts import FAR, context_of, squared
from schedlab.estimation.learning.settings import DQNSettings
from schedlab.estimation.learning.training import Member
from schedlab.estimation.learning.world import World
from schedlab.estimation.observation import error, parts
from schedlab.estimation.plants import Problem
from schedlab.estimation.schedulers.interface import Scheduler


class DQNScheduler(Scheduler):
    """Sends where the Q-network finds it cheaper, reckoning with a receiver without biases.

    Parameters
    ----------
    network
        Values of silence and of sending, a network of one member.
    context
        What standardises its inputs.
    """

    def __init__(self, network: Perceptrons, context: Context) -> None:
        self.network, self.context = network, context

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return who sends, bool ``(n,)``."""
        seen = parts(torch.as_tensor(obs, dtype=torch.float32).unsqueeze(0))
        with torch.no_grad():
            values = self.network(_inputs(error(seen), seen.age, self.context))[0]
        return (values[:, 1] > values[:, 0]).numpy()


def learn_values(
    problem: Problem, members: Sequence[Member], settings: DQNSettings
) -> list[DQNScheduler]:
    """Train a Q-network per member against the noise-free prediction; return the schedulers."""
    s, context = settings, context_of(problem, settings.error_unit)
    streams = [m.torch_stream("dqn") for m in members]
    network = Perceptrons([len(context.error) + 1, *s.hidden, 2], streams, activation="gelu")
    target, memory = deepcopy(network), _Memory(s.replay)
    optimiser = torch.optim.Adam(network.parameters(), s.rate)
    world = World(problem, [m.stream("dqn plants") for m in members], s.plants)
    price = torch.tensor([[m.price] for m in members])
    for update in tqdm(range(s.updates), desc=f"DQN {problem.plant.name}", leave=False):
        progress = update / s.updates
        anneal(optimiser, s.rate * (1 - 0.9 * progress))
        if update % s.target_every == 0:
            target.load_state_dict(network.state_dict())
        memory.add(
            _experience(world, network, context, problem, price, _chance(progress, s), streams)
        )
        _learn(network, target, optimiser, memory.draw(s.batch, streams), problem.discount, s)
    return [DQNScheduler(single(network, i), context) for i in range(len(members))]


def _chance(progress: float, settings: DQNSettings) -> float:
    s = settings
    return s.first_chance + (s.last_chance - s.first_chance) * min(2 * progress, 1.0)


def _inputs(off: Tensor, age: Tensor, context: Context) -> Tensor:
    columns = [off / context.error, 1 / age.unsqueeze(-1)]
    return torch.cat(columns, dim=-1).clamp(-FAR, FAR)


def _experience(
    world: World,
    network: Perceptrons,
    context: Context,
    problem: Problem,
    price: Tensor,
    chance: float,
    streams: Sequence[torch.Generator],
) -> list[Tensor]:
    """Go one step on; return inputs, actions, rewards and the inputs that followed."""
    view = world.view()
    x = _inputs(view.state - view.predicted, view.age, context)
    dice = torch.stack([torch.rand(2, world.plants, generator=g) for g in streams], 1)
    with torch.no_grad():
        values = network(x)
    greedy = values[..., 1] > values[..., 0]
    sent = torch.where(dice[0] < chance, dice[1] < 0.5, greedy)
    weight = torch.as_tensor(problem.weight, dtype=torch.float32)
    loss = squared(view.state - view.predicted, weight)
    reward = -torch.where(sent, price, loss) * 0.5 / price
    world.advance(sent, world.draw(1)[0])
    after = world.view()
    return [x, sent, reward, _inputs(after.state - after.predicted, after.age, context)]


class _Memory:
    """The last steps of all plants."""

    def __init__(self, size: int) -> None:
        self.size, self.columns, self.count = size, [], 0

    def add(self, step: Sequence[Tensor]) -> None:
        if not self.columns:
            self.columns = [column.new_empty(self.size, *column.shape) for column in step]
        for kept, column in zip(self.columns, step, strict=True):
            kept[self.count % self.size] = column
        self.count += 1

    def draw(self, batch: int, streams: Sequence[torch.Generator]) -> list[Tensor]:
        """Return transitions ``(members, batch, ...)`` drawn with replacement."""
        filled, plants = min(self.count, self.size), self.columns[0].shape[2]
        pick = torch.stack([torch.randint(filled * plants, (batch,), generator=g) for g in streams])
        member = torch.arange(len(streams)).unsqueeze(1)
        return [column[pick // plants, member, pick % plants] for column in self.columns]


def _learn(
    network: Perceptrons,
    target: Perceptrons,
    optimiser: torch.optim.Adam,
    drawn: Sequence[Tensor],
    discount: float,
    settings: DQNSettings,
) -> None:
    before, sent, reward, after = drawn
    with torch.no_grad():
        goal = reward + discount * target(after).amax(-1)
    found = network(before).gather(-1, sent.long().unsqueeze(-1)).squeeze(-1)
    optimiser.zero_grad(set_to_none=True)
    loss = smooth_l1_loss(found, goal, reduction="none")
    loss.mean(1).sum().backward()
    clip_gradients(list(network.parameters()), settings.gradient_norm)
    optimiser.step()
