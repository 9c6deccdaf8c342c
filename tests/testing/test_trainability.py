"""Schedulers of step sizes: published ones keep their contract, broken ones are told why not."""

from functools import partial

import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import ExponentialLR

from schedlab.testing.trainability import check_scheduler
from schedlab.trainability.schedulers import PRESETS, SCHEDULERS, NoiseCurvatureLR

OPTIONS = {"cosine": {"T_max": 20}, "cosine_restarts": {"T_0": 7}, "plateau": {"patience": 2}}
BUSY = {"floor": 0, "window": 3, "cool": 0.9, "warm": 1.1, "early": 1.0}  # decides all the time
OTHERS = {
    "l2": partial(NoiseCurvatureLR, **PRESETS["l2"], **BUSY),
    "fourth, gradient alone": partial(NoiseCurvatureLR, volatility="fourth", bound="gradient"),
    "torch's steps": partial(lr_scheduler.StepLR, step_size=3),
    "torch's cycle": partial(
        lr_scheduler.CyclicLR,
        base_lr=[0.01, 0.02, 0.03],
        max_lr=[0.1, 0.2, 0.3],
        cycle_momentum=False,
    ),
}


@pytest.mark.parametrize("name", [*SCHEDULERS, *OTHERS])
def test_every_published_scheduler_keeps_its_contract(name):
    check_scheduler(OTHERS.get(name) or partial(SCHEDULERS[name], **OPTIONS.get(name, {})))


class Decay(ExponentialLR):
    def __init__(self, optimizer):
        super().__init__(optimizer, gamma=0.9)


class Forgetful(Decay):
    """Decays faster with every update, and saves nothing of that."""

    hurry = 1.0

    def step(self, epoch=None):
        self.hurry = self.hurry * 0.99
        super().step()
        for group in self.optimizer.param_groups:
            group["lr"] *= self.hurry
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self):
        return {key: value for key, value in super().state_dict().items() if key != "hurry"}


class Pickled(Decay):
    def state_dict(self):
        return super().state_dict() | {"me": Decay}


class Untold(Decay):
    """Changes rates and says so to nobody."""

    def step(self, epoch=None):
        super().step()
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.9


class Negative(Decay):
    def get_lr(self):
        return [0.02 - 0.001 * self.last_epoch * 2 for _ in self.base_lrs]


class Levelling(Decay):
    def get_lr(self):
        return [0.01 * 0.9**self.last_epoch for _ in self.base_lrs]


class Shrinking(Decay):
    """Shrinks the weights, which is a remedy and not a schedule."""

    def step(self, epoch=None):
        super().step()
        with torch.no_grad():
            for group in self.optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.mul_(0.999)


class Random(Decay):
    def get_lr(self):
        return [rate * float(torch.rand(())) for rate in self.base_lrs]


class Decaying(Decay):
    def step(self, epoch=None):
        super().step()
        for group in self.optimizer.param_groups:
            group["weight_decay"] += 0.01


class Lookalike:
    def __init__(self, optimizer):
        self.optimizer = optimizer

    def step(self):
        pass


class Stranger(Decay):
    """Schedules a copy of the optimizer."""

    def __init__(self, optimizer):
        super().__init__(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1))


WHERE = r"(Adam|SGD), update \d+: "


@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
@pytest.mark.parametrize(
    ("broken", "rule", "words"),
    [
        (
            Forgetful,
            "resumes_where_it_stopped",
            r"Adam, stopped after 5 updates: update 6, group '0': rate \S+ instead of \S+",
        ),
        (Pickled, "resumes_where_it_stopped", r"state_dict must hold plain types.*weights_only"),
        (Untold, "tells_the_rates_in_use", WHERE + r"get_last_lr says .*, the optimizer's groups"),
        (Negative, "tells_the_rates_in_use", WHERE + "a learning rate must be finite and not neg"),
        (Levelling, "keeps_groups_apart", r"groups began with .* and all have 0.009 after one"),
        (Shrinking, "changes_learning_rates_alone", WHERE + "its step changed the weights"),
        (Random, "is_deterministic", r"another global seed, group '0': rate \S+ instead of"),
        (Random, "changes_learning_rates_alone", "its step changed torch's global generator"),
        (Decaying, "changes_learning_rates_alone", "its step changed other options of the group"),
        (Lookalike, "has_the_interface", "Lookalike is no torch.optim.lr_scheduler.LRScheduler"),
        (Stranger, "has_the_interface", "it lost its optimizer"),
    ],
)
def test_a_broken_scheduler_is_told_what_it_breaks_and_where(expect_broken, broken, rule, words):
    expect_broken(check_scheduler, broken, rule, words)
