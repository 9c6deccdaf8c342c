"""DPM-Solver, DPM-Solver++, DEIS and UniPC: classes that integrate in the log-SNR."""

import functools
import math

import numpy as np
import torch
from diffusers.configuration_utils import register_to_config

from schedlab.diffusion.schedulers import spacing
from schedlab.diffusion.schedulers.core import exponential, plans, unipc
from schedlab.diffusion.schedulers.core.adams import deis
from schedlab.diffusion.schedulers.core.levels import Level, preserving
from schedlab.diffusion.schedulers.core.moves import Call
from schedlab.diffusion.schedulers.noise import TINY_ALPHA_BAR
from schedlab.diffusion.schedulers.shell import SolverScheduler
from schedlab.diffusion.schedulers.spacing import sigma_shape

FEW_STEPS = 15  # below which ``lower_order_final`` lowers the order, as the authors do


class OnLogSnr(SolverScheduler):
    """Levels at unit variance by the ratio of noise to signal."""

    def _prepare(self) -> None:
        super()._prepare()
        self._shape = sigma_shape(self.config)
        if self.config.get("rescale_betas_zero_snr"):
            self.alphas_cumprod[-1] = TINY_ALPHA_BAR
        ratios = ((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5
        self._ratios, self.sigmas = ratios.numpy(), ratios

    def set_timesteps(
        self, num_inference_steps: int, device: str | torch.device | None = None
    ) -> None:
        """Lay a run of so many steps and make its coefficients.

        Raises
        ------
        ValueError
            If there are more steps than timesteps of training.
        """
        grid, ratios = self._shaped(self._lay(num_inference_steps))
        self.num_inference_steps = grid.size
        self._nodes = np.append(ratios, self._final(ratios)).astype(np.float32)
        self.sigmas = torch.from_numpy(self._nodes)
        self._start(grid.astype(np.int64), device)

    def _lay(self, steps: int) -> np.ndarray:
        config = self.config
        return spacing.timesteps(
            config.get("timestep_spacing", "linspace"),
            steps,
            config.num_train_timesteps,
            config.get("steps_offset", 0),
            last=config.num_train_timesteps - self._clipped(),
            extra=1,
        )

    def _clipped(self) -> int:
        """Return how many of the noisiest timesteps the options leave out."""
        log_snr = -np.log(self._ratios)[::-1]
        return int(np.searchsorted(log_snr, self.config.get("lambda_min_clipped", -math.inf)))

    def _shaped(self, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return timesteps and ratios, laid anew where the options ask for another shape."""
        if not self._shape:
            return grid, np.interp(grid, np.arange(self._ratios.size), self._ratios)
        high, low = float(self._ratios[-1]), float(self._ratios[0])
        ratios = spacing.sigmas(self._shape, high, low, grid.size)
        at = spacing.timestep_of(ratios, np.log(self._ratios))
        return at.round() if self._shape in ("karras", "lu") else at, ratios

    def _final(self, ratios: np.ndarray) -> float:
        return float(self._ratios[0]) if self.config.final_sigmas_type == "sigma_min" else 0.0

    def _levels(self, begin: int) -> list[Level]:
        return preserving(self._nodes[begin:].astype(float))

    def _multistep_orders(self, begin: int) -> list[int]:
        """Return the order of every step: rising at the start, lowered at the end of short runs."""
        steps, config = len(self._listed), self.config
        few = config.lower_order_final and steps < FEW_STEPS
        lowest = few or config.get("euler_at_final") or config.get("final_sigmas_type") == "zero"
        orders = [min(i + 1, config.solver_order) for i in range(steps - begin)]
        if few and len(orders) > 1:
            orders[-2] = min(orders[-2], 2)
        if lowest:
            orders[-1] = 1
        return orders


class _DPMSolver(OnLogSnr):
    """What both DPM-Solver classes share: data form (++) or noise form."""

    def _settle(self) -> None:
        self._adopt("algorithm_type", ("dpmsolver++", "dpmsolver"), ("deis",))
        self._adopt("solver_type", ("midpoint", "heun"), ("logrho", "bh1", "bh2"))
        self._prepare()
        if self.config.solver_order not in (1, 2, 3):
            raise ValueError(f"solver_order: expected 1, 2 or 3, got {self.config.solver_order}")
        self.terms = "data" if self.config.algorithm_type == "dpmsolver++" else "noise"
        if self.terms == "noise" and self.config.final_sigmas_type == "zero":
            raise ValueError(
                "algorithm_type dpmsolver cannot end without noise; "
                "set final_sigmas_type='sigma_min'"
            )

    def _in_form(self, rule: plans.Rule) -> plans.Rule:
        return rule if self.terms == "data" else plans.mirrored(rule)


class DPMSolverMultistepScheduler(_DPMSolver):
    """DPM-Solver and DPM-Solver++ of orders 1, 2M and 3M, Lu et al. 2022.

    Options are those of diffusers' class, without its stochastic forms, and ``variant``: the third
    order of ``"reference"`` takes half the second derivative, as the authors' code and diffusers
    do, and has order 2; ``"corrected"`` takes all of it.
    """

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        solver_order: int = 2,
        prediction_type: str = "epsilon",
        thresholding: bool = False,
        dynamic_thresholding_ratio: float = 0.995,
        sample_max_value: float = 1.0,
        algorithm_type: str = "dpmsolver++",
        solver_type: str = "midpoint",
        lower_order_final: bool = True,
        euler_at_final: bool = False,
        use_karras_sigmas: bool = False,
        use_exponential_sigmas: bool = False,
        use_beta_sigmas: bool = False,
        use_lu_lambdas: bool = False,
        use_flow_sigmas: bool = False,
        final_sigmas_type: str = "zero",
        lambda_min_clipped: float = -math.inf,
        timestep_spacing: str = "linspace",
        steps_offset: int = 0,
        rescale_betas_zero_snr: bool = False,
        variant: str = "reference",
    ) -> None:
        self._adopt("variant", ("reference", "corrected"), ())
        self._settle()

    def _plan(self, begin: int) -> list[Call]:
        rule = functools.partial(
            exponential.multistep,
            solver_type=self.config.solver_type,
            corrected=self.config.variant == "corrected",
        )
        return plans.multistep(
            self._levels(begin), self._multistep_orders(begin), self._in_form(rule)
        )


class DPMSolverSinglestepScheduler(_DPMSolver):
    """DPM-Solver and DPM-Solver++ of orders 1, 2S and 3S, Lu et al. 2022.

    One listed timestep is one evaluation; a block of ``solver_order`` of them is one step.
    """

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        solver_order: int = 2,
        prediction_type: str = "epsilon",
        thresholding: bool = False,
        dynamic_thresholding_ratio: float = 0.995,
        sample_max_value: float = 1.0,
        algorithm_type: str = "dpmsolver++",
        solver_type: str = "midpoint",
        lower_order_final: bool = False,
        use_karras_sigmas: bool = False,
        use_exponential_sigmas: bool = False,
        use_beta_sigmas: bool = False,
        use_flow_sigmas: bool = False,
        final_sigmas_type: str = "zero",
        lambda_min_clipped: float = -math.inf,
    ) -> None:
        self._settle()

    def _plan(self, begin: int) -> list[Call]:
        orders, reached = [], 0
        for order in self._orders()[begin:]:
            reached = min(order, reached + 1)  # a run that begins within a block builds up again
            orders.append(reached)
        return plans.singlestep(self._levels(begin), orders, self._in_form(self._rule))

    def _rule(self, levels: list[Level], target: Level) -> object:
        if len(levels) == 1:
            return exponential.multistep(levels, target)
        return exponential.singlestep(levels, target, solver_type=self.config.solver_type)

    def _orders(self) -> list[int]:
        """Return blocks 1, 2, … up to the order, and shorter ones where they do not fit."""
        steps, order = len(self._listed), self.config.solver_order
        orders = [i % order + 1 for i in range(steps)]
        full = steps % order == 0 and self.config.lower_order_final
        if full or self.config.final_sigmas_type == "zero":
            orders[-1] = 1
        return orders


class DEISMultistepScheduler(OnLogSnr):
    """Diffusion exponential integrator of orders 1 to 3, Zhang and Chen 2023, in log-rho."""

    terms = "noise"

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        solver_order: int = 2,
        prediction_type: str = "epsilon",
        thresholding: bool = False,
        dynamic_thresholding_ratio: float = 0.995,
        sample_max_value: float = 1.0,
        algorithm_type: str = "deis",
        solver_type: str = "logrho",
        lower_order_final: bool = True,
        use_karras_sigmas: bool = False,
        use_exponential_sigmas: bool = False,
        use_beta_sigmas: bool = False,
        use_flow_sigmas: bool = False,
        timestep_spacing: str = "linspace",
        steps_offset: int = 0,
    ) -> None:
        self._adopt("algorithm_type", ("deis",), ("dpmsolver", "dpmsolver++"))
        self._adopt("solver_type", ("logrho",), ("midpoint", "heun", "bh1", "bh2"))
        self._prepare()

    def _final(self, ratios: np.ndarray) -> float:
        return float(ratios[-1]) if self._shape else float(self._ratios[0])

    def _plan(self, begin: int) -> list[Call]:
        return plans.multistep(self._levels(begin), self._multistep_orders(begin), deis)


class UniPCMultistepScheduler(OnLogSnr):
    """Unified predictor-corrector of any order, Zhao et al. 2023."""

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.0001,
        beta_end: float = 0.02,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        solver_order: int = 2,
        prediction_type: str = "epsilon",
        thresholding: bool = False,
        dynamic_thresholding_ratio: float = 0.995,
        sample_max_value: float = 1.0,
        predict_x0: bool = True,
        solver_type: str = "bh2",
        lower_order_final: bool = True,
        disable_corrector: list[int] | None = None,
        use_karras_sigmas: bool = False,
        use_exponential_sigmas: bool = False,
        use_beta_sigmas: bool = False,
        use_flow_sigmas: bool = False,
        timestep_spacing: str = "linspace",
        steps_offset: int = 0,
        final_sigmas_type: str = "zero",
        rescale_betas_zero_snr: bool = False,
    ) -> None:
        self._adopt("solver_type", ("bh2", "bh1"), ("midpoint", "heun", "logrho"))
        self._prepare()
        self.terms = "data" if predict_x0 else "noise"

    @property
    def _limits(self) -> bool:
        return self.terms == "data" and super()._limits  # the noise form has no limits in diffusers

    def _final(self, ratios: np.ndarray) -> float:
        if self._shape and self.config.final_sigmas_type == "sigma_min":
            return float(ratios[-1])
        return super()._final(ratios)

    def _plan(self, begin: int) -> list[Call]:
        config, steps = self.config, len(self._listed)
        left = (
            range(steps - begin, 0, -1) if config.lower_order_final else [steps] * (steps - begin)
        )
        orders = [min(config.solver_order, i + 1, rest) for i, rest in enumerate(left)]
        return plans.corrected(
            self._levels(begin),
            orders,
            self._in_form(functools.partial(unipc.predictor, solver_type=config.solver_type)),
            self._in_form(functools.partial(unipc.corrector, solver_type=config.solver_type)),
            skip=[s - begin for s in config.disable_corrector or ()],
        )

    def _in_form(self, rule: plans.Rule) -> plans.Rule:
        return rule if self.terms == "data" else plans.mirrored(rule)
