"""DDIM, DDPM and PNDM: classes that step through whole timesteps."""

import itertools

import numpy as np
import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from schedlab.diffusion.schedulers.core import plans
from schedlab.diffusion.schedulers.core.first_order import ddim, ddpm
from schedlab.diffusion.schedulers.core.levels import Level, of_alpha_bar
from schedlab.diffusion.schedulers.core.moves import Call, Move, State, advance
from schedlab.diffusion.schedulers.predictions import linear, to_noise
from schedlab.diffusion.schedulers.shell import (
    SolverOutput,
    SolverScheduler,
    Timestep,
    at_least_single,
)
from schedlab.diffusion.schedulers.spacing import timesteps as spaced

VARIANTS = ("reference", "corrected")


class _OnTimesteps(SolverScheduler):
    """Levels by timestep; below the first timestep lies the final one."""

    def _lay(self, steps: int) -> np.ndarray:
        config = self.config
        grid = spaced(
            config.timestep_spacing, steps, config.num_train_timesteps, config.steps_offset
        )
        return grid.astype(np.int64)

    def set_timesteps(
        self, num_inference_steps: int, device: str | torch.device | None = None
    ) -> None:
        """Lay a run of so many steps and make its coefficients.

        Raises
        ------
        ValueError
            If there are more steps than timesteps of training.
        """
        grid = self._lay(num_inference_steps)
        self.num_inference_steps = num_inference_steps
        self._bars = self.alphas_cumprod.double().tolist()
        self._start(grid, device)

    def _level(self, timestep: int) -> Level:
        if timestep >= 0:
            return of_alpha_bar(self._bars[timestep])
        return of_alpha_bar(1.0 if self.config.get("set_alpha_to_one", True) else self._bars[0])

    @property
    def _stride(self) -> int:
        return self.config.num_train_timesteps // self.num_inference_steps


class _AnyOrder(_OnTimesteps):
    """Solvers without memory, whose timesteps may come in any order and any number of times."""

    def _start(self, grid: np.ndarray, device: str | torch.device | None) -> None:
        super()._start(grid, device)
        self._places = {t: i for i, t in enumerate(self._listed)}

    def _position(self, timestep: Timestep) -> int:
        on_device = isinstance(timestep, Tensor) and timestep.device.type != "cpu"
        if on_device or self.num_inference_steps is None or int(timestep) not in self._places:
            return super()._position(timestep)  # counts, so that no step waits for the device
        self._step_index = self._places[int(timestep)]
        return self._step_index

    def _levels(self) -> list[Level]:
        return [self._level(t) for t in self._listed]


class DDIMScheduler(_AnyOrder):
    """Denoising diffusion implicit models, Song, Meng and Ermon 2021.

    Options are those of diffusers' class, and ``variant``: with ``"reference"`` a step goes to
    ``t - T // N`` as diffusers does, which is not the list's next timestep with spacing
    ``"linspace"``; with ``"corrected"`` it goes to the next in the list.
    """

    tells_data = True

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        clip_sample: bool = True,
        set_alpha_to_one: bool = True,
        steps_offset: int = 0,
        prediction_type: str = "epsilon",
        thresholding: bool = False,
        dynamic_thresholding_ratio: float = 0.995,
        clip_sample_range: float = 1.0,
        sample_max_value: float = 1.0,
        timestep_spacing: str = "leading",
        rescale_betas_zero_snr: bool = False,
        variant: str = "reference",
    ) -> None:
        self._adopt("variant", VARIANTS, ())
        self._prepare()

    def _plan(self, begin: int) -> list[Call]:
        self._by_eta: dict[float, list[Call]] = {}
        return self._calls_at(0.0)

    def _calls_at(self, eta: float) -> list[Call]:
        """Return the calls for a share of randomness, made once a run."""
        if eta not in self._by_eta:
            pairs = zip(self._levels(), self._targets(), strict=True)
            moves = [(here, target, *ddim(here, target, eta)) for here, target in pairs]
            self._by_eta[eta] = [Call(h, t, move, noise=noise) for h, t, move, noise in moves]
        return self._by_eta[eta]

    def _targets(self) -> list[Level]:
        if self.config.variant == "corrected":
            return [self._level(t) for t in (*self._listed[1:], -1)]
        return [self._level(t - self._stride) for t in self._listed]

    def step(
        self,
        model_output: Tensor,
        timestep: Timestep,
        sample: Tensor,
        eta: float = 0.0,
        use_clipped_model_output: bool = False,
        generator: torch.Generator | None = None,
        variance_noise: Tensor | None = None,
        return_dict: bool = True,
    ) -> SolverOutput | tuple[Tensor, ...]:
        """Return the next sample, as every class does, with a share of randomness if asked.

        Parameters
        ----------
        model_output, timestep, sample, generator, return_dict
            As for every class.
        eta
            Share of DDPM's randomness, 0 to 1.
        use_clipped_model_output
            Whether the noise is derived again from limited data.
        variance_noise
            Standard normal noise to use in the place of fresh one.

        Raises
        ------
        ValueError
            If both generator and noise are given.
        """
        if variance_noise is not None and generator is not None:
            raise ValueError("pass either generator or variance_noise, not both")
        i = self._position(timestep)
        call = self._calls_at(eta)[i]
        sample = at_least_single(sample)
        data = self._limited(linear(self._data[i], sample, model_output))
        if call.noise and variance_noise is None:
            variance_noise = self._fresh_noise(model_output, generator)
        if self._limits and not use_clipped_model_output:  # the noise stays as it was predicted
            predicted = linear(self._noise[i], sample, model_output)
            call = call._replace(move=Move(call.target.alpha, (call.move.keep * call.level.sigma,)))
            moved = advance(State(data), predicted, call, variance_noise).sample
        else:
            moved = advance(State(sample), data, call, variance_noise).sample
        self._step_index += 1
        return self._pack(moved.to(model_output.dtype), data, return_dict)


