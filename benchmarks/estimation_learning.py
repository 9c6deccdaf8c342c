"""Learning on thousands of plants at once against stable-baselines3 on the same plant.

Both run PPO with the same roll-out length, epochs, minibatch, networks and learning rate on S1, and
both count every step of every plant, learning included. Stable-baselines3 drives eight copies of
the gymnasium environment in a ``DummyVecEnv``, as its guide shows; ours steps all plants of all
seeds as tensors. What each has learned is checked by the same simulation. One thread each.
"""

import time
from importlib.util import find_spec

import numpy as np
import torch

from benchmarks.table import Row
from schedlab.estimation.env import RemoteEstimation
from schedlab.estimation.estimators.predictors import Predictor
from schedlab.estimation.learning.settings import TrainingSettings
from schedlab.estimation.learning.training import Member, train
from schedlab.estimation.plants import system
from schedlab.estimation.simulate import simulate

SUBJECT = "Learning to schedule, environment and learner together"
TARGET = "20 times the steps per second"
PEER_STEPS = 16_384
SETTINGS = TrainingSettings(rounds=1, iterations=8, estimator="table", check_plants=64)
SEEDS = range(5)


class PeerScheduler:
    """A policy of stable-baselines3 as a scheduler."""

    def __init__(self, model) -> None:
        self.model = model

    def act(self, obs, rng=None):
        """Return the deterministic actions."""
        return self.model.predict(obs.astype(np.float32), deterministic=True)[0] == 1


def ours() -> tuple[float, float]:
    """Return steps per second and the mean cost of what was learned."""
    problem = system("S1")
    members = [Member(seed, problem.price) for seed in SEEDS]
    start = time.perf_counter()
    found = train(problem, members, SETTINGS)
    seconds = time.perf_counter() - start
    steps = len(members) * SETTINGS.iterations * SETTINGS.plants * SETTINGS.steps
    costs = [_cost(problem, pair.scheduler, pair.estimator) for pair in found.pairs]
    return steps / seconds, float(np.mean(costs))


def peer() -> tuple[float, float]:
    """Return the same of PPO on a DummyVecEnv of eight."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    problem = system("S1")
    environments = DummyVecEnv([lambda: RemoteEstimation(problem, steps=200)] * 8)
    model = PPO(
        "MlpPolicy",
        environments,
        n_steps=SETTINGS.steps,
        batch_size=64,
        n_epochs=SETTINGS.epochs,
        learning_rate=SETTINGS.rate,
        gamma=problem.discount,
        policy_kwargs={"net_arch": SETTINGS.hidden},
        seed=0,
        device="cpu",
    )
    start = time.perf_counter()
    model.learn(PEER_STEPS)
    seconds = time.perf_counter() - start
    return PEER_STEPS / seconds, _cost(problem, PeerScheduler(model), Predictor(problem.plant))


def _cost(problem, scheduler, estimator) -> float:
    rng = np.random.default_rng(0)
    run = simulate(problem, scheduler, estimator, paths=1000, steps=150, rng=rng)
    return float(run.cost.mean())


def measure() -> list[Row]:
    """Return the ratio of learning throughputs, or a row that says what is missing."""
    if find_spec("stable_baselines3") is None:
        return [Row(SUBJECT, "not measured", "", None, TARGET, "install the extra rl")]
    torch.set_num_threads(1)
    pairs = [(ours(), peer()) for _ in range(3)]
    mine, theirs = (np.median([pair[i][0] for pair in pairs]) for i in (0, 1))
    (_, cost), (_, peer_cost) = pairs[0]
    return [
        Row(
            SUBJECT,
            f"{mine:,.0f} steps/s, five seeds in one batch, cost {cost:.3f}",
            f"stable-baselines3 PPO on a DummyVecEnv of 8, {theirs:,.0f} steps/s, "
            f"cost {peer_cost:.3f}",
            mine / theirs,
            TARGET,
            "S1 at price 2, one thread, in turns, medians of three; equal roll-out length, epochs, "
            "networks and learning rate. Ours trains 128 plants a seed with minibatches of "
            f"{SETTINGS.minibatch} a seed, the peer 8 plants with minibatches of 64.",
        )
    ]
