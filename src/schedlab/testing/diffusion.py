"""What is asked of a diffusion scheduler: diffusers' interface, and the exact solution in the end.

>>> from schedlab.diffusion.schedulers import UniPCMultistepScheduler
>>> check_scheduler(UniPCMultistepScheduler)
"""

from __future__ import annotations

import functools
import inspect
import json
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from torch import Tensor

from schedlab.diffusion import worlds
from schedlab.diffusion.quiet import without_notices
from schedlab.diffusion.sampling import generate
from schedlab.testing.contract import Broken, Make, Rule, check, name_of, require, require_method

__all__ = ["SCHEDULER_RULES", "check_scheduler", "name_of"]

WORLD = worlds.gaussian(mean=(0.3, -0.2), spread=0.15)  # hardly anything beyond ±1, where some clip
STEPS, FEW, MANY = 12, 10, 500
MEAN_WITHIN = 0.02
SPREAD_WITHIN = {"deterministic": 0.03, "stochastic": 0.1}  # 400 samples scatter by 4 %

Model = Callable[[Tensor, Tensor], Tensor]


def network_for(scheduler: Any) -> Model:
    """Return the ideal network of a Gaussian world, in the form that a scheduler asks for."""
    table = getattr(scheduler, "alphas_cumprod", None)
    if table is None:
        return preconditioned(scheduler.config.sigma_data)
    kind = scheduler.config.get("prediction_type", "epsilon")
    noise = WORLD.network(table)
    bars = table.double().numpy()

    def model(x: Tensor, t: Tensor) -> Tensor:
        bar = float(np.interp(float(t), np.arange(bars.size), bars))
        alpha, sigma = bar**0.5, (1 - bar) ** 0.5
        epsilon = noise(x.double(), t)
        data = (x.double() - sigma * epsilon) / alpha
        outputs = {
            "epsilon": epsilon,
            "sample": data,
            "v_prediction": alpha * epsilon - sigma * data,
        }
        return outputs[kind].to(x.dtype)

    return model


def preconditioned(sigma_data: float) -> Model:
    """Return that network as Karras et al. 2022 precondition it, asked at ``log(sigma) / 4``."""

    def model(scaled: Tensor, t: Tensor) -> Tensor:
        sigma = float(torch.exp(4 * torch.as_tensor(t)))
        total = float(np.hypot(sigma, sigma_data))
        x = scaled.double() * total
        data = x - sigma * WORLD.epsilon(x, sigma)
        return ((data - (sigma_data / total) ** 2 * x) * total / (sigma * sigma_data)).to(scaled)

    return model


def _seeds(count: int = 400) -> Tensor:
    """Return normal seeds whose mean and covariance are exact, so that few of them tell."""
    draws = np.random.default_rng(0).standard_normal((count, 2))
    draws -= draws.mean(axis=0)
    return torch.from_numpy(draws @ np.linalg.inv(np.linalg.cholesky(np.cov(draws.T, ddof=0))).T)


def _samples(scheduler: Any, steps: int, seeds: Tensor | None = None, noise: int = 1) -> Tensor:
    start = _seeds(8) if seeds is None else seeds
    source = torch.Generator().manual_seed(noise)
    return generate(network_for(scheduler), scheduler, start, steps, generator=source)


def quietly(rule: Rule) -> Rule:
    """Return a rule that runs without diffusers' notices and leaves torch's generator alone."""

    @functools.wraps(rule)
    def run(make: Make) -> None:
        with without_notices(), torch.random.fork_rng(devices=[]):
            rule(make)

    return run


