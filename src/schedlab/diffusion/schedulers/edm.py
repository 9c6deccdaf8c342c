"""Euler's method with the preconditioning of Karras et al. 2022."""

import math

import numpy as np
import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from schedlab.diffusion.schedulers import spacing
from schedlab.diffusion.schedulers.core import plans
from schedlab.diffusion.schedulers.core.first_order import ddim
from schedlab.diffusion.schedulers.core.levels import Level, exploding
from schedlab.diffusion.schedulers.core.moves import Call
from schedlab.diffusion.schedulers.predictions import Linear
from schedlab.diffusion.schedulers.shell import SolverScheduler, Timestep


class EDMEulerScheduler(SolverScheduler):
    """Euler's method for networks preconditioned as in table 1 of Karras et al. 2022."""

    tells_data = True

    @register_to_config
    def __init__(
        self,
        sigma_min: float = 0.002,
        sigma_max: float = 80.0,
        sigma_data: float = 0.5,
        sigma_schedule: str = "karras",
        num_train_timesteps: int = 1000,
        prediction_type: str = "epsilon",
        rho: float = spacing.RHO,
        final_sigmas_type: str = "zero",
    ) -> None:
        self._adopt("sigma_schedule", ("karras", "exponential"), ())
        self._adopt("prediction_type", ("epsilon", "v_prediction"), ())
        self.num_inference_steps = None
        self._lay(num_train_timesteps)
        self._rewind()

    def _lay(self, steps: int) -> np.ndarray:
        """Set sigmas and return the timesteps, ``log(sigma) / 4``."""
        config = self.config
        ends = config.sigma_max, config.sigma_min
        if config.sigma_schedule == "karras":
            ratios = spacing.sigmas("karras", *ends, steps, rho=config.rho)
        else:  # laid from the low end, as diffusers does: a single step begins there
            ratios = spacing.sigmas("exponential", *ends[::-1], steps)[::-1]
        ratios = ratios.astype(np.float32)
        final = ratios[-1] if config.final_sigmas_type == "sigma_min" else 0.0
        self._nodes = np.append(ratios, np.float32(final))
        self.sigmas = torch.from_numpy(self._nodes)
        self.timesteps = 0.25 * torch.log(torch.from_numpy(ratios))
        return self.timesteps.numpy()

    def set_timesteps(
        self, num_inference_steps: int, device: str | torch.device | None = None
    ) -> None:
        """Lay a run of so many steps and make its coefficients."""
        self.num_inference_steps = num_inference_steps
        self._start(self._lay(num_inference_steps), device)

    def _plan(self, begin: int) -> list[Call]:
        levels = exploding(self._nodes[begin:])
        return plans.multistep(
            levels, [1] * (len(levels) - 1), lambda past, to: ddim(past[0], to)[0]
        )

    def _to_data(self, level: Level) -> Linear:
        sigma, data = level.sigma, self.config.sigma_data
        sign = 1.0 if self.config.prediction_type == "epsilon" else -1.0
        total = math.hypot(sigma, data)
        return (data / total) ** 2, sign * sigma * data / total

    @property
    def init_noise_sigma(self) -> float:
        """Standard deviation of the sample that a run starts from."""
        return math.hypot(self.config.sigma_max, 1.0)

    def scale_model_input(self, sample: Tensor, timestep: Timestep | None = None) -> Tensor:
        """Return the sample times the paper's ``c_in``."""
        i = self._position(timestep)
        sigma = self._calls[i].level.sigma
        return sample * (1 / math.hypot(sigma, self.config.sigma_data))

    def _level_of(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        sigma = torch.exp(4 * timesteps)
        return torch.ones_like(sigma), sigma
