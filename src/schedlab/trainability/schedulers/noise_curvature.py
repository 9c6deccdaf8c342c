"""Algorithm 1 of *A Unified Noise-Curvature View of Loss of Trainability* as an LRScheduler."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from schedlab.trainability.schedulers.bounds import (
    VOLATILITIES,
    critical_step,
    curvature_step,
    gradient_noise_step,
)
from schedlab.trainability.schedulers.effective_step import effective_step, normaliser
from schedlab.trainability.schedulers.statistics import LayerStatistics

if TYPE_CHECKING:
    import pandas as pd

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"volatility": "relative", "beta": 1.0},
    "l2": {"volatility": "sharpness", "beta": 20.0},
    "crelu": {"volatility": "variance", "beta": 20.0},
    "wasserstein": {"volatility": "fourth", "beta": 20.0},
}
"""Volatility and β: as the paper writes them, and as the released code's runs used them."""

BOUNDS = ("combined", "gradient", "curvature")


@dataclass
class Layer:
    """What the scheduler keeps of one parameter group.

    Attributes
    ----------
    name
        The group's name, or ``group <i>``.
    initial_lr
        Learning rate that ``min_factor`` and ``max_factor`` are relative to.
    updates
        Calls of :meth:`NoiseCurvatureLR.step` since the group was there.
    window
        The last W values of the normalised sharpness; kept across tasks, as in the paper.
    """

    name: str
    initial_lr: float
    updates: int = 0
    window: deque[float] = field(default_factory=deque)


