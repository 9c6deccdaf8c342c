"""BASS: task scheduling as a contextual bandit with an exploiting and an exploring network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from schedlab.metalearning.schedulers.interface import Feedback, Scheduler, State, top_weights
from schedlab.metalearning.schedulers.presets import recipe
from schedlab.metalearning.schedulers.reinforce import Advantage

RATES = (0.01, 0.001)  # Adam, of the exploiting and the exploring network


class BASS(Scheduler):
    """The B highest α f₁ + f₂: an estimate of the reward, and of what that estimate misses.

    Qi et al., *Meta-learning with neural bandit scheduler* (NeurIPS 2023), after the public code:
    f₁ reads a task's effect on the meta-parameters, f₂ the gradient of f₁ for support and query
    set. f₁ is fitted to the reward r of a step on the task alone, f₂ to α (r − f₁) + (1 − α) L
    with the validation loss L, by Adam on the last rewards, every few steps.

    Ours, so that it stands on the footing of the others: rewards come from the clean validation
    tasks, not from other candidates; a context is the change of the head, −(g_s + g_q) up to its
    scale, not the changed parameters, which hardly differ between tasks; r is the change of the
    validation loss over its moving size, not 10 exp(−10⁻⁴ exp(5 L)), which is flat at small losses;
    a fit goes over whole buffers.

    Parameters
    ----------
    tensors, seed
        As for every scheduler.
    preset
        How rewards are measured, as for ATS; the baseline is always paired.
    alpha
        α in [0, 1].
    width, hidden
        Numbers to which contexts and gradients are averaged, and hidden units of both networks.
    buffer
        How many of the last rewards are remembered.
    every, fits
        Steps between two fits, and steps of Adam in one.
    overrides
        Changes to the preset.

    Raises
    ------
    ValueError
        If α is out of range.
    """

    needs = frozenset({"support_gradients", "query_gradients", "task_rewards"})

    def __init__(
        self,
        tensors: int,
        seed: int,
        preset: str = "fast",
        alpha: float = 0.5,
        width: int = 64,
        hidden: int = 200,
        buffer: int = 300,
        every: int = 10,
        fits: int = 30,
        **overrides: Any,
    ) -> None:
        super().__init__(tensors, seed)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha: expected a number in [0, 1], got {alpha}")
        self.bilevel, _ = recipe(preset, {"warm_up": 0, "baseline": "paired", **overrides})
        self.alpha, self.width, self.buffer = alpha, width, buffer
        self.every, self.fits, self.updates = every, fits, 0
        with torch.random.fork_rng(devices=[]):  # modules draw from the global generator
            torch.manual_seed(seed)
            self.exploit, self.explore = _network(width, hidden), _network(2 * width, hidden)
        self.scale = Advantage("none", normalise=True)
        self.memory = {"context": torch.zeros(0, width), "gradient": torch.zeros(0, 2 * width)}
        self.memory |= {"reward": torch.zeros(0), "missed": torch.zeros(0)}

    @torch.no_grad()
    def weights(self, state: State, final: bool = False) -> Tensor:
        """Return equal weights on the B highest scores."""
        context, gradient = self._arms(state)
        score = self.alpha * self.exploit(context) + self.explore(gradient)
        return top_weights(score.squeeze(1), state.batch)

    @torch.no_grad()
    def update(self, feedback: Feedback) -> None:
        """Remember the rewards of the selected tasks, and now and then fit both networks."""
        if feedback.task_rewards is None or feedback.reference is None:
            raise ValueError("BASS needs the reward of every selected task and the reference")
        changes = (feedback.task_rewards - feedback.reference).tolist()
        rewards = torch.tensor([self.scale(change) for change in changes])
        context, gradient = (a[feedback.selection.indices] for a in self._arms(feedback.state))
        surprise = rewards - self.exploit(context).squeeze(1)
        missed = self.alpha * surprise - (1 - self.alpha) * feedback.task_rewards
        self._remember(context=context, gradient=gradient, reward=rewards, missed=missed)
        self.updates += 1
        if self.updates % self.every == 0:
            self._fit(self.exploit, "context", "reward", RATES[0])
            self._fit(self.explore, "gradient", "missed", RATES[1])

    def _arms(self, state: State) -> tuple[Tensor, Tensor]:
        """Return contexts, and gradients of f₁ at them for support and query set."""
        support = self._context(state.field("support_gradients"))
        both = state.field("support_gradients") + state.field("query_gradients")
        query = self._context(both)
        gradients = [self._pooled(parameter_gradients(self.exploit, x)) for x in (support, query)]
        return query, torch.cat(gradients, 1)

    def _context(self, gradients: Tensor) -> Tensor:
        return functional.normalize(self._pooled(-gradients), dim=1)

    def _pooled(self, values: Tensor) -> Tensor:
        return functional.adaptive_avg_pool1d(values[None], self.width)[0]

    def _remember(self, **new: Tensor) -> None:
        for name, values in new.items():
            self.memory[name] = torch.cat([self.memory[name], values])[-self.buffer :].clone()

    @torch.enable_grad()
    def _fit(self, network: nn.Module, inputs: str, target: str, rate: float) -> None:
        optimizer = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
        for _ in range(self.fits):
            error = network(self.memory[inputs]).squeeze(1) - self.memory[target]
            optimizer.zero_grad()
            error.square().mean().backward()
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return both networks and what they were fitted to."""
        nets = {"exploit": self.exploit, "explore": self.explore}
        copies = {
            name: {key: value.clone() for key, value in net.state_dict().items()}
            for name, net in nets.items()
        }
        scale = self.scale.state_dict()
        return {**copies, "memory": dict(self.memory), "scale": scale, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` returned."""
        self.exploit.load_state_dict(state["exploit"])
        self.explore.load_state_dict(state["explore"])
        self.memory, self.updates = dict(state["memory"]), state["updates"]
        self.scale.load_state_dict(state["scale"])


def _network(inputs: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def parameter_gradients(network: nn.Sequential, inputs: Tensor) -> Tensor:
    """Return the gradient of a network's output with respect to its parameters, per input.

    Parameters
    ----------
    network
        Linear, rectifier, linear to one number.
    inputs
        Shape ``(n, d)``.

    Returns
    -------
    Shape ``(n, parameters)``, in the order of ``network.parameters()``.
    """
    first, _, last = network
    hidden = first(inputs)
    bias = last.weight * (hidden > 0)
    weight = (bias[:, :, None] * inputs[:, None, :]).flatten(1)
    ones = torch.ones(len(inputs), 1)
    return torch.cat([weight, bias, hidden.relu(), ones], 1).detach()
