"""From samples back to the seeds they came from, for every deterministic scheduler.

A scheduler without memory (DDIM, Euler) is inverted step by step: the noisier sample ``z`` of a
step solves ``z = F(z)``, where ``F`` undoes the step with the network asked at ``z``. A scheduler
with memory has no such step, so the whole run ``G`` is inverted: the seed ``z`` solves
``z = z + B(x) - B(G(z))``, where ``B``, DDIM's inversion on the same grid, undoes ``G`` nearly.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from schedlab.diffusion.sampling import Model, generate
from schedlab.diffusion.schedulers.core.adams import transfer
from schedlab.diffusion.schedulers.core.moves import Call, Move, combine
from schedlab.diffusion.schedulers.predictions import linear, to_noise

METHODS = ("ddim", "fixed_point", "newton")
Residual = Callable[[Tensor], Tensor]


def invert(
    model: Model,
    scheduler: Any,
    samples: Tensor,
    steps: int,
    method: str = "ddim",
    *,
    iterations: int = 3,
    guidance: float = 0.1,
    leading: int = 1,
) -> Tensor:
    """Return seeds that the scheduler takes to the samples, or near them.

    Parameters
    ----------
    model
        ``model(x, t)`` as for :func:`schedlab.diffusion.sampling.generate`.
    scheduler
        One of our deterministic schedulers, without limits on the data.
    samples
        What a run should end in.
    steps
        Number of inference steps of the run.
    method
        ``"ddim"``, DDIM's inversion (Song, Meng and Ermon 2021, section 5.4): one evaluation a
        step, at the cleaner sample and the noisier timestep. ``"fixed_point"`` iterates the
        equation above. ``"newton"`` takes Newton steps on the size of its residual (Samuel et al.
        2025).
    iterations
        Rounds of the last two.
    guidance
        Weight of the pull towards likely samples in ``"newton"``, at least 0.
    leading
        Number of axes that number the samples.

    Raises
    ------
    ValueError
        If the method is unknown or the scheduler adds noise.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; allowed are {', '.join(METHODS)}")
    scheduler.set_timesteps(steps, device=samples.device)
    if any(call.noise for call in scheduler.calls):
        raise ValueError(f"{type(scheduler).__name__} adds noise, so its runs have no inverse")
    if method == "ddim":
        return _undo(model, scheduler, samples) / scheduler.init_noise_sigma
    if all(_without_memory(call) for call in scheduler.calls):
        solve = _solver(method, iterations, guidance, leading)
        return _step_by_step(model, scheduler, samples, solve) / scheduler.init_noise_sigma
    return _whole_run(
        model, scheduler, samples, steps, _solver(method, iterations, guidance, leading)
    )


def _solver(
    method: str, iterations: int, guidance: float, leading: int
) -> Callable[[Residual, Residual, Tensor], Tensor]:
    def solve(residual: Residual, unlikeliness: Residual, start: Tensor) -> Tensor:
        if method == "fixed_point":
            return fixed_point(residual, start, iterations, leading)
        return newton(residual, unlikeliness, start, iterations, guidance, leading)

    return solve


def fixed_point(residual: Residual, start: Tensor, iterations: int, leading: int = 1) -> Tensor:
    """Return the best of ``z + residual(z)``, iterated from a start.

    Parameters
    ----------
    residual
        What is to vanish.
    start
        First guess.
    iterations
        Rounds.
    leading
        Axes that number the items; each keeps its own best.
    """
    z, best, least = start, start, None
    for _ in range(iterations + 1):
        step = residual(z)
        best, least = _better(z, step, best, least, leading)
        z = z + step
    return best


