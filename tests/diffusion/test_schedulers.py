import inspect
import math
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from diffusers import ConsistencyModelPipeline, DDPMPipeline, UNet2DModel

from schedlab.diffusion import parity, worlds
from schedlab.diffusion.lint import lint
from schedlab.diffusion.quiet import without_notices
from schedlab.diffusion.sampling import evaluations, generate, steps_for
from schedlab.diffusion.schedulers import SCHEDULERS, DDIMScheduler

VP = ["ddim", "ddpm", "pndm", "dpm_multistep", "dpm_singlestep", "deis", "unipc"]
VE = ["euler", "euler_ancestral", "heun", "lms"]


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        num_class_embeds=10,
    ).eval()


def forgiving(scheduler):
    """Let a scheduler without noise take the generator that DDPMPipeline passes to all."""
    step = scheduler.step
    if "generator" not in inspect.signature(step).parameters:
        scheduler.step = lambda output, t, x, generator=None, **options: step(
            output, t, x, **options
        )
    return scheduler


def images(pipeline, **options):
    pipeline.set_progress_bar_config(disable=True)
    source = torch.Generator().manual_seed(3)
    return pipeline(generator=source, output_type="np", num_inference_steps=6, **options).images


@pytest.mark.parametrize("name", VP)
def test_unconditional_pipeline_gives_what_it_gives_with_diffusers_own(name, tmp_path: Path):
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
    ).eval()
    mine = SCHEDULERS[name]()
    theirs = forgiving(getattr(diffusers, type(mine).__name__)())
    found = images(DDPMPipeline(unet, mine))
    assert np.allclose(found, images(DDPMPipeline(unet, theirs)), atol=1e-4)
    DDPMPipeline(unet, mine).save_pretrained(tmp_path)
    reloaded = DDPMPipeline.from_pretrained(tmp_path)
    assert type(reloaded.scheduler) is type(mine)
    assert np.allclose(images(reloaded), found, atol=1e-3)


@pytest.mark.parametrize("name", VE)
def test_class_conditional_pipeline_gives_what_it_gives_with_diffusers_own(name, unet, tmp_path):
    mine = SCHEDULERS[name]()
    theirs = forgiving(getattr(diffusers, type(mine).__name__)())
    asked = {"class_labels": 7}
    found = images(ConsistencyModelPipeline(unet, mine), **asked)
    own = images(ConsistencyModelPipeline(unet, theirs), **asked)
    assert np.allclose(found, own, atol=1e-3)
    ConsistencyModelPipeline(unet, mine).save_pretrained(tmp_path)
    reloaded = ConsistencyModelPipeline.from_pretrained(tmp_path)
    assert type(reloaded.scheduler) is type(mine)
    assert np.allclose(images(reloaded, **asked), found, atol=1e-3)


def test_double_precision_stays_double_and_half_stays_half():
    for dtype in (torch.float64, torch.float16):
        scheduler = SCHEDULERS["dpm_multistep"]()
        scheduler.set_timesteps(4)
        x = torch.ones(1, 2, dtype=dtype)
        for t in scheduler.timesteps:
            x = scheduler.step(0.1 * x, t, x).prev_sample
        assert x.dtype == dtype
        assert torch.isfinite(x).all()


def test_no_step_alters_its_inputs():
    for name, make in SCHEDULERS.items():
        scheduler = make()
        scheduler.set_timesteps(6)
        x = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
        for t in scheduler.timesteps:
            output = 0.3 * x
            kept = x.clone(), output.clone()
            scheduler.scale_model_input(x, t)
            moved = scheduler.step(output, t, x).prev_sample
            assert torch.equal(kept[0], x), name
            assert torch.equal(kept[1], output), name
            x = moved


@pytest.mark.parametrize("name", ["ddim", "euler", "heun", "lms", "deis", "unipc", "dpm_multistep"])
def test_a_run_can_be_differentiated(name):
    scheduler = SCHEDULERS[name](**({"clip_sample": False} if name == "ddim" else {}))
    seeds = torch.full((2, 3), 0.5, requires_grad=True)
    generate(lambda x, t: torch.tanh(x), scheduler, seeds, 5).sum().backward()
    assert torch.isfinite(seeds.grad).all()
    assert float(seeds.grad.abs().min()) > 0


@pytest.mark.parametrize("name", ["dpm_multistep", "dpm_singlestep", "deis", "unipc", "euler"])
def test_a_run_may_begin_late_as_image_to_image_does(name):
    mine = SCHEDULERS[name]()
    theirs = getattr(diffusers, type(mine).__name__)()
    results = []
    for scheduler in (mine, theirs):
        scheduler.set_timesteps(10)
        scheduler.set_begin_index(4)
        x = torch.linspace(-1, 1, 12).reshape(1, 3, 2, 2)
        for t in scheduler.timesteps[4:]:
            unit = scheduler.scale_model_input(x, t)
            x = scheduler.step(torch.tanh(unit), t, x).prev_sample
        results.append(x)
    assert torch.allclose(*results, atol=1e-5)