@quietly
def has_the_interface(make: Make) -> None:
    """Require diffusers' two base classes, and what its pipelines ask for."""
    scheduler = make()
    for base in (SchedulerMixin, ConfigMixin):
        require(
            isinstance(scheduler, base),
            f"{type(scheduler).__name__} must derive from diffusers' {base.__name__}",
        )
    require_method(scheduler, "set_timesteps", "scale_model_input", "step", "add_noise")
    for name in ("order", "init_noise_sigma", "timesteps", "config"):
        require(hasattr(scheduler, name), f"{type(scheduler).__name__} has no {name}")
    taken = list(inspect.signature(scheduler.step).parameters)
    require(
        taken[:3] == ["model_output", "timestep", "sample"] and "return_dict" in taken,
        "step must take model_output, timestep, sample and return_dict, as pipelines pass them; "
        f"it takes {', '.join(taken)}",
    )


@quietly
def survives_its_config(make: Make) -> None:
    """Require the same samples from what ``from_config`` and a saved folder bring back."""
    scheduler = make()
    samples, kind = _samples(scheduler, STEPS), type(scheduler)
    with tempfile.TemporaryDirectory() as folder:
        try:
            scheduler.save_pretrained(folder)
        except TypeError as error:
            raise Broken(f"its options must be plain values, which JSON holds: {error}") from error
        twins = {
            "from_config": kind.from_config(scheduler.config),
            "save_pretrained and from_pretrained": kind.from_pretrained(folder),
        }
    for way, twin in twins.items():
        for option, value in _options(scheduler).items():
            found = _options(twin).get(option)
            require(found == value, f"{way}: {option} is {found!r} instead of {value!r}")
        require(
            torch.equal(_samples(twin, STEPS), samples),
            f"{way}: other samples; each option must be an argument of a constructor with "
            "@register_to_config and nothing else may steer it",
        )


def _options(scheduler: Any) -> dict[str, Any]:
    plain = json.loads(scheduler.to_json_string())
    return {name: value for name, value in plain.items() if not name.startswith("_")}


@quietly
def lays_timesteps(make: Make) -> None:
    """Require a run of as many steps as asked for, from the noisy end, however often asked."""
    scheduler = make()
    highest = scheduler.config.num_train_timesteps - 1
    for steps in (STEPS, FEW, STEPS):
        scheduler.set_timesteps(steps)
        where = f"set_timesteps({steps})"
        found = scheduler.timesteps
        require(
            isinstance(found, Tensor) and found.ndim == 1 and len(found) >= steps - 1,
            f"{where}: timesteps must be a row of at least {steps - 1} numbers, got {found!r}",
        )
        at_most = torch.log(torch.tensor(1e9)) if _is_preconditioned(scheduler) else highest
        require(
            bool(found[0] > found[-1]) and float(found.max()) <= at_most,
            f"{where}: timesteps must fall from {highest} at most, got {found.tolist()}",
        )


def _is_preconditioned(scheduler: Any) -> bool:
    return getattr(scheduler, "alphas_cumprod", None) is None


@quietly
def keeps_shape_and_dtype(make: Make) -> None:
    """Require that a step returns what it was given in shape and dtype, and changes no input."""
    for dtype in (torch.float32, torch.float64):
        for shape in ((2, 3), (2, 1, 4, 4)):
            scheduler = make()
            scheduler.set_timesteps(STEPS)
            sample = torch.full(shape, 0.5, dtype=dtype) * float(scheduler.init_noise_sigma)
            for number, t in enumerate(scheduler.timesteps):
                where = f"step {number}, {dtype}, shape {shape}"
                sample = _checked_step(where, scheduler, t, sample)


def _checked_step(where: str, scheduler: Any, t: Tensor, sample: Tensor) -> Tensor:
    scaled = scheduler.scale_model_input(sample, t)
    require(scaled.shape == sample.shape, f"{where}: scale_model_input gives {scaled.shape}")
    output = torch.tanh(scaled).to(sample.dtype)
    before = sample.clone(), output.clone()
    moved = scheduler.step(output, t, sample).prev_sample
    for what, kept, now in zip(("sample", "output"), before, (sample, output), strict=True):
        require(torch.equal(kept, now), f"{where}: it changed the {what} that it was given")
    require(
        moved.shape == sample.shape and moved.dtype == sample.dtype,
        f"{where}: prev_sample is {moved.dtype} of shape {tuple(moved.shape)}",
    )
    require(torch.isfinite(moved).all(), f"{where}: prev_sample is not finite")
    return moved


