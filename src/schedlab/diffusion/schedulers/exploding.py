"""Euler, Euler ancestral, Heun and LMS: classes in the coordinates of Karras et al. 2022."""

import itertools
import math

import numpy as np
import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from schedlab.diffusion.schedulers import spacing
from schedlab.diffusion.schedulers.core import plans
from schedlab.diffusion.schedulers.core.adams import lms
from schedlab.diffusion.schedulers.core.first_order import ddim
from schedlab.diffusion.schedulers.core.levels import exploding
from schedlab.diffusion.schedulers.core.moves import Call, State, advance
from schedlab.diffusion.schedulers.noise import TINY_ALPHA_BAR
from schedlab.diffusion.schedulers.predictions import linear
from schedlab.diffusion.schedulers.shell import (
    SolverOutput,
    SolverScheduler,
    Timestep,
    at_least_single,
)
from schedlab.diffusion.schedulers.spacing import sigma_shape


class OnSigmas(SolverScheduler):
    """Levels by the ratio of noise to signal, with samples not scaled to unit variance."""

    tells_data = True

    def _prepare(self) -> None:
        super()._prepare()
        sigma_shape(self.config)
        if self.config.get("rescale_betas_zero_snr"):
            self.alphas_cumprod[-1] = TINY_ALPHA_BAR
        ratios = ((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5
        self._ratios = ratios.numpy()
        self.sigmas = torch.cat([ratios.flip(0), torch.zeros(1)])

    def set_timesteps(
        self, num_inference_steps: int, device: str | torch.device | None = None
    ) -> None:
        """Lay a run of so many steps and make its coefficients.

        Raises
        ------
        ValueError
            If there are more steps than timesteps of training.
        """
        config = self.config
        grid = spacing.timesteps(
            config.timestep_spacing,
            num_inference_steps,
            config.num_train_timesteps,
            config.steps_offset,
            rounded=False,
        ).astype(np.float32)
        self.num_inference_steps = num_inference_steps
        grid, ratios = self._shaped(grid)
        self._nodes = np.append(ratios, self._final()).astype(np.float32)
        self.sigmas = torch.from_numpy(self._nodes)
        self._start(grid.astype(np.float32), device)

    def _shaped(self, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return timesteps and ratios, laid anew where the options ask for another shape."""
        config = self.config
        ratios = np.interp(grid, np.arange(self._ratios.size), self._ratios)
        kind = sigma_shape(config)
        if not kind:
            return grid, ratios
        high, low = config.get("sigma_max") or ratios[0], config.get("sigma_min") or ratios[-1]
        ratios = spacing.sigmas(kind, float(high), float(low), grid.size)
        return spacing.timestep_of(ratios, np.log(self._ratios)), ratios

    def _final(self) -> float:
        return (
            float(self._ratios[0]) if self.config.get("final_sigmas_type") == "sigma_min" else 0.0
        )

    @property
    def init_noise_sigma(self) -> float:
        """Standard deviation of the sample that a run starts from."""
        high = float(self.sigmas.max())
        wide = self.config.timestep_spacing == "leading"
        return math.hypot(high, 1.0) if wide else high

    def scale_model_input(self, sample: Tensor, timestep: Timestep | None = None) -> Tensor:
        """Return the sample at unit variance, as the network was trained."""
        i = self._position(timestep)
        return sample * (1 / self._calls[i].level.norm)

    def _level_of(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        places = [self.index_for_timestep(t) for t in timesteps]
        sigma = torch.as_tensor([self._calls[i].level.sigma for i in places])
        return torch.ones_like(sigma), sigma


class EulerDiscreteScheduler(OnSigmas):
    """Euler's method, Karras et al. 2022, Algorithm 2 with optional churn."""

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        prediction_type: str = "epsilon",
        use_karras_sigmas: bool = False,
        use_exponential_sigmas: bool = False,
        use_beta_sigmas: bool = False,
        sigma_min: float | None = None,
        sigma_max: float | None = None,
        timestep_spacing: str = "linspace",
        steps_offset: int = 0,
        rescale_betas_zero_snr: bool = False,
        final_sigmas_type: str = "zero",
    ) -> None:
        self._prepare()

    def _plan(self, begin: int) -> list[Call]:
        return plans.multistep(
            exploding(self._nodes[begin:]), [1] * (len(self._listed) - begin), _euler
        )

    def step(
        self,
        model_output: Tensor,
        timestep: Timestep,
        sample: Tensor,
        s_churn: float = 0.0,
        s_tmin: float = 0.0,
        s_tmax: float = math.inf,
        s_noise: float = 1.0,
        generator: torch.Generator | None = None,
        return_dict: bool = True,
    ) -> SolverOutput | tuple[Tensor, ...]:
        """Return the next sample, as every class does, with noise before the step if asked.

        Parameters
        ----------
        model_output, timestep, sample, generator, return_dict
            As for every class.
        s_churn, s_tmin, s_tmax, s_noise
            Karras et al. 2022, Algorithm 2: noise that is added before a step, the range of
            sigma where it is, and its standard deviation.
        """
        i = self._position(timestep)
        level = self._calls[i].level
        gamma = min(s_churn / len(self._listed), math.sqrt(2) - 1)
        if gamma == 0 or not s_tmin <= level.sigma <= s_tmax:
            return super().step(model_output, timestep, sample, generator, return_dict)
        (churned,) = exploding([level.sigma * (1 + gamma)])
        call = plans.multistep([churned, self._calls[i].target], [1], _euler)[0]
        extra = s_noise * math.sqrt(churned.sigma**2 - level.sigma**2)
        sample = at_least_single(sample).add(
            self._fresh_noise(model_output, generator), alpha=extra
        )
        # The network saw the level before the churn, and v is read there, as diffusers does.
        seen = level if self.config.prediction_type == "v_prediction" else churned
        data = linear(self._to_data(seen), sample, model_output)
        self._step_index += 1
        moved = advance(State(sample), data, call).sample
        return self._pack(moved.to(model_output.dtype), data, return_dict)


class EulerAncestralDiscreteScheduler(OnSigmas):
    """Euler's method with the noise of the forward process put back after every step."""

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        prediction_type: str = "epsilon",
        timestep_spacing: str = "linspace",
        steps_offset: int = 0,
        rescale_betas_zero_snr: bool = False,
    ) -> None:
        self._prepare()

    def _plan(self, begin: int) -> list[Call]:
        levels, calls = exploding(self._nodes[begin:]), []
        for here, target in itertools.pairwise(levels):
            move, noise = ddim(here, target, eta=1.0)
            calls.append(Call(here, target, move, noise=noise))
        return calls


class LMSDiscreteScheduler(OnSigmas):
    """Linear multistep method of order 4, as in k-diffusion."""

    terms = "noise"

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        use_karras_sigmas: bool = False,
        use_exponential_sigmas: bool = False,
        use_beta_sigmas: bool = False,
        prediction_type: str = "epsilon",
        timestep_spacing: str = "linspace",
        steps_offset: int = 0,
    ) -> None:
        self._prepare()

    def _plan(self, begin: int) -> list[Call]:
        levels = exploding(self._nodes[begin:])
        orders = [min(i + 1, 4) for i in range(len(levels) - 1)]
        return plans.multistep(levels, orders, lms)


class HeunDiscreteScheduler(OnSigmas):
    """Heun's method, Karras et al. 2022, Algorithm 1: two evaluations a step."""

    order = 2
    terms = "noise"

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        prediction_type: str = "epsilon",
        use_karras_sigmas: bool = False,
        use_exponential_sigmas: bool = False,
        use_beta_sigmas: bool = False,
        clip_sample: bool = False,
        clip_sample_range: float = 1.0,
        timestep_spacing: str = "linspace",
        steps_offset: int = 0,
    ) -> None:
        self._prepare()

    def _start(self, grid: np.ndarray, device: str | torch.device | None) -> None:
        """List every timestep but the first twice, once for each evaluation."""
        twice = np.repeat(self._nodes[1:-1], 2)
        self.sigmas = torch.from_numpy(np.concatenate([self._nodes[:1], twice, self._nodes[-1:]]))
        super()._start(np.concatenate([grid[:1], np.repeat(grid[1:], 2)]), device)

    def _plan(self, begin: int) -> list[Call]:
        return plans.heun(exploding(self._nodes[(begin + 1) // 2 :]))


def _euler(levels: list, target: object) -> object:
    return ddim(levels[0], target)[0]