@pytest.mark.parametrize("name", ["ddim", "dpm_multistep", "euler", "lms", "heun"])
def test_add_noise_equals_diffusers(name):
    mine = SCHEDULERS[name]()
    theirs = getattr(diffusers, type(mine).__name__)()
    data, noise = torch.ones(2, 3, 2, 2), torch.full((2, 3, 2, 2), 0.5)
    results = []
    for scheduler in (mine, theirs):
        scheduler.set_timesteps(10)
        results.append(scheduler.add_noise(data, noise, scheduler.timesteps[[2, 5]]))
    assert torch.allclose(*results, rtol=1e-5)


def test_ddim_takes_timesteps_in_any_order():
    scheduler = DDIMScheduler(clip_sample=False)
    scheduler.set_timesteps(10)
    x = torch.ones(1, 2)
    t = scheduler.timesteps[3]
    first = scheduler.step(0.1 * x, t, x).prev_sample
    scheduler.step(0.1 * x, scheduler.timesteps[8], x)
    assert torch.equal(scheduler.step(0.1 * x, int(t), x).prev_sample, first)


def test_corrected_ddim_goes_to_the_next_timestep_of_its_list():
    scheduler = DDIMScheduler(timestep_spacing="linspace", variant="corrected")
    scheduler.set_timesteps(10)
    levels = [call.level for call in scheduler.calls]
    assert [call.target for call in scheduler.calls][:-1] == levels[1:]
    reference = DDIMScheduler(timestep_spacing="linspace")
    reference.set_timesteps(10)
    assert [call.target for call in reference.calls][:-1] != levels[1:]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("ddim", {"variant": "right"}, "variant"),
        ("ddim", {"prediction_type": "score"}, "prediction_type"),
        ("ddim", {"beta_schedule": "steep"}, "beta_schedule"),
        ("dpm_multistep", {"algorithm_type": "sde-dpmsolver++"}, "algorithm_type"),
        ("dpm_multistep", {"solver_order": 4}, "solver_order"),
        ("dpm_multistep", {"algorithm_type": "dpmsolver"}, "sigma_min"),
        ("dpm_multistep", {"use_karras_sigmas": True, "use_beta_sigmas": True}, "only one"),
        ("unipc", {"use_flow_sigmas": True}, "flow"),
        ("ddpm", {"variance_type": "learned"}, "variance_type"),
    ],
)
def test_bad_options_are_refused_when_the_scheduler_is_made(name, options, words):
    with pytest.raises(ValueError, match=words):
        SCHEDULERS[name](**options)


def test_bad_runs_are_refused_with_a_remedy():
    scheduler = SCHEDULERS["euler"]()
    x = torch.ones(1, 2)
    with pytest.raises(ValueError, match="set_timesteps"):
        scheduler.step(x, 0, x)
    scheduler.set_timesteps(3)
    with pytest.raises(ValueError, match="not among"):
        scheduler.step(x, 12, x)
    with pytest.raises(ValueError, match="1 to 1000"):
        scheduler.set_timesteps(1001)
    for t in scheduler.timesteps:
        scheduler.step(x, t, x)
    with pytest.raises(ValueError, match="over"):
        scheduler.step(x, scheduler.timesteps[0], x)
    with pytest.raises(ValueError, match="skip_prk_steps"):
        SCHEDULERS["pndm"]().set_timesteps(3)


def test_evaluations_are_counted_as_the_network_is_called():
    assert evaluations(SCHEDULERS["heun"](), 10) == 19
    assert evaluations(SCHEDULERS["pndm"](), 10) == 19
    assert evaluations(SCHEDULERS["pndm"](skip_prk_steps=True), 10) == 11
    assert steps_for(SCHEDULERS["heun"](), 20) == 10
    assert steps_for(SCHEDULERS["pndm"](), 10) is None


def test_lint_names_what_spoils_samples():
    data = worlds.ring().draw(200, np.random.default_rng(0))
    (warning,) = lint(DDIMScheduler(), data)
    assert "clip_sample=False" in warning
    assert lint(DDIMScheduler(clip_sample=False), data) == []
    assert lint(DDIMScheduler(), data / 10) == []
    assert any("variant" in w for w in lint(DDIMScheduler(timestep_spacing="linspace"), data / 10))


def test_diffusers_gives_no_number_where_the_last_two_sigmas_are_equal_and_ours_does():
    options = {"use_karras_sigmas": True, "final_sigmas_type": "sigma_min", "solver_type": "heun"}
    case = parity.Case("DPMSolverMultistepScheduler", options, {}, 15)
    assert not parity.difference(case)["defined"]
    with without_notices():
        scheduler = SCHEDULERS["dpm_multistep"](**options)
    world = worlds.ring()
    model = world.network(scheduler.alphas_cumprod)
    found = generate(model, scheduler, torch.ones(3, 2, dtype=torch.float64), 15)
    assert torch.isfinite(found).all()
    assert math.isfinite(float(found.sum()))
