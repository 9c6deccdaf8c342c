"""A trained pair by itself, behind the interfaces that every scheduler and estimator has."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from schedlab.estimation.estimators.interface import Estimator
from schedlab.estimation.estimators.predictors import Predictor
from schedlab.estimation.learning.estimators import BiasTable, Context, ResidualNetwork
from schedlab.estimation.learning.networks import Perceptrons
from schedlab.estimation.learning.rollouts import Team, features
from schedlab.estimation.learning.world import View
from schedlab.estimation.observation import parts
from schedlab.estimation.plants import Problem
from schedlab.estimation.schedulers.interface import Scheduler


class LearnedScheduler(Scheduler):
    """Sends where the actor finds it likelier than not; chance is for training only.

    Parameters
    ----------
    actor
        A network of one member.
    correction
        The receiver's table or network, from which it knows the estimate that silence leaves.
    context
        What standardises its inputs.
    longest_silence
        Age at which it sends in any case.
    """

    def __init__(
        self,
        actor: Perceptrons,
        correction: BiasTable | ResidualNetwork,
        context: Context,
        longest_silence: int | None = None,
    ) -> None:
        self.actor, self.learned = actor, correction
        self.context, self.longest_silence = context, longest_silence

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return who sends, bool ``(n,)``, for observations ``(n, 4 d + 1)``."""
        sent = self._chance(obs) > 0.5
        if self.longest_silence is not None:
            sent |= obs[:, -1] >= self.longest_silence
        return sent

    def silent_probability(self, obs: np.ndarray) -> np.ndarray:
        """Return the probability of silence, 0 or 1."""
        return 1.0 - self.act(obs)

    def _chance(self, obs: np.ndarray) -> np.ndarray:
        seen = parts(torch.as_tensor(obs, dtype=torch.float32).unsqueeze(0))
        base = seen.predicted if self.context.relative else torch.zeros_like(seen.predicted)
        view = View(seen.state - base, seen.predicted - base, seen.last - base, seen.age)
        with torch.no_grad():
            correction = self.learned.correction(view.last, seen.age.long())
            x = features(view, correction, self.context)
            return self.actor(x)[0, :, 0].sigmoid().numpy()


class LearnedEstimator(Estimator):
    """Adds what was learned of silence to the noise-free prediction.

    Parameters
    ----------
    problem
        Plant whose prediction is corrected.
    correction
        A table or a network of one member.
    """

    def __init__(self, problem: Problem, correction: BiasTable | ResidualNetwork) -> None:
        self.learned, self.base = correction, Predictor(problem.plant)

    def predict(self, last: np.ndarray, age: np.ndarray) -> np.ndarray:
        """Return estimates ``(n, d)`` for messages ``(n, d)`` of some ages ``(n,)``."""
        return self.base.predict(last, age) + self._added(last, age)

    def reset(self, start: np.ndarray) -> None:
        """Begin with known states."""
        super().reset(start)
        self.base.reset(start)

    def propose(self) -> np.ndarray:
        """Go one step on."""
        quiet = self.base.propose()
        self.proposal = quiet + self._added(self.base.last, self.base.age)
        return self.proposal

    def listen(self, states: np.ndarray, sent: np.ndarray) -> np.ndarray:
        """Take messages; elsewhere keep the proposal."""
        self.base.listen(states, sent)
        return np.where(sent[:, None], states, self.proposal)

    def _added(self, last: np.ndarray, age: np.ndarray) -> np.ndarray:
        message = torch.as_tensor(last, dtype=torch.float32).unsqueeze(0)
        with torch.no_grad():
            return self.learned.correction(message, torch.as_tensor(age).long()[None])[0].numpy()

    def biases(self, ages: int) -> np.ndarray:
        """Return what is added at each age after the plant's start was sent, ``(ages, d)``."""
        last = np.tile(self.base.plant.start, (ages, 1))
        age = np.arange(1, ages + 1)
        return self._added(last, age)


@dataclass(frozen=True)
class Pair:
    """A scheduler and the estimator that knows how to read its silence."""

    scheduler: LearnedScheduler
    estimator: LearnedEstimator


def pair_of(team: Team, problem: Problem, member: int) -> Pair:
    """Return a copy of one member's pair as it is now."""
    actor, correction = single(team.actor, member), _own(team.estimator, member)
    scheduler = LearnedScheduler(actor, correction, team.context, team.longest_silence)
    return Pair(scheduler, LearnedEstimator(problem, correction))


def single(network: Perceptrons, member: int) -> Perceptrons:
    """Return a copy of one member's network."""
    return _narrowed(copy.deepcopy(network), member)


def _narrowed(network: Perceptrons, member: int) -> Perceptrons:
    for name in ("weights", "biases"):
        kept = [_one(p, member) for p in getattr(network, name)]
        setattr(network, name, nn.ParameterList(kept))
    return network


def _one(parameter: Tensor, member: int) -> Tensor:
    return parameter.detach()[member : member + 1].clone()


def _own(estimator: BiasTable | ResidualNetwork, member: int) -> BiasTable | ResidualNetwork:
    if isinstance(estimator, BiasTable):
        return BiasTable(_one(estimator.biases, member), estimator.fewest)
    own = copy.copy(estimator)
    own.network = single(estimator.network, member)
    return own
