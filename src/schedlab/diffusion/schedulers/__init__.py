"""Diffusion schedulers with the interface of diffusers, over a functional core in float64.

``core`` holds the mathematics: noise levels, one rule a method, and the plan of a run. The
classes wear diffusers' names and options, so that ``from_config`` converts either way.
"""

from diffusers.schedulers.scheduling_utils import SchedulerMixin

from schedlab.diffusion.schedulers.edm import EDMEulerScheduler
from schedlab.diffusion.schedulers.exploding import (
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LMSDiscreteScheduler,
)
from schedlab.diffusion.schedulers.log_snr import (
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    UniPCMultistepScheduler,
)
from schedlab.diffusion.schedulers.preserving import DDIMScheduler, DDPMScheduler, PNDMScheduler

__all__ = [
    "SCHEDULERS",
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EDMEulerScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "SchedulerMixin",
    "UniPCMultistepScheduler",
]

SCHEDULERS: dict[str, type] = {
    "ddim": DDIMScheduler,
    "ddpm": DDPMScheduler,
    "deis": DEISMultistepScheduler,
    "dpm_multistep": DPMSolverMultistepScheduler,
    "dpm_singlestep": DPMSolverSinglestepScheduler,
    "edm": EDMEulerScheduler,
    "euler": EulerDiscreteScheduler,
    "euler_ancestral": EulerAncestralDiscreteScheduler,
    "heun": HeunDiscreteScheduler,
    "lms": LMSDiscreteScheduler,
    "pndm": PNDMScheduler,
    "unipc": UniPCMultistepScheduler,
}
"""Scheduler classes by the name that ``params.yaml`` uses."""

# A saved pipeline names its scheduler's module, and its loader looks there for SchedulerMixin too.
for _scheduler in SCHEDULERS.values():
    _scheduler.__module__ = __name__