class DDPMScheduler(_AnyOrder):
    """Denoising diffusion probabilistic models, Ho, Jain and Abbeel 2020.

    Options are those of diffusers' class, without learned variances.
    """

    tells_data = True

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        variance_type: str = "fixed_small",
        clip_sample: bool = True,
        prediction_type: str = "epsilon",
        thresholding: bool = False,
        dynamic_thresholding_ratio: float = 0.995,
        clip_sample_range: float = 1.0,
        sample_max_value: float = 1.0,
        timestep_spacing: str = "leading",
        steps_offset: int = 0,
        rescale_betas_zero_snr: bool = False,
    ) -> None:
        self._adopt("variance_type", ("fixed_small", "fixed_large", "fixed_small_log"), ())
        self._prepare()

    def _plan(self, begin: int) -> list[Call]:
        levels = self._levels()
        calls = []
        for t, here, target in zip(
            self._listed, levels, (*levels[1:], self._level(-1)), strict=True
        ):
            move, small, large = ddpm(here, target)
            noise = large if self.config.variance_type == "fixed_large" else small
            calls.append(Call(here, target, move, noise=noise if t > 0 else 0.0))
        return calls


class PNDMScheduler(_OnTimesteps):
    """Pseudo numerical methods on manifolds, Liu et al. 2022: Runge-Kutta start, then Adams.

    With ``skip_prk_steps`` it is PLMS, which starts with one step made twice.
    """

    terms = "output"  # a v-prediction is mixed before it is converted

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        skip_prk_steps: bool = False,
        set_alpha_to_one: bool = False,
        prediction_type: str = "epsilon",
        timestep_spacing: str = "leading",
        steps_offset: int = 0,
    ) -> None:
        self._adopt("prediction_type", ("epsilon", "v_prediction"), ())
        self._prepare()

    def index_for_timestep(self, timestep: Timestep) -> int:
        """Return 0: a run of PNDM begins at its beginning."""
        return 0

    def _lay(self, steps: int) -> np.ndarray:
        grid = super()._lay(steps)
        if self.config.skip_prk_steps:
            return np.concatenate([grid[:1], grid[1:2], grid[1:]])
        if steps < 4:
            raise ValueError("PNDM's Runge-Kutta start needs 4 steps; set skip_prk_steps=True")
        half = self.config.num_train_timesteps // steps // 2
        inner = [
            (t, t_next + half, t_next + half, t_next) for t, t_next in itertools.pairwise(grid[:4])
        ]
        return np.concatenate([np.ravel(inner), grid[3:]]).astype(np.int64)

    def _plan(self, begin: int) -> list[Call]:
        calls = self._plms_calls() if self.config.skip_prk_steps else self._prk_calls()
        if self.config.prediction_type == "v_prediction":
            calls = [
                call._replace(move=_of_velocity(call, base))
                for call, base in zip(calls, self._bases, strict=True)
            ]
        return calls

    def _plms_calls(self) -> list[Call]:
        times = self._listed
        spans = [(t, t - self._stride) for t in times]
        if len(times) > 1:
            spans[1] = (times[1] + self._stride, times[1])
        pairs = [(self._level(a), self._level(b)) for a, b in spans]
        self._bases = [here for here, _ in pairs]
        return plans.plms(pairs)

    def _prk_calls(self) -> list[Call]:
        half, times, calls, self._bases = self._stride // 2, self._listed, [], []
        for block in range(3):
            inner = times[4 * block : 4 * block + 4]
            moves = [
                (self._level(inner[0]), self._level(t - (half if k % 2 == 0 else 0)))
                for k, t in enumerate(inner)
            ]
            calls += plans.runge_kutta(moves, block)
            self._bases += [moves[0][0]] * 4
        for t in times[12:]:
            here, target = self._level(t), self._level(t - self._stride)
            calls.append(plans.bashforth(here, target, 4))
            self._bases.append(here)
        return calls


def _of_velocity(call: Call, base: Level) -> Move:
    """Return a move on noise predictions as one on v-predictions, mixed before conversion."""
    keep, weight = to_noise(base, "v_prediction")
    total = sum(call.move.weights)
    return Move(call.move.keep + total * keep, tuple(weight * w for w in call.move.weights))
