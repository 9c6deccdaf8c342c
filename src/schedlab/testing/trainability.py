"""What is asked of a scheduler of step sizes: torch's ``LRScheduler``, resumable bit for bit.

>>> import functools
>>> from torch.optim.lr_scheduler import CosineAnnealingLR
>>> check_scheduler(functools.partial(CosineAnnealingLR, T_max=20))
"""

from __future__ import annotations

import functools
import inspect
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from schedlab.testing.contract import Broken, Make, Rule, check, name_of, require, require_method
from schedlab.trainability.probe import Probe, groups_by_layer

__all__ = ["SCHEDULER_RULES", "check_scheduler", "name_of"]

UPDATES = 24
RATES = (0.02, 0.01, 0.005)
PROBED_EVERY = 4


@dataclass
class Training:
    """A small classifier under a scheduler, and the stream that its batches come from.

    Attributes
    ----------
    model, optimizer, scheduler
        What is trained, by what, at what rates.
    probe
        Measures gradient noise and curvature for schedulers that read them.
    done
        Updates so far.
    """

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler
    probe: Probe
    done: int = 0

    def batch(self) -> tuple[Tensor, Tensor]:
        """Return the batch of the coming update, which depends on its number only."""
        source = torch.Generator().manual_seed(self.done)
        inputs = torch.randn(24, 6, generator=source)
        return inputs, (inputs[:, 0] > 0).long() + (inputs[:, 1] > 0).long()

    def update(self) -> None:
        """Train on one batch and let the scheduler take its step, as the package's loops do."""
        self.advance(*self.learn())

    def learn(self) -> tuple[float, Any]:
        """Train on one batch; return its loss, and the probe's numbers where they are due."""
        if self.done % (UPDATES // 2) == 0 and hasattr(self.scheduler, "new_task"):
            self.scheduler.new_task(updates=UPDATES // 2)
        inputs, targets = self.batch()
        due = self.done % PROBED_EVERY == 0
        probed = self.probe.measure(inputs, targets) if due and self.reads("statistics") else None
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(inputs), targets)
        loss.backward()
        self.optimizer.step()
        self.done += 1
        return loss.item(), probed

    def advance(self, loss: float, probed: Any) -> None:
        """Let the scheduler take its step."""
        if self.reads("metrics"):
            self.scheduler.step(loss)
        elif self.reads("statistics"):
            self.scheduler.step(probed)
        else:
            self.scheduler.step()

    def reads(self, name: str) -> bool:
        """Return whether the scheduler's step takes an argument of this name."""
        return name in inspect.signature(self.scheduler.step).parameters

    @property
    def rates(self) -> list[float]:
        """Learning rates of the parameter groups."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    @property
    def weights(self) -> Tensor:
        """All weights in one row."""
        return torch.cat([p.detach().flatten() for p in self.model.parameters()])


def _begin(make: Make, optimizer_class: type[Optimizer]) -> Training:
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    source = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.4)
    groups = groups_by_layer(model)
    for group, rate in zip(groups, RATES, strict=True):
        group["lr"] = rate
    optimizer = optimizer_class(groups, lr=RATES[0])
    probe = Probe(model, optimizer, functools.partial(F.cross_entropy, reduction="none"))
    return Training(model, optimizer, make(optimizer), probe)


def _each(make: Make) -> Iterator[tuple[str, Training]]:
    """Yield a training under Adam and one under SGD."""
    for optimizer_class in (torch.optim.Adam, torch.optim.SGD):
        yield optimizer_class.__name__, _begin(make, optimizer_class)


def has_the_interface(make: Make) -> None:
    """Require an ``LRScheduler`` of the optimizer that it was given."""
    for name, training in _each(make):
        scheduler = training.scheduler
        require(
            isinstance(scheduler, LRScheduler),
            f"{type(scheduler).__name__} is no torch.optim.lr_scheduler.LRScheduler",
        )
        require_method(scheduler, "step", "get_last_lr", "state_dict", "load_state_dict")
        require(scheduler.optimizer is training.optimizer, f"{name}: it lost its optimizer")


def tells_the_rates_in_use(make: Make) -> None:
    """Require of ``get_last_lr`` the groups' learning rates, finite and not negative."""
    for name, training in _each(make):
        for _ in range(UPDATES):
            training.update()
            told = [float(rate) for rate in training.scheduler.get_last_lr()]
            where = f"{name}, update {training.done}"
            require(
                told == training.rates,
                f"{where}: get_last_lr says {told}, the optimizer's groups have {training.rates}",
            )
            require(
                all(math.isfinite(rate) and rate >= 0 for rate in told),
                f"{where}: a learning rate must be finite and not negative, got {told}",
            )


def changes_learning_rates_alone(make: Make) -> None:
    """Require that weights, gradients, other options and the global generator stay the same."""
    for name, training in _each(make):
        for _ in range(UPDATES):
            learned = training.learn()
            before = _everything_else(training)
            training.advance(*learned)
            for what, value in _everything_else(training).items():
                where = f"{name}, update {training.done}"
                require(_same(value, before[what]), f"{where}: its step changed {what}")


def _everything_else(training: Training) -> dict[str, Any]:
    groups = training.optimizer.param_groups
    options = [{k: v for k, v in g.items() if k not in ("lr", "params")} for g in groups]
    gradients = [p.grad for p in training.model.parameters() if p.grad is not None]
    return {
        "the weights": training.weights,
        "the gradients": torch.cat([g.flatten() for g in gradients]),
        "other options of the groups": options,
        "torch's global generator": torch.get_rng_state(),
    }


def _same(left: Any, right: Any) -> bool:
    return torch.equal(left, right) if isinstance(left, Tensor) else left == right


def is_deterministic(make: Make) -> None:
    """Require that training goes the same way whatever the global generator holds."""
    before = torch.get_rng_state()
    try:
        for (name, first), (_, second) in zip(_each(make), _each(make), strict=True):
            for training, seed in ((first, 1), (second, 2)):
                torch.manual_seed(seed)
                for _ in range(UPDATES):
                    training.update()
            _require_equal(f"{name}, trained again with another global seed", first, second)
    finally:
        torch.set_rng_state(before)


def resumes_where_it_stopped(make: Make) -> None:
    """Require that training, stopped and loaded again, goes on bit for bit."""
    for stop in (5, UPDATES // 2 + 3):
        for name, whole in _each(make):
            for _ in range(stop):
                whole.update()
            resumed = _resumed(make, whole)
            for _ in range(UPDATES - stop):
                whole.update()
                resumed.update()
                where = f"{name}, stopped after {stop} updates: update {whole.done}"
                _require_equal(where, whole, resumed)


def _resumed(make: Make, training: Training) -> Training:
    """Return a copy of a training through a file, as another process would read it."""
    file = io.BytesIO()
    parts = {
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "scheduler": training.scheduler.state_dict(),
    }
    torch.save(parts, file)
    file.seek(0)
    try:
        parts = torch.load(file, weights_only=True)
    except Exception as error:
        message = "state_dict must hold plain types, which torch.load(weights_only=True) reads"
        raise Broken(f"{message}: {str(error).splitlines()[0]}") from error
    new = _begin(make, type(training.optimizer))
    for part, state in parts.items():
        getattr(new, part).load_state_dict(state)
    new.done = training.done
    new.probe.vectors = {k: v.clone() for k, v in training.probe.vectors.items()}
    return new


def _require_equal(where: str, first: Training, second: Training) -> None:
    groups = [group["name"] for group in first.optimizer.param_groups]
    for group, left, right in zip(groups, first.rates, second.rates, strict=True):
        require(left == right, f"{where}, group {group!r}: rate {right!r} instead of {left!r}")
    require(torch.equal(first.weights, second.weights), f"{where}: the weights differ")
    told = [list(training.scheduler.get_last_lr()) for training in (first, second)]
    require(told[0] == told[1], f"{where}: get_last_lr says {told[1]} instead of {told[0]}")


def keeps_groups_apart(make: Make) -> None:
    """Require that groups with rates of their own are not all brought to one."""
    for name, training in _each(make):
        training.update()
        require(
            len(set(training.rates)) > 1,
            f"{name}: groups began with {list(RATES)} and all have {training.rates[0]:g} after "
            "one update; one parameter group is one layer, with a rate of its own",
        )


SCHEDULER_RULES: tuple[Rule, ...] = (
    has_the_interface,
    tells_the_rates_in_use,
    changes_learning_rates_alone,
    keeps_groups_apart,
    is_deterministic,
    resumes_where_it_stopped,
)


def check_scheduler(make: Make) -> None:
    """Hold a scheduler of step sizes to its contract.

    It trains a classifier of three layers, each a parameter group with a rate of its own, for 24
    updates of two tasks, under Adam and under SGD.

    Parameters
    ----------
    make
        Takes an optimizer and returns a scheduler: the class, or a ``functools.partial`` with
        options. Its ``step`` is given the loss if it takes ``metrics``, and now and then the
        probe's numbers if it takes ``statistics``.

    Raises
    ------
    AssertionError
        Naming each broken rule, the optimizer, the update and the parameter group.
    """
    check(make, SCHEDULER_RULES)
