import diffusers
import pytest
import torch

from schedlab.diffusion import parity
from schedlab.diffusion import schedulers as ours
from schedlab.diffusion.quiet import without_notices
from schedlab.diffusion.schedulers import SCHEDULERS, DDIMScheduler, EulerDiscreteScheduler

THIN = {"DPMSolverMultistepScheduler": 23, "UniPCMultistepScheduler": 11}


@pytest.mark.parametrize("name", parity.GRID)
def test_every_step_equals_that_of_diffusers(name):
    cases = parity.cases(name, THIN.get(name, 5))
    rows = [parity.difference(case) for case in cases]
    assert all(row["grid_equal"] for row in rows)
    defined = [row for row in rows if row["defined"]]
    assert len(defined) > len(rows) / 2
    worst = max(defined, key=lambda row: row["in_double"])
    assert worst["in_double"] <= 1e-5, worst


def test_cases_cover_every_option_of_a_class_and_every_step_count():
    cases = parity.cases("DPMSolverMultistepScheduler", 11)
    assert {case.steps for case in cases} == set(parity.STEPS)
    assert {case.options["solver_order"] for case in cases} == {1, 2, 3}
    assert {shape for case in cases for shape in case.options if shape in parity.SHAPES} == set(
        parity.SHAPES
    )


def test_different_seeds_compare_different_combinations():
    first, second = (parity.cases("UniPCMultistepScheduler", 11, seed) for seed in (0, 1))
    assert not {str(case.options) for case in first} & {str(case.options) for case in second}


def test_a_wrong_coefficient_is_found():
    case = parity.Case("DPMSolverMultistepScheduler", {"solver_order": 3}, {}, 20)
    assert parity.difference(case)["in_double"] <= 1e-5
    mine, theirs = parity.pair(case)
    mine.register_to_config(variant="corrected")
    mine.set_timesteps(20)
    assert parity._largest(case, mine, theirs, 0, torch.float32) > 1e-3


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ({}, {"timestep_spacing": "trailing"}, "timesteps"),
        ({}, {"clip_sample": False}, "predicted data, from step 1"),
        (
            {"clip_sample": False, "timestep_spacing": "linspace"},
            {"clip_sample": False, "timestep_spacing": "linspace", "variant": "corrected"},
            "update, from the first step",
        ),
        (
            {"clip_sample": False},
            {"clip_sample": False, "set_alpha_to_one": False},
            "last step (final noise level, or order at the end)",
        ),
    ],
)
def test_conventions_are_named(first, second, named):
    found = parity.conventions(DDIMScheduler(**first), DDIMScheduler(**second), 7)
    assert named in found


def test_conventions_tell_coordinates_and_memory_apart():
    ddim = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    euler = EulerDiscreteScheduler(timestep_spacing="trailing")
    assert "scale of the start noise" in parity.conventions(ddim, euler, 5)
    make = SCHEDULERS["dpm_multistep"]
    found = parity.conventions(make(), make(solver_type="heun"), 7)
    assert list(found) == ["update, from step 2 (memory of earlier steps)"]
    assert parity.conventions(make(), make(), 7) == {}
    assert "evaluations of the network" in parity.conventions(make(), SCHEDULERS["heun"](), 7)


@pytest.mark.parametrize("name", [name for name in parity.GRID if name != "EDMEulerScheduler"])
def test_configurations_convert_both_ways(name):
    with without_notices():
        theirs = getattr(diffusers, name)(beta_schedule="scaled_linear", beta_end=0.012)
        mine = getattr(ours, name).from_config(theirs.config)
        back = getattr(diffusers, name).from_config(mine.config)
    assert mine.config.beta_end == back.config.beta_end == 0.012
    assert torch.equal(mine.alphas_cumprod, theirs.alphas_cumprod)


