"""Proximal policy optimisation of a yes-or-no decision, for all members at once.

Schulman et al., *Proximal Policy Optimization Algorithms* (2017), eqs. 7 and 9, and
*High-Dimensional Continuous Control Using Generalized Advantage Estimation* (2016), eq. 16. A
roll-out is cut, never over: the value of the state it leaves is bootstrapped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from schedlab.estimation.learning.networks import Perceptrons, clip_gradients
from schedlab.estimation.learning.settings import TrainingSettings


@dataclass(frozen=True)
class Rollout:
    """A cut piece of experience.

    Attributes
    ----------
    features
        What actor and critic saw, ``(steps + 1, members, plants, n)``; the last is where it was
        cut.
    logits, sent, rewards
        Of the steps, ``(steps, members, plants)``.
    """

    features: Tensor
    logits: Tensor
    sent: Tensor
    rewards: Tensor


@dataclass
class ActorCritic:
    """Networks of all members, their optimiser and the streams that shuffle.

    Attributes
    ----------
    actor, critic
        Logit of sending, and value.
    optimiser
        Adam over both.
    generators
        One a member.
    """

    actor: Perceptrons
    critic: Perceptrons
    optimiser: torch.optim.Adam
    generators: Sequence[torch.Generator]

    @classmethod
    def create(
        cls, inputs: int, settings: TrainingSettings, generators: Sequence[torch.Generator]
    ) -> "ActorCritic":
        """Return fresh networks; the actor starts near a fair coin."""
        widths = [inputs, *settings.hidden, 1]
        actor = Perceptrons(widths, generators, last_gain=0.01)
        critic = Perceptrons(widths, generators)
        both = [*actor.parameters(), *critic.parameters()]
        return cls(actor, critic, torch.optim.Adam(both, settings.rate, eps=1e-5), generators)

    @property
    def parameters(self) -> list[Tensor]:
        """Weights of both networks."""
        return [*self.actor.parameters(), *self.critic.parameters()]


def advantages(rewards: Tensor, values: Tensor, discount: float, gae: float) -> Tensor:
    """Return generalised advantages, bootstrapped at the cut.

    Parameters
    ----------
    rewards
        ``(steps, ...)``.
    values
        ``(steps + 1, ...)``; the last belongs to the state at which the roll-out was cut.
    discount, gae
        Discount factor, and the lambda that weighs bias against variance.
    """
    errors = rewards + discount * values[1:] - values[:-1]
    ahead, found = torch.zeros_like(errors[0]), torch.empty_like(errors)
    for t in range(len(errors) - 1, -1, -1):
        ahead = errors[t] + discount * gae * ahead
        found[t] = ahead
    return found


def update(
    nets: ActorCritic,
    rollout: Rollout,
    discount: float,
    entropy: float,
    settings: TrainingSettings,
) -> None:
    """Improve all members' networks with one roll-out each."""
    with torch.no_grad():
        values = _values(nets.critic, rollout.features)
        gain = advantages(rollout.rewards, values, discount, settings.gae)
        returns = _members_first(gain + values[:-1])
        gain = _normalised(_members_first(gain))
        chosen = _log_probability(rollout.logits, rollout.sent)
    features = _members_first(rollout.features[:-1])
    sent, chosen = _members_first(rollout.sent), _members_first(chosen)
    for index in _minibatches(nets.generators, features.shape[1], settings):
        wide = index.unsqueeze(-1).expand(-1, -1, features.shape[-1])
        seen = features.gather(1, wide)
        logits = nets.actor(seen).squeeze(-1)
        ratio = (_log_probability(logits, sent.gather(1, index)) - chosen.gather(1, index)).exp()
        loss = (
            _policy_loss(ratio, gain.gather(1, index), settings.clip)
            + settings.value_weight
            * (nets.critic(seen).squeeze(-1) - returns.gather(1, index)).square()
            - entropy * _entropy(logits)
        )
        nets.optimiser.zero_grad(set_to_none=True)
        loss.mean(1).sum().backward()  # a sum over members keeps their gradients apart
        clip_gradients(nets.parameters, settings.gradient_norm)
        nets.optimiser.step()


def _policy_loss(ratio: Tensor, gain: Tensor, clip: float) -> Tensor:
    return -torch.minimum(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain)


def _log_probability(logits: Tensor, sent: Tensor) -> Tensor:
    return logsigmoid(torch.where(sent, logits, -logits))


def _entropy(logits: Tensor) -> Tensor:
    p = logits.sigmoid()
    return -p * logsigmoid(logits) - (1 - p) * logsigmoid(-logits)


def _values(critic: Perceptrons, features: Tensor) -> Tensor:
    """Return values ``(steps, members, plants)``."""
    steps, members, plants, _ = features.shape
    flat = critic(_members_first(features)).view(members, steps, plants)
    return flat.transpose(0, 1)


def _members_first(x: Tensor) -> Tensor:
    """Turn ``(steps, members, plants, ...)`` into ``(members, steps * plants, ...)``."""
    return x.transpose(0, 1).flatten(1, 2)


def _normalised(x: Tensor) -> Tensor:
    return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-8)


def _minibatches(
    generators: Sequence[torch.Generator], samples: int, settings: TrainingSettings
) -> Iterator[Tensor]:
    """Yield indices ``(members, minibatch)``, each member's in its own order."""
    for _ in range(settings.epochs):
        order = torch.stack([torch.randperm(samples, generator=g) for g in generators])
        yield from order.split(settings.minibatch, dim=1)
