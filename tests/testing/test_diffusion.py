"""Diffusion schedulers: published ones and diffusers' own keep the contract, broken ones do not."""

from functools import partial

import diffusers
import pytest
import torch
from diffusers.configuration_utils import register_to_config

from schedlab.diffusion.schedulers import SCHEDULERS, DDIMScheduler, EulerDiscreteScheduler
from schedlab.testing.diffusion import check_scheduler

DDIM, MULTISTEP = SCHEDULERS["ddim"], SCHEDULERS["dpm_multistep"]
OTHERS = {
    "ddim, v": partial(DDIM, prediction_type="v_prediction"),
    "ddim, data": partial(DDIM, prediction_type="sample", timestep_spacing="trailing"),
    "multistep, Karras": partial(MULTISTEP, use_karras_sigmas=True, solver_order=3),
    "multistep, v": partial(MULTISTEP, prediction_type="v_prediction"),
    "diffusers' DDIM": diffusers.DDIMScheduler,
    "diffusers' multistep": diffusers.DPMSolverMultistepScheduler,
    "diffusers' Euler": diffusers.EulerDiscreteScheduler,
}


@pytest.mark.parametrize("name", [*SCHEDULERS, *OTHERS])
def test_every_published_scheduler_keeps_its_contract(name):
    check_scheduler({**SCHEDULERS, **OTHERS}[name])


class Halfway(DDIMScheduler):
    """Believes half of what the network says."""

    def step(self, model_output, timestep, sample, generator=None, return_dict=True):
        return super().step(0.5 * model_output, timestep, sample, return_dict=return_dict)


class Global(DDIMScheduler):
    """Draws from torch's global generator."""

    def step(self, model_output, timestep, sample, generator=None, return_dict=True):
        noisy = model_output + 0.01 * torch.randn(model_output.shape)
        return super().step(noisy, timestep, sample, return_dict=return_dict)


class Averaging(EulerDiscreteScheduler):
    """Averages with the output before, which it never forgets."""

    before = 0.0

    def step(self, model_output, timestep, sample, generator=None, return_dict=True):
        mixed = model_output + 0.01 * self.before
        self.before = model_output.clone()
        return super().step(mixed, timestep, sample, return_dict=return_dict)


class Secret(DDIMScheduler):
    made = 0

    @register_to_config
    def __init__(self, clip_sample=False, num_train_timesteps=1000):
        super().__init__(clip_sample=clip_sample)
        Secret.made += 1
        self.strength = 1 + 0.01 * Secret.made

    def step(self, model_output, timestep, sample, generator=None, return_dict=True):
        return super().step(self.strength * model_output, timestep, sample, return_dict=return_dict)


class Single(DDIMScheduler):
    """Computes in single precision whatever it is given."""

    def step(self, model_output, timestep, sample, generator=None, return_dict=True):
        return super().step(model_output.float(), timestep, sample.float(), return_dict=return_dict)


class InPlace(DDIMScheduler):
    def step(self, model_output, timestep, sample, generator=None, return_dict=True):
        sample.mul_(0.99)
        return super().step(model_output, timestep, sample, return_dict=return_dict)


class Backwards(DDIMScheduler):
    def set_timesteps(self, num_inference_steps, device=None):
        super().set_timesteps(num_inference_steps, device)
        self.timesteps = self.timesteps.flip(0)


class Bare(DDIMScheduler):
    def step(self, model_output, timestep, sample, generator=None, return_dict=True):
        made = super().step(model_output, timestep, sample)
        return made if return_dict else made.prev_sample


class Narrow(DDIMScheduler):
    def step(self, sample, model_output, timestep):
        return super().step(model_output, timestep, sample)


class Exploding(DDIMScheduler):
    def step(self, model_output, timestep, sample, generator=None, return_dict=True):
        made = super().step(model_output, timestep, sample)
        made.prev_sample = made.prev_sample / (timestep > 500)
        return made


@pytest.mark.parametrize(
    ("broken", "rule", "words"),
    [
        (Halfway, "is_exact_for_a_gaussian", r"500 steps: the samples' \w+ is \(.*\), that of"),
        (Global, "draws_from_the_generator", "step must take a generator and draw from it alone"),
        (Averaging, "begins_anew", "differs; set_timesteps must clear what a run leaves"),
        (Secret, "survives_its_config", "from_config: other samples; each option must be an arg"),
        (Single, "keeps_shape_and_dtype", r"step 0, torch.float64.*prev_sample is torch.float32"),
        (InPlace, "keeps_shape_and_dtype", r"step 0, .*: it changed the sample that it was given"),
        (Backwards, "lays_timesteps", r"set_timesteps\(12\): timesteps must fall from 999"),
        (Bare, "returns_a_tuple_if_asked", "must return a tuple whose first element"),
        (Narrow, "has_the_interface", "step must take model_output, .*; it takes sample, model"),
        (Exploding, "keeps_shape_and_dtype", r"step \d+, .*: prev_sample is not finite"),
        (dict, "has_the_interface", "dict must derive from diffusers' SchedulerMixin"),
    ],
)
def test_a_broken_scheduler_is_told_what_it_breaks_and_where(expect_broken, broken, rule, words):
    expect_broken(check_scheduler, broken, rule, words)


def test_an_option_that_is_lost_on_the_way_is_named(expect_broken):
    """A finding about diffusers: ``from_config`` switches off what the constructor switches on."""
    words = "from_config: lower_order_final is False instead of True"
    theirs = diffusers.DPMSolverSinglestepScheduler
    expect_broken(check_scheduler, theirs, "survives_its_config", words)
