"""Scheduler and estimator in turns: the reconstruction of CALM's joint learning."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from schedlab.estimation.learning.estimators import (
    BiasTable,
    Context,
    ResidualNetwork,
    Silences,
)
from schedlab.estimation.learning.lloyd import lloyd_biases
from schedlab.estimation.learning.networks import anneal
from schedlab.estimation.learning.pairs import Pair, pair_of
from schedlab.estimation.learning.ppo import ActorCritic, update
from schedlab.estimation.learning.rollouts import (
    Measured,
    Team,
    context_of,
    explore,
    inputs_of,
    measure,
    silences,
)
from schedlab.estimation.learning.settings import TrainingSettings
from schedlab.estimation.learning.world import World
from schedlab.estimation.plants import Problem
from schedlab.lab.seeds import generator

CONTEXTS = 64  # messages from which a network's Lloyd-style start is fitted


@dataclass(frozen=True)
class Member:
    """One training run of a batch.

    Attributes
    ----------
    seed
        Names all its random streams; members of one seed share them.
    price
        Cost of a message.
    start
        Where the estimator starts: at the noise-free prediction (``zero``) or at Lloyd's cells.
    learns
        Whether the estimator learns; otherwise only the scheduler does.
    """

    seed: int
    price: float
    start: Literal["zero", "lloyd"] = "zero"
    learns: bool = True

    def stream(self, name: str) -> np.random.Generator:
        """Return its random stream for a purpose."""
        return generator(self.seed, "learning", name)

    def torch_stream(self, name: str) -> torch.Generator:
        """Return its random stream for a purpose of torch's."""
        return torch.Generator().manual_seed(int(self.stream(name).integers(2**62)))


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes
    ----------
    members
        The runs.
    pairs
        The best pair of each member, as judged between rounds.
    history
        One row per member and round: ``seed, price, start, learns, round, env_steps, cost, rate,
        mse, fed``, the last telling whether there was silence enough to learn from.
    """

    members: list[Member]
    pairs: list[Pair]
    history: pd.DataFrame


def train(problem: Problem, members: Sequence[Member], settings: TrainingSettings) -> Trained:
    """Learn when to communicate and how to read silence, all members in parallel.

    Each round improves the scheduler against a frozen estimator, fits the estimator to the
    silences of the deterministic scheduler, and judges the pair on the same random numbers as all
    rounds; alternation by learning is not monotone, so the best pair is kept.

    Parameters
    ----------
    problem
        Plant, weight and discount; the prices are the members'.
    members
        Runs, which do not influence each other.
    settings
        Settings of the training.
    """
    s, kept = settings, _Kept(problem, members)
    team, nets = assemble(problem, members, s)
    world = World(problem, [m.stream("training") for m in members], s.plants)
    quiet = [m.stream("silences") for m in members]
    learning, rows = torch.tensor([m.learns for m in members]), []
    with tqdm(total=s.rounds * s.iterations, desc=problem.plant.name, leave=False) as bar:
        for turn in range(s.rounds):
            for _ in range(s.iterations):
                improve(team, nets, world, bar.n / bar.total, s)
                bar.update()
            found = silences(team, World(problem, quiet, s.plants), s.steps)
            fed = team.estimator.fit(found, learning)
            rows += kept.judge(team, turn, fed, s)
    return Trained(list(members), kept.pairs, pd.DataFrame(rows))


def assemble(
    problem: Problem, members: Sequence[Member], settings: TrainingSettings
) -> tuple[Team, ActorCritic]:
    """Return fresh schedulers and estimators, and the networks to be trained."""
    context = context_of(problem, settings.error_unit)
    streams = [m.torch_stream("networks") for m in members]
    nets = ActorCritic.create(inputs_of(context), settings, streams)
    team = Team(
        actor=nets.actor,
        estimator=_first_estimator(problem, members, context, settings),
        context=context,
        weight=torch.as_tensor(problem.weight, dtype=torch.float32),
        price=torch.tensor([[m.price] for m in members]),
        discount=problem.discount,
        longest_silence=settings.longest_silence,
    )
    return team, nets


def improve(
    team: Team, nets: ActorCritic, world: World, progress: float, settings: TrainingSettings
) -> None:
    """Roll out once and update the schedulers; ``progress`` runs from 0 to 1."""
    s = settings
    anneal(nets.optimiser, s.rate * (1 - progress * (1 - s.final_rate_share)))
    rollout = explore(team, world, nets.generators, s.steps)
    update(nets, rollout, team.discount, s.entropy * (1 - progress), s)


class _Kept:
    """The best pair of each member, and how good it was."""

    def __init__(self, problem: Problem, members: Sequence[Member]) -> None:
        self.problem, self.members = problem, list(members)
        self.best = np.full(len(self.members), np.inf)
        self.pairs: list[Pair] = [None] * len(self.members)

    def judge(
        self, team: Team, turn: int, fed: Tensor, settings: TrainingSettings
    ) -> list[dict[str, Any]]:
        """Measure all pairs on the random numbers of every round; keep the best."""
        streams = [m.stream("judging") for m in self.members]
        world = World(self.problem, streams, settings.check_plants)
        found = measure(team, world, settings.check_steps)
        for i in np.flatnonzero(found.cost.numpy() < self.best):
            self.best[i], self.pairs[i] = found.cost[i], pair_of(team, self.problem, i)
        steps = (turn + 1) * settings.iterations * settings.plants * settings.steps
        return [
            {**vars(member), "round": turn + 1, "env_steps": steps, **_row(found, fed, i)}
            for i, member in enumerate(self.members)
        ]


def _row(found: Measured, fed: Tensor, i: int) -> dict[str, Any]:
    numbers = {name: float(values[i]) for name, values in found._asdict().items()}
    return {**numbers, "fed": bool(fed[i])}


def _first_estimator(
    problem: Problem, members: Sequence[Member], context: Context, settings: TrainingSettings
) -> BiasTable | ResidualNetwork:
    if settings.estimator == "table":
        table = torch.cat([_lloyd_start(problem, m, settings).residual for m in members])
        return BiasTable(table, settings.fewest_silences)
    streams = [m.torch_stream("estimator") for m in members]
    network = ResidualNetwork(problem.plant.dimension, context, settings, streams)
    starts = [_lloyd_start(problem, m, settings) for m in members]
    asked = torch.tensor([m.start == "lloyd" for m in members])
    if asked.any():
        columns = zip(*(vars(start).values() for start in starts), strict=True)
        network.fit(Silences(*(torch.cat(column) for column in columns)), asked)
    return network


def _lloyd_start(problem: Problem, member: Member, settings: TrainingSettings) -> Silences:
    """Return Lloyd's biases as samples to learn from, age by age; zeros for a start at zero."""
    rng, plant, s = member.stream("lloyd"), problem.plant, settings
    contexts = 1 if s.estimator == "table" else CONTEXTS
    last = plant.paths(rng, contexts, 100)[-1] if contexts > 1 else plant.start[None]
    biases = np.zeros((s.ages, *last.shape))
    if member.start == "lloyd":
        biases = lloyd_biases(
            problem,
            last,
            member.price,
            rng,
            ages=s.ages,
            samples=max(s.lloyd_samples // contexts, 200),
            tries=s.lloyd_tries,
        )
    age = np.repeat(np.arange(1, s.ages + 1), len(last))
    messages = np.tile(last, (s.ages, 1))
    residual = biases.reshape(-1, plant.dimension)
    return Silences(
        torch.as_tensor(messages[None], dtype=torch.float32),
        torch.as_tensor(age[None]),
        torch.as_tensor(residual[None], dtype=torch.float32),
        torch.ones(1, len(age), dtype=torch.bool),
    )