def test_configurations_convert_between_classes():
    with without_notices():
        stable = diffusers.PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            skip_prk_steps=True,
            steps_offset=1,
            timestep_spacing="leading",
        )
        solver = SCHEDULERS["dpm_multistep"].from_config(stable.config)
        unipc = SCHEDULERS["unipc"].from_config(solver.config)
        deis = SCHEDULERS["deis"].from_config(unipc.config)
    for scheduler in (solver, unipc, deis):
        assert scheduler.config.steps_offset == 1
        assert scheduler.config.timestep_spacing == "leading"
    assert (unipc.config.solver_type, deis.config.solver_type) == ("bh2", "logrho")
    assert deis.config.algorithm_type == "deis"


FURTHER = [
    ("DPMSolverMultistepScheduler", {"use_lu_lambdas": True}),
    ("DPMSolverMultistepScheduler", {"euler_at_final": True, "final_sigmas_type": "sigma_min"}),
    ("DPMSolverMultistepScheduler", {"lower_order_final": False, "solver_order": 3}),
    ("DPMSolverMultistepScheduler", {"lambda_min_clipped": -3.0}),
    ("DPMSolverMultistepScheduler", {"beta_schedule": "squaredcos_cap_v2"}),
    ("DPMSolverMultistepScheduler", {"timestep_spacing": "leading", "steps_offset": 1}),
    (
        "DPMSolverMultistepScheduler",
        {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
    ),
    ("DPMSolverSinglestepScheduler", {"lower_order_final": True, "solver_order": 3}),
    ("DPMSolverSinglestepScheduler", {"lambda_min_clipped": -3.0}),
    ("UniPCMultistepScheduler", {"disable_corrector": [0, 2], "solver_order": 3}),
    (
        "UniPCMultistepScheduler",
        {"lower_order_final": False, "final_sigmas_type": "sigma_min", "solver_order": 3},
    ),
    ("EulerDiscreteScheduler", {"use_karras_sigmas": True, "sigma_min": 0.1, "sigma_max": 30.0}),
    (
        "EulerDiscreteScheduler",
        {
            "rescale_betas_zero_snr": True,
            "timestep_spacing": "trailing",
            "prediction_type": "v_prediction",
        },
    ),
    (
        "DDIMScheduler",
        {
            "rescale_betas_zero_snr": True,
            "timestep_spacing": "trailing",
            "prediction_type": "v_prediction",
        },
    ),
    (
        "DDIMScheduler",
        {"trained_betas": [0.001 * (i + 1) for i in range(60)], "num_train_timesteps": 60},
    ),
    ("DDPMScheduler", {"beta_schedule": "sigmoid"}),
    ("DDPMScheduler", {"variance_type": "fixed_small_log"}),
    ("HeunDiscreteScheduler", {"beta_schedule": "exp"}),
    ("EDMEulerScheduler", {"sigma_data": 1.0, "sigma_max": 40.0, "rho": 5.0}),
]


@pytest.mark.parametrize("steps", [7, 16])
@pytest.mark.parametrize(("name", "options"), FURTHER)
def test_further_options_equal_diffusers_too(name, options, steps):
    row = parity.difference(parity.Case(name, options, {}, steps))
    assert row["grid_equal"], row
    assert row["in_double"] <= 1e-5, row


def test_ddim_takes_given_noise_and_clipped_outputs():
    for options in ({"eta": 0.5}, {"use_clipped_model_output": True}):
        case = parity.Case("DDIMScheduler", {"clip_sample_range": 0.5}, options, 10)
        assert parity.difference(case)["relative"] <= 1e-5
    mine, theirs = parity.pair(parity.Case("DDIMScheduler", {}, {}, 5))
    x, noise = torch.full((1, 3), 0.4), torch.full((1, 3), -1.2)
    t = mine.timesteps[0]
    moved = [s.step(0.5 * x, t, x, eta=0.7, variance_noise=noise)[0] for s in (mine, theirs)]
    assert torch.allclose(*moved, atol=1e-6)
    with pytest.raises(ValueError, match="not both"):
        mine.step(x, t, x, eta=0.7, variance_noise=noise, generator=torch.Generator())