@quietly
def returns_a_tuple_if_asked(make: Make) -> None:
    """Require that ``return_dict=False`` gives a tuple that begins with the sample."""
    samples = []
    for return_dict in (True, False):
        scheduler = make()
        scheduler.set_timesteps(STEPS)
        sample, t = _seeds(8) * float(scheduler.init_noise_sigma), scheduler.timesteps[0]
        output = torch.tanh(scheduler.scale_model_input(sample, t))
        torch.manual_seed(0)
        samples.append(scheduler.step(output, t, sample, return_dict=return_dict))
    named, plain = samples
    require(
        isinstance(plain, tuple) and torch.equal(plain[0], named.prev_sample),
        "step(..., return_dict=False) must return a tuple whose first element is prev_sample",
    )


@quietly
def draws_from_the_generator(make: Make) -> None:
    """Require equal samples for equal generators, whatever the global one holds."""
    runs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        runs.append(_samples(make(), STEPS))
    require(
        torch.equal(*runs),
        "equal seeds and an equal generator give other samples under another torch.manual_seed; "
        "step must take a generator and draw from it alone",
    )


@quietly
def begins_anew(make: Make) -> None:
    """Require that ``set_timesteps`` forgets the run before, also one that was broken off."""
    scheduler = make()
    clean = _samples(make(), STEPS)
    require(
        torch.equal(_samples(scheduler, STEPS), _samples(scheduler, STEPS)),
        "a second run with the same object differs; set_timesteps must clear what a run leaves",
    )
    scheduler.set_timesteps(FEW)
    sample = _seeds(8) * float(scheduler.init_noise_sigma)
    for t in scheduler.timesteps[:3]:
        output = torch.ones_like(scheduler.scale_model_input(sample, t))
        sample = scheduler.step(output, t, sample).prev_sample
    require(
        torch.equal(_samples(scheduler, STEPS), clean),
        "a run after one that was broken off differs; set_timesteps must clear what a run leaves",
    )


@quietly
def is_exact_for_a_gaussian(make: Make) -> None:
    """Require mean and spread of the data at many steps, from the exact network."""
    found = _samples(make(), MANY, _seeds())
    mean, spread = found.mean(dim=0), found.std(dim=0, unbiased=False)
    off = float((mean - torch.tensor(WORLD.means[0])).abs().max())
    require(
        off < MEAN_WITHIN,
        f"{MANY} steps: the samples' mean is {_row(mean)}, that of the data {WORLD.means[0]}",
    )
    few = [_samples(make(), STEPS, noise=noise) for noise in (1, 2)]
    kind = "deterministic" if torch.equal(*few) else "stochastic"
    wrong = float((spread / WORLD.spread - 1).abs().max())
    require(
        wrong < SPREAD_WITHIN[kind],
        f"{MANY} steps: the samples' deviation is {_row(spread)}, that of the data {WORLD.spread}",
    )


def _row(values: Tensor) -> str:
    return "(" + ", ".join(f"{float(value):.3g}" for value in values) + ")"


SCHEDULER_RULES: tuple[Rule, ...] = (
    has_the_interface,
    survives_its_config,
    lays_timesteps,
    keeps_shape_and_dtype,
    returns_a_tuple_if_asked,
    draws_from_the_generator,
    begins_anew,
    is_exact_for_a_gaussian,
)


def check_scheduler(make: Make) -> None:
    """Hold a diffusion scheduler to its contract.

    Its network is the exact one of a Gaussian, from the scheduler's own ``alphas_cumprod``; without
    such a table it is taken to precondition as Karras et al. 2022 do.

    Parameters
    ----------
    make
        Returns a fresh scheduler: the class, or a ``functools.partial`` with options.

    Raises
    ------
    AssertionError
        Naming each broken rule and the step.
    """
    check(make, SCHEDULER_RULES)
