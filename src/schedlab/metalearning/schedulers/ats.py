"""ATS, the scheduler of *Meta-learning with an Adaptive Task Scheduler* (Yao et al., 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from schedlab.metalearning.schedulers.interface import Feedback, Scheduler, Selection, State, sample
from schedlab.metalearning.schedulers.network import SchedulerNetwork
from schedlab.metalearning.schedulers.presets import recipe
from schedlab.metalearning.schedulers.reinforce import LOG_PROBABILITIES, Advantage

FACTORS = ("both", "loss", "similarity")


class PolicyGradient(Scheduler):
    """A network that gives every candidate a logit, taught by the rewards of its selections.

    φ ← φ + γ ∇_φ log P(W; φ) (R − b), by Adam, where w = softmax(z / T). T is 1 while the network
    learns; for the real meta-update after k others it is max(T_min, decay^(k+1)). Subclasses build
    the network and call it in :meth:`logits`.

    Parameters
    ----------
    tensors, seed
        As for every scheduler.
    network
        Parameters to learn.
    preset
        Name in :data:`~schedlab.metalearning.schedulers.presets.PRESETS`.
    log_probability
        ``categorical``, as the authors' code scores draws, or ``plackett_luce``, exact without
        replacement.
    replace
        Whether a task may be drawn more than once, as in the authors' code for regression.
    overrides
        Changes to the preset, for instance ``learning_rate`` or ``validation_tasks``.

    Raises
    ------
    ValueError
        If a name is unknown.
    """

    def __init__(
        self,
        tensors: int,
        seed: int,
        network: nn.Module,
        preset: str,
        log_probability: str,
        replace: bool,
        overrides: Mapping[str, Any],
    ) -> None:
        super().__init__(tensors, seed)
        if log_probability not in LOG_PROBABILITIES:
            allowed = ", ".join(LOG_PROBABILITIES)
            raise ValueError(f"log_probability: expected one of {allowed}, got {log_probability!r}")
        self.bilevel, self.own = recipe(preset, overrides)
        self.log_probability, self.replace, self.network = log_probability, replace, network
        rate = self.own["learning_rate"]
        self.optimizer = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
        self.advantage = Advantage(self.bilevel.baseline, self.own["normalise"])

    def logits(self, state: State) -> Tensor:
        """Return z, shape ``(n,)``."""
        raise NotImplementedError

    def temperature(self, step: int) -> float:
        """Return T of the meta-update after ``step`` others."""
        return max(self.own["min_temperature"], self.own["decay"] ** (step + 1))

    @torch.no_grad()
    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return soft-max probabilities, at temperature 1 unless ``final``."""
        scale = self.temperature(state.step) if final else 1.0
        return (self.logits(state) / scale).softmax(0)

    def select(self, weights: Tensor, batch: int, generator: torch.Generator) -> Selection:
        """Draw tasks by their probabilities."""
        return sample(weights, batch, generator, self.replace)

    def update(self, feedback: Feedback) -> None:
        """Make selections with an advantage more likely."""
        if feedback.reward is None:
            raise ValueError("a scheduler that learns needs the reward of its selection")
        advantage = self.advantage(feedback.reward, feedback.reference)
        score = LOG_PROBABILITIES[self.log_probability]
        loss = -advantage * score(self.logits(feedback.state), feedback.selection)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return weights, moments and averages, copied."""
        return {
            "network": {name: value.clone() for name, value in self.network.state_dict().items()},
            "optimizer": _copy(self.optimizer.state_dict()),
            "advantage": self.advantage.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` returned."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(_copy(state["optimizer"]))
        self.advantage.load_state_dict(state["advantage"])


class ATS(PolicyGradient):
    """The adaptive task scheduler: query loss and gradient similarity in, probabilities out.

    Parameters
    ----------
    tensors, seed
        As for every scheduler.
    preset
        ``paper`` or ``fast``.
    factors
        ``both``, or for ablations the ``loss`` or the ``similarity`` alone (with the norms of query
        gradients where the preset has them).
    context
        As in :class:`~schedlab.metalearning.schedulers.network.SchedulerNetwork`.
    log_probability, replace, overrides
        As in :class:`PolicyGradient`; ``norms`` says whether norms of query gradients are a factor,
        as in the authors' classifier and not in their regressor.
    """

    def __init__(
        self,
        tensors: int,
        seed: int,
        preset: str = "paper",
        factors: str = "both",
        context: str = "tasks",
        log_probability: str = "categorical",
        replace: bool = False,
        **overrides: Any,
    ) -> None:
        _, own = recipe(preset, overrides)
        self.widths = _widths(factors, tensors, norms=own["norms"])
        network = SchedulerNetwork(self.widths, seed, context)
        super().__init__(tensors, seed, network, preset, log_probability, replace, overrides)
        self.needs = frozenset(self.widths)

    def logits(self, state: State) -> Tensor:
        """Return z of the candidates' factors."""
        factors = {name: state.field(name).view(state.size, -1) for name in self.widths}
        return self.network(factors, state.progress)


class ReweightedATS(ATS):
    """A control: the same probabilities as weights of the whole pool's losses, nothing is drawn.

    It learns as ATS does, from draws; but the real meta-update sums w_i L_i over all candidates,
    and so costs more than one on a batch.
    """

    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return soft-max probabilities, and note whether they are to be drawn from."""
        self.final = final
        return super().weights(state, final)

    def select(self, weights: Tensor, batch: int, generator: torch.Generator) -> Selection:
        """Take the whole pool where the real meta-model is updated."""
        if not self.final:
            return super().select(weights, batch, generator)
        return Selection(torch.arange(len(weights)), weights)


class UntrainedATS(ATS):
    """A control: the network with its random initial weights."""

    def __init__(self, tensors: int, seed: int, preset: str = "paper", **options: Any) -> None:
        super().__init__(tensors, seed, preset, **options)
        self.bilevel = None

    def update(self, feedback: Feedback) -> None:
        """Learn nothing."""


def _widths(factors: str, tensors: int, *, norms: bool) -> dict[str, int]:
    if factors not in FACTORS:
        raise ValueError(f"factors: expected one of {', '.join(FACTORS)}, got {factors!r}")
    widths = {"norms": tensors} if norms and factors != "loss" else {}
    if factors != "loss":
        widths["cosines"] = tensors
    return widths if factors == "similarity" else {**widths, "losses": 1}


def _copy(state: Any) -> Any:
    """Return a nested state whose tensors are copies."""
    if isinstance(state, Tensor):
        return state.clone()
    if isinstance(state, dict):
        return {name: _copy(value) for name, value in state.items()}
    return [_copy(value) for value in state] if isinstance(state, list) else state
