import pytest
import torch

from schedlab.diffusion import worlds
from schedlab.diffusion.inversion import fixed_point, invert, newton
from schedlab.diffusion.sampling import generate
from schedlab.diffusion.schedulers import SCHEDULERS, DDIMScheduler

WORLD = worlds.ring()
SCHEDULES = {
    "ddim": {"clip_sample": False, "timestep_spacing": "trailing"},
    "euler": {},
    "heun": {"beta_start": 1e-4, "beta_end": 0.02},
    "lms": {},
    "pndm": {"skip_prk_steps": True},
    "deis": {"solver_order": 3},
    "dpm_multistep": {"final_sigmas_type": "sigma_min"},
    "dpm_singlestep": {"final_sigmas_type": "sigma_min"},
    "unipc": {"final_sigmas_type": "sigma_min"},
}


def trip(scheduler, method, iterations, data, steps=50):
    model = WORLD.network(scheduler.alphas_cumprod)
    seeds = invert(model, scheduler, data, steps, method, iterations=iterations)
    return seeds, float((generate(model, scheduler, seeds, steps) - data).abs().max())


@pytest.fixture(scope="module")
def seeds():
    source = torch.Generator().manual_seed(0)
    return torch.randn(20, 2, generator=source, dtype=torch.float64)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_fixed_point_finds_the_very_seeds_of_every_deterministic_scheduler(name, seeds):
    scheduler = SCHEDULERS[name](**SCHEDULES[name])
    data = generate(WORLD.network(scheduler.alphas_cumprod), scheduler, seeds, 50)
    _, plain = trip(scheduler, "ddim", 0, data)
    found, error = trip(scheduler, "fixed_point", 12, data)
    assert error < 1e-4 < plain
    assert torch.allclose(found, seeds, atol=1e-2)


def test_ddim_inversion_of_a_gaussian_is_its_known_product():
    world = worlds.Mixture(((0.0, 0.0),), 0.3, (1.0,))
    scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    data = torch.ones(1, 2, dtype=torch.float64)
    seeds = invert(world.network(scheduler.alphas_cumprod), scheduler, data, 10)
    expected = 1.0
    for call in reversed(scheduler.calls):
        (a, s), (b, r) = call.level, call.target
        # The network says sigma x / (alpha² spread² + sigma²) of x at unit variance.
        noise = s / (a**2 * 0.09 + s**2)
        expected *= a / b * (1 - r * noise) + s * noise
    assert float(seeds[0, 0]) == pytest.approx(expected, rel=1e-6)


def test_guided_newton_lowers_the_residual_and_keeps_the_best_of_each_item():
    scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    data = torch.tensor([[0.9, 0.1], [-0.6, 0.8]], dtype=torch.float64)
    alone = [trip(scheduler, "newton", 2, row[None], 10)[0] for row in data]
    both, _ = trip(scheduler, "newton", 2, data, 10)
    assert torch.allclose(torch.cat(alone), both)


def test_leading_axes_number_the_items(seeds):
    scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    model = WORLD.network(scheduler.alphas_cumprod)
    stacked = invert(model, scheduler, seeds.reshape(4, 5, 2), 5, "fixed_point", leading=2)
    assert torch.allclose(
        stacked.reshape(20, 2), invert(model, scheduler, seeds, 5, "fixed_point"), atol=1e-12
    )


def test_the_iterations_solve_a_plain_equation():
    def residual(z):
        return 0.5 * torch.cos(z) - z

    start = torch.zeros(3, 4, dtype=torch.float64)
    for found in (
        fixed_point(residual, start, 30),
        newton(residual, torch.zeros_like, start, 30, guidance=0.0),
    ):
        assert torch.allclose(found, torch.full_like(found, 0.450183611294874), atol=1e-6)


def test_what_cannot_be_inverted_is_refused():
    scheduler = SCHEDULERS["euler_ancestral"]()
    with pytest.raises(ValueError, match="adds noise"):
        invert(WORLD.network(scheduler.alphas_cumprod), scheduler, torch.ones(1, 2), 5)
    with pytest.raises(ValueError, match="allowed are ddim, fixed_point, newton"):
        invert(lambda x, t: x, DDIMScheduler(), torch.ones(1, 2), 5, "exact")