class NoiseCurvatureLR(LRScheduler):
    """Cool a layer's learning rate where its step exceeds what noise and curvature allow.

    One parameter group is one layer; :func:`schedlab.trainability.probe.groups_by_layer` makes
    them. Call :meth:`step` once after every update, with the probe's statistics every so often::

        groups = groups_by_layer(model, lr=1e-3)
        optimizer = torch.optim.Adam(groups)
        scheduler = NoiseCurvatureLR(optimizer)
        probe = Probe(model, optimizer, F.cross_entropy)
        for update, (inputs, targets) in enumerate(batches):
            statistics = probe.measure(inputs, targets) if update % 40 == 0 else None
            scheduler.step(statistics)  # before the update, as in the authors' code
            ...                         # zero_grad, backward, optimizer.step()

    A layer whose effective step α exceeds ``safety`` times its critical step α̃* is cooled,
    lr ← ``cool`` · lr, unless α is at most ``floor``. Early in a task a layer with
    α < ``warm_below`` · ``safety`` · α̃* is warmed. Learning rates and windows outlive tasks.
    Two schedulers must not share a parameter group.

    Parameters
    ----------
    optimizer
        Adam, AdamW, AMSGrad, or SGD with or without momentum.
    safety
        γ, table 1.
    cool, warm
        Factors c < 1 and u > 1. With few decisions a task choose c so that c to their number is
        at most about 0.1, as it is in the paper.
    floor
        Effective step below which nothing is cooled.
    early
        ρ: share of a task in which warming is allowed; the released code's 0.1, where the
        algorithm box has 0.3. Without :meth:`new_task` a task has no length and nothing warms.
    warm_below
        ω, how far below the threshold counts as "much below"; from the released code.
    window
        W: decisions over which the sharpness is averaged.
    volatility
        A name of :data:`~schedlab.trainability.schedulers.bounds.VOLATILITIES`.
    beta
        β of eq. (2). The paper has it in [0, 1]; the released runs used 20. See :data:`PRESETS`.
    normalise
        Whether sharpness is taken relative to Adam's preconditioner, as in the paper.
    bound
        ``combined`` (eq. 3), or for ablations ``gradient`` (α_g*) or ``curvature`` (τ) alone.
    elementwise
        See :func:`~schedlab.trainability.schedulers.effective_step.effective_step`.
    min_factor, max_factor
        Limits of a learning rate relative to its initial value; the paper has none.
    dry_run
        Record decisions without carrying them out.

    Raises
    ------
    ValueError
        If a constant is out of range or a name unknown.

    Attributes
    ----------
    layers
        State of every layer, in the order of the parameter groups.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        safety: float = 0.8,
        cool: float = 0.99,
        warm: float = 1.01,
        floor: float = 0.12,
        early: float = 0.1,
        warm_below: float = 0.3,
        window: int = 30,
        volatility: str = "relative",
        beta: float = 1.0,
        normalise: bool = True,
        bound: str = "combined",
        elementwise: bool = False,
        min_factor: float = 0.0,
        max_factor: float = math.inf,
        dry_run: bool = False,
    ) -> None:
        _require("safety", safety, safety > 0, "above 0")
        _require("cool", cool, 0 < cool <= 1, "in (0, 1]")
        _require("warm", warm, warm >= 1, "at least 1")
        _require("floor", floor, floor >= 0, "at least 0")
        _require("early", early, 0 <= early <= 1, "in [0, 1]")
        _require("warm_below", warm_below, 0 <= warm_below <= 1, "in [0, 1]")
        _require("window", window, window >= 1, "at least 1")
        _require("volatility", volatility, volatility in VOLATILITIES, f"of {[*VOLATILITIES]}")
        _require("beta", beta, beta >= 0, "at least 0")
        _require("bound", bound, bound in BOUNDS, f"of {BOUNDS}")
        _require("min_factor", min_factor, 0 <= min_factor <= 1, "in [0, 1]")
        _require("max_factor", max_factor, max_factor >= 1, "at least 1")
        self.safety, self.cool, self.warm, self.floor = safety, cool, warm, floor
        self.early, self.warm_below, self.window = early, warm_below, window
        self.volatility, self.beta, self.normalise = volatility, beta, normalise
        self.bound, self.elementwise = bound, elementwise
        self.min_factor, self.max_factor, self.dry_run = min_factor, max_factor, dry_run
        self.layers: list[Layer] = []
        self.task, self.task_updates, self.task_length = 0, 0, 0
        self.records: list[dict[str, Any]] = []
        super().__init__(optimizer)

    def _initial_step(self) -> None:
        """Take up the optimizer's groups; unlike other schedules this one has no first value."""
        self.last_epoch, self._step_count = 0, 0
        self._take_up_groups()
        self._last_lr = self.get_lr()

    def new_task(self, updates: int) -> None:
        """Start a task of so many updates: the warm window opens anew, nothing else changes.

        Raises
        ------
        ValueError
            If ``updates`` is below 1.
        """
        _require("updates", updates, updates >= 1, "at least 1")
        self.task, self.task_updates, self.task_length = self.task + 1, 0, updates

    def step(self, statistics: Mapping[str, LayerStatistics] | None = None) -> None:
        """Count one update and, given statistics by layer name, decide on every layer.

        A layer that the statistics leave out keeps its learning rate. Values that are not finite,
        and a zero gradient, are skipped and recorded as such.

        Raises
        ------
        ValueError
            If the statistics name a layer that the optimizer does not have.
        """
        self._take_up_groups()
        if statistics is not None:
            self._decide(statistics)
        for layer in self.layers:
            layer.updates += 1
        self.task_updates += 1
        self.last_epoch += 1
        self._step_count += 1
        self._last_lr = self.get_lr()

    def get_lr(self) -> list[float]:
        """Return every group's learning rate as it stands."""
        return [group["lr"] for group in self.optimizer.param_groups]

    @property
    def history(self) -> pd.DataFrame:
        """One row for each decision and layer.

        Columns: ``update``, ``task``, ``layer``, ``lr`` (after the decision), ``effective_step``,
        the bounds ``gradient_step`` (α_g*), ``curvature_step`` (τ) and ``critical_step`` (α̃*),
        ``sharpness`` (λ), ``normalised_sharpness`` (λ̄), ``volatility``, and ``action``, one of
        cool, warm, keep and skip.
        """
        import pandas as pd

        return pd.DataFrame(self.records)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer, in plain types that ``weights_only`` loads."""
        state = {key: value for key, value in self.__dict__.items() if key != "optimizer"}
        layers = [asdict(layer) | {"window": list(layer.window)} for layer in self.layers]
        return state | {"layers": layers, "records": list(self.records)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken; load the optimizer's state as well."""
        layers = [
            Layer(**layer | {"window": deque(layer["window"], state_dict["window"])})
            for layer in state_dict["layers"]
        ]
        self.__dict__.update(state_dict | {"layers": layers, "records": [*state_dict["records"]]})

    def _take_up_groups(self) -> None:
        for number in range(len(self.layers), len(self.optimizer.param_groups)):
            group = self.optimizer.param_groups[number]
            name = group.get("name", f"group {number}")
            if name in {layer.name for layer in self.layers}:
                raise ValueError(f"two parameter groups are called {name!r}; give each its name")
            initial = group.setdefault("initial_lr", group["lr"])
            self.layers.append(Layer(name, float(initial), window=deque(maxlen=self.window)))

    def _decide(self, statistics: Mapping[str, LayerStatistics]) -> None:
        known = [layer.name for layer in self.layers]
        if unknown := sorted(set(statistics) - set(known)):
            raise ValueError(f"statistics for unknown layer {unknown[0]!r}; there are {known}")
        groups = self.optimizer.param_groups
        scale = normaliser(self.optimizer, groups) if self.normalise else 1.0
        for layer, group in zip(self.layers, groups, strict=True):
            if layer.name in statistics:
                record = self._judge(layer, group, statistics[layer.name], scale)
                self._change(layer, group, record["action"])
                place = {"update": self.last_epoch, "task": self.task, "layer": layer.name}
                self.records.append(place | {"lr": float(group["lr"])} | record)

    def _judge(
        self, layer: Layer, group: dict[str, Any], measured: LayerStatistics, scale: float
    ) -> dict[str, Any]:
        step = effective_step(self.optimizer, group, layer.updates, elementwise=self.elementwise)
        sharpness = scale * max(measured.sharpness, 0.0)
        if not all(map(math.isfinite, (*measured, step, sharpness))):
            return {"effective_step": step, "action": "skip"}
        layer.window.append(sharpness)
        mean = sum(layer.window) / len(layer.window)
        vol = VOLATILITIES[self.volatility](sharpness, mean)
        batch, gradient_sq, variance, _ = measured
        bounds = {
            "gradient": gradient_noise_step(batch, gradient_sq, variance),
            "curvature": curvature_step(mean, (sharpness - mean) ** 2),
            "combined": critical_step(batch, gradient_sq, variance, vol, self.beta),
        }
        return {
            "effective_step": step,
            "gradient_step": bounds["gradient"],
            "curvature_step": bounds["curvature"],
            "critical_step": bounds["combined"],
            "sharpness": measured.sharpness,
            "normalised_sharpness": sharpness,
            "volatility": vol,
            "action": self._action(step, bounds[self.bound]),
        }

    def _action(self, step: float, allowed: float) -> str:
        if allowed == 0:
            return "skip"
        if step > self.safety * allowed and step > self.floor:
            return "cool"
        early = self.task_updates < self.early * self.task_length
        if early and step < self.warm_below * self.safety * allowed:
            return "warm"
        return "keep"

    def _change(self, layer: Layer, group: dict[str, Any], action: str) -> None:
        factor = {"cool": self.cool, "warm": self.warm}.get(action)
        if factor is None or self.dry_run:
            return
        low, high = (layer.initial_lr * f for f in (self.min_factor, self.max_factor))
        lr = min(max(float(group["lr"]) * factor, low), high)
        if hasattr(group["lr"], "fill_"):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def _require(name: str, value: object, holds: bool, allowed: str) -> None:
    if not holds:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
