"""What all classes share: diffusers' interface around a plan of calls.

``set_timesteps`` makes every coefficient of the run in float64; ``step`` only multiplies and adds
tensors, in the dtype of the sample (float32 where that is half precision).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin
from diffusers.schedulers.scheduling_utils import (
    KarrasDiffusionSchedulers,
    SchedulerMixin,
    SchedulerOutput,
)
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from schedlab.diffusion.schedulers import noise as noise_schedule
from schedlab.diffusion.schedulers.core.levels import Level
from schedlab.diffusion.schedulers.core.moves import Call, State, advance
from schedlab.diffusion.schedulers.predictions import (
    PREDICTION_TYPES,
    Linear,
    linear,
    threshold,
    to_data,
    to_noise,
)

Timestep = int | float | Tensor


@dataclass
class SolverOutput(SchedulerOutput):
    """What ``step`` returns: the next sample, and the data predicted on the way where known."""

    prev_sample: Tensor
    pred_original_sample: Tensor | None = None


class SolverScheduler(SchedulerMixin, ConfigMixin):
    """A solver behind the interface of diffusers.

    A subclass registers its options, lays its grid in ``set_timesteps``, and says in ``_plan``
    which calls follow.

    Attributes
    ----------
    terms
        ``"data"`` or ``"noise"``, what the moves weigh; ``"output"`` for the network's own output.
    tells_data
        Whether ``step`` also returns the predicted data.
    """

    _compatibles: ClassVar[list[str]] = [member.name for member in KarrasDiffusionSchedulers]
    order = 1
    terms = "data"
    tells_data = False

    def _prepare(self) -> None:
        """Lay the noise schedule of training; called once the options are registered."""
        config = self.config
        if config.prediction_type not in PREDICTION_TYPES:
            raise ValueError(
                f"prediction_type: {config.prediction_type!r} is unknown; "
                f"allowed are {', '.join(PREDICTION_TYPES)}"
            )
        self.betas = noise_schedule.betas(
            config.beta_schedule,
            config.beta_start,
            config.beta_end,
            config.num_train_timesteps,
            config.trained_betas,
        )
        if config.get("rescale_betas_zero_snr"):
            self.betas = noise_schedule.without_signal_at_the_end(self.betas)
        self.alphas = 1.0 - self.betas
        self.alphas_cumprod = torch.cumprod(self.alphas, dim=0)
        self.num_inference_steps: int | None = None
        count = config.num_train_timesteps
        self.timesteps = torch.from_numpy(np.arange(count, dtype=np.int64)[::-1].copy())
        self._calls: list[Call] = []
        self._begin_index: int | None = None
        self._rewind()

    def _rewind(self) -> None:
        self._step_index: int | None = None
        self._state = State(torch.empty(0))

    def _start(self, grid: np.ndarray, device: str | torch.device | None) -> None:
        """Begin a run over these timesteps."""
        self.timesteps = torch.from_numpy(grid).to(device)
        self._listed = grid.tolist()
        self._begin_index = None
        self._plan_from(0)

    def _plan_from(self, begin: int) -> None:
        self._planned_from = begin
        self._calls = self._plan(begin)
        self._data = [self._to_data(call.level) for call in self._calls]
        self._noise = [self._to_noise(call.level) for call in self._calls]
        self._rewind()

    def _plan(self, begin: int) -> list[Call]:
        """Return the calls of a run that begins at an index of ``timesteps``."""
        raise NotImplementedError

    def _to_data(self, level: Level) -> Linear:
        return to_data(level, self.config.prediction_type)

    def _to_noise(self, level: Level) -> Linear:
        return to_noise(level, self.config.prediction_type)

    @property
    def init_noise_sigma(self) -> float:
        """Standard deviation of the sample that a run starts from."""
        return 1.0

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls of the run: their levels, targets and coefficients."""
        return tuple(self._calls)

    @property
    def step_index(self) -> int | None:
        """Index of the coming call, or ``None`` before the first."""
        return self._step_index

    @property
    def begin_index(self) -> int | None:
        """Index of the first call where a pipeline has set it."""
        return self._begin_index

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Say where in ``timesteps`` a run begins, as image-to-image pipelines do."""
        self._begin_index = begin_index

    def index_for_timestep(self, timestep: Timestep) -> int:
        """Return the index of a timestep; of its second place where it is listed twice.

        Raises
        ------
        ValueError
            If the run does not visit it.
        """
        value = timestep.item() if isinstance(timestep, Tensor) else timestep
        places = [i for i, listed in enumerate(self._listed) if listed == value]
        if not places:
            raise ValueError(
                f"timestep {value} is not among this run's; pass an element of scheduler.timesteps"
            )
        return places[1] if len(places) > 1 else places[0]

    def _position(self, timestep: Timestep) -> int:
        """Return the index of the coming call; only the first one looks at the timestep."""
        if self.num_inference_steps is None:
            raise ValueError("the run has no steps yet; call set_timesteps(n) first")
        if self._step_index is None:
            begin = self._begin_index
            begin = self.index_for_timestep(timestep) if begin is None else begin
            if begin != self._planned_from:
                self._plan_from(begin)
            self._step_index = begin
        if self._step_index - self._planned_from >= len(self._calls):
            raise ValueError("this run is over; call set_timesteps(n) for another")
        return self._step_index - self._planned_from

    def scale_model_input(self, sample: Tensor, timestep: Timestep | None = None) -> Tensor:
        """Return the sample as the network expects it."""
        return sample

    def step(
        self,
        model_output: Tensor,
        timestep: Timestep,
        sample: Tensor,
        generator: torch.Generator | None = None,
        return_dict: bool = True,
    ) -> SolverOutput | tuple[Tensor, ...]:
        """Return the next sample from the network's output at this one.

        Parameters
        ----------
        model_output
            What the network says of ``scale_model_input(sample, timestep)``.
        timestep
            Element of ``timesteps``.
        sample
            Current sample, not scaled.
        generator
            Source of noise, for a solver that adds some.
        return_dict
            Whether to return an object rather than a tuple.

        Raises
        ------
        ValueError
            Without ``set_timesteps`` before, or for a timestep that the run does not visit.
        """
        i = self._position(timestep)
        call = self._calls[i]
        sample = at_least_single(sample)
        prediction, data = self._predict(i, call, sample, model_output)
        noise = self._fresh_noise(model_output, generator) if call.noise else None
        self._state = advance(self._state._replace(sample=sample), prediction, call, noise)
        self._step_index += 1
        return self._pack(self._state.sample.to(model_output.dtype), data, return_dict)

    def _fresh_noise(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        return randn_tensor(like.shape, generator=generator, device=like.device, dtype=like.dtype)

    def _pack(
        self, sample: Tensor, data: Tensor | None, return_dict: bool
    ) -> SolverOutput | tuple[Tensor, ...]:
        if return_dict:
            return SolverOutput(prev_sample=sample, pred_original_sample=data)
        return (sample, data) if self.tells_data else (sample,)

    def _predict(
        self, i: int, call: Call, sample: Tensor, output: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return the prediction that the moves weigh, and the data where they are told."""
        if self.terms == "data":
            data = self._limited(linear(self._data[i], sample, output))
            return data, data if self.tells_data else None
        if not self._limits:
            noise = linear(self._noise[i], sample, output) if self.terms == "noise" else output
            data = linear(self._data[i], sample, output) if self.tells_data else None
            return noise, data
        data = self._limited(linear(self._data[i], sample, output))
        alpha, sigma = call.level
        return (sample - alpha * data) / sigma, data if self.tells_data else None

    @property
    def _limits(self) -> bool:
        return bool(self.config.get("thresholding") or self.config.get("clip_sample"))

    def _limited(self, data: Tensor) -> Tensor:
        """Return predicted data within the limits that the options set."""
        config = self.config
        if config.get("thresholding"):
            return threshold(data, config.dynamic_thresholding_ratio, config.sample_max_value)
        if config.get("clip_sample"):
            return data.clamp(-config.clip_sample_range, config.clip_sample_range)
        return data

    def _level_of(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and sigma at training timesteps."""
        bar = self.alphas_cumprod.to(timesteps.device)[timesteps.long()]
        return bar.sqrt(), (1 - bar).sqrt()

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return samples with the noise of their timesteps.

        Parameters
        ----------
        original_samples, noise
            Data and standard normal noise of the same shape.
        timesteps
            One timestep an item of the batch.
        """
        alpha, sigma = self._level_of(timesteps)
        shape = (-1, *[1] * (original_samples.ndim - 1))
        alpha, sigma = (x.to(original_samples).reshape(shape) for x in (alpha, sigma))
        return alpha * original_samples + sigma * noise

    def get_velocity(self, sample: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return what a v-predicting network is trained to say, ``alpha noise - sigma data``."""
        alpha, sigma = SolverScheduler._level_of(self, timesteps)
        shape = (-1, *[1] * (sample.ndim - 1))
        alpha, sigma = (x.to(sample).reshape(shape) for x in (alpha, sigma))
        return alpha * noise - sigma * sample

    def _adopt(self, option: str, own: tuple[str, ...], foreign: tuple[str, ...]) -> None:
        """Read another class's value of an option as our default, as ``from_config`` needs."""
        value = self.config[option]
        if value in foreign:
            self.register_to_config(**{option: own[0]})
        elif value not in own:
            raise ValueError(f"{option}: {value!r} is unknown; allowed are {', '.join(own)}")

    def __len__(self) -> int:
        return self.config.num_train_timesteps


def at_least_single(tensor: Tensor) -> Tensor:
    """Return a tensor in single precision or better."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