def newton(
    residual: Residual,
    unlikeliness: Residual,
    start: Tensor,
    iterations: int,
    guidance: float = 0.1,
    leading: int = 1,
) -> Tensor:
    """Return the best of Newton steps on the summed absolute residual of each item.

    Each coordinate moves by ``-loss / (D * slope)``, Samuel et al. 2025 (regularised Newton-Raphson
    inversion), where ``D`` is the number of coordinates. Reconstruction: the form of the
    likelihood term is ours.

    Parameters
    ----------
    residual, unlikeliness
        What is to vanish, and what should be small, by coordinate.
    start
        First guess.
    iterations
        Rounds.
    guidance
        Weight of ``unlikeliness``.
    leading
        Axes that number the items.
    """
    z, best, least = start, start, None
    for _ in range(iterations + 1):
        with torch.enable_grad():
            point = z.detach().requires_grad_()
            step = residual(point)
            loss = _sum(step.abs() + guidance * unlikeliness(point), leading)
            (slope,) = torch.autograd.grad(loss.sum(), point)
        best, least = _better(z, step.detach(), best, least, leading)
        count = z[(0,) * leading].numel()
        reach = (loss.detach() / count).reshape(loss.shape + (1,) * (z.ndim - leading))
        z = z - reach * slope.sign() / slope.abs().clamp(min=0.5)  # a flat slope would throw it far
    return best


def _sum(values: Tensor, leading: int) -> Tensor:
    return values.flatten(leading).sum(-1)


def _better(
    z: Tensor, residual: Tensor, best: Tensor, least: Tensor | None, leading: int
) -> tuple[Tensor, Tensor]:
    """Return, item by item, the point of the smaller residual."""
    size = _sum(residual.abs(), leading)
    if least is None:
        return z, size
    wins = size < least
    chosen = wins.reshape(wins.shape + (1,) * (z.ndim - leading))
    return torch.where(chosen, z, best), torch.minimum(size, least)


def _without_memory(call: Call) -> bool:
    return len(call.move.weights) == 1 and not call.from_anchor and not call.correct


def _backwards(scheduler: Any) -> Iterator[tuple[Call, Tensor]]:
    """Yield the calls that bring the sample to a cleaner level, the last first."""
    for call, t in reversed(list(zip(scheduler.calls, scheduler.timesteps, strict=True))):
        if call.target.ratio < call.level.ratio:
            yield call, t


def _noise(model: Model, scheduler: Any, call: Call, t: Tensor, x: Tensor) -> Tensor:
    """Return the noise that the network sees in ``x`` when told that it is at a call's level."""
    output = model(x / call.level.norm, t)
    return linear(to_noise(call.level, scheduler.config.prediction_type), x, output)


def _undo(model: Model, scheduler: Any, samples: Tensor) -> Tensor:
    """Return the noisiest sample by DDIM's inversion on the scheduler's grid."""
    x = samples
    for call, t in _backwards(scheduler):
        noise = _noise(model, scheduler, call, t, _moved_to(call, x))
        x = combine(transfer(call.target, call.level, (1.0,)), x, (noise,))
    return x


def _moved_to(call: Call, x: Tensor) -> Tensor:
    """Return a cleaner sample as it is, for the network is told the noisier timestep.

    In exploding coordinates it is scaled so that its size fits what the network is told.
    """
    return x * (call.level.norm / call.target.norm)


def _step_by_step(
    model: Model,
    scheduler: Any,
    samples: Tensor,
    solve: Callable[[Residual, Residual, Tensor], Tensor],
) -> Tensor:
    x = samples
    for call, t in _backwards(scheduler):
        back = transfer(call.target, call.level, (1.0,))
        x = solve(
            _step_residual(model, scheduler, call, t, back, x),
            _forward_marginal(call, x),
            _moved_to(call, x),
        )
    return x


def _step_residual(
    model: Model, scheduler: Any, call: Call, t: Tensor, back: Move, x: Tensor
) -> Residual:
    return lambda z: combine(back, x, (_noise(model, scheduler, call, t, z),)) - z


def _forward_marginal(call: Call, x: Tensor) -> Residual:
    """Return the squared distance from what noising ``x`` gives, in standard deviations, halved."""
    keep = call.level.alpha / call.target.alpha
    variance = call.level.sigma**2 - (keep * call.target.sigma) ** 2
    return lambda z: (z - keep * x).square() / (2 * variance)


def _whole_run(
    model: Model,
    scheduler: Any,
    samples: Tensor,
    steps: int,
    solve: Callable[[Residual, Residual, Tensor], Tensor],
) -> Tensor:
    """Return the seed whose run ends in the samples."""
    scale = scheduler.init_noise_sigma
    start = _undo(model, scheduler, samples) / scale

    def residual(z: Tensor) -> Tensor:
        return start - _undo(model, scheduler, generate(model, scheduler, z, steps)) / scale

    return solve(residual, lambda z: z.square() / 2, start)
