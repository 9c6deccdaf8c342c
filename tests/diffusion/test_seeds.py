"""The space of seeds against closed forms, the exact optimum, and other people's code."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from schedlab.diffusion import worlds
from schedlab.diffusion.schedulers import SCHEDULERS
from schedlab.diffusion.seeds import arithmetic, nao, prior
from schedlab.diffusion.seeds.geodesic import geodesic
from schedlab.diffusion.seeds.memory import forgetting

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of beartype, about the hints in lolatents
    from lolatents import lol_torch


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def angle(first: torch.Tensor, last: torch.Tensor) -> float:
    return torch.cosine_similarity(first.double(), last.double(), dim=0).arccos().item()


def optimum(first: torch.Tensor, last: torch.Tensor, cells: int = 400) -> float:
    norms = first.norm().item(), last.norm().item()
    return geodesic(*norms, angle(first, last), len(first), cells).cost


@pytest.mark.parametrize("dimensions", [1, 2, 64, 784, 16384])
def test_the_prior_is_the_chi_density(dimensions: int):
    norms = stats.chi(dimensions).ppf([0.01, 0.5, 0.99])
    found = prior.log_density(torch.from_numpy(norms), dimensions)
    expected = stats.chi(dimensions).logpdf(norms)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * dimensions)


@given(st.integers(1, 20000), st.floats(0.01, 300))
def test_the_charge_is_positive_so_that_least_cost_is_a_metric(dimensions: int, norm: float):
    assert prior.cost(torch.tensor(norm), dimensions) > 0.22  # -log of the largest chi density


@pytest.mark.parametrize(
    ("dimensions", "radius"), [(64, 7.9011), (784, 27.9719), (16384, 127.9939)]
)
def test_the_circle_that_is_a_geodesic(dimensions: int, radius: float):
    assert prior.circle_radius(dimensions) == pytest.approx(radius, abs=1e-4)
    end = prior.circle_radius(dimensions)
    curve = geodesic(end, end, 1.0, dimensions)
    np.testing.assert_allclose(curve.radius, end, rtol=1e-5)


def test_in_two_dimensions_every_path_cuts_inwards():
    with pytest.raises(ValueError, match="three are needed"):
        prior.circle_radius(2)
    assert geodesic(1.0, 1.0, 1.0, 2).radius.min() < 0.999


def test_along_a_geodesic_clairauts_quantity_is_constant():
    curve = geodesic(9.0, 7.0, 1.3, 64, cells=2000)
    middle = (curve.radius[1:] + curve.radius[:-1]) / 2
    length = np.hypot(np.diff(curve.radius), middle * np.diff(curve.angle))
    charge = prior.cost(torch.from_numpy(middle), 64).numpy()
    clairaut = charge * middle**2 * np.diff(curve.angle) / length
    np.testing.assert_allclose(clairaut[5:-5], np.median(clairaut), rtol=1e-2)


def test_a_radial_geodesic_costs_the_integral_of_the_charge():
    points = (
        torch.linspace(7.0, 9.0, 2001, dtype=torch.float64)[:, None] * torch.eye(1, 64).double()
    )
    narrow = geodesic(7.0, 9.0, 1e-4, 64).cost
    assert prior.curve_cost(points).item() == pytest.approx(narrow, rel=1e-3)


@pytest.mark.parametrize("dimensions", [64, 784])
def test_nao_finds_the_exact_optimum(dimensions: int):
    ends = torch.nn.functional.normalize(drawn(2, 3, dimensions), dim=-1) * math.sqrt(dimensions)
    found = nao.path(*ends, torch.Generator().manual_seed(0))
    costs = prior.curve_cost(found.points)
    for k in range(3):
        assert costs[k].item() == pytest.approx(optimum(ends[0, k], ends[1, k]), rel=0.01)
    middle = found.points[:, nao.Descent.points // 2].norm(dim=-1)
    np.testing.assert_allclose(middle, prior.circle_radius(dimensions), atol=0.1)


def test_nao_keeps_its_ends_and_lowers_its_cost():
    first, last = drawn(2, 4, 16)
    found = nao.path(first, last, torch.Generator().manual_seed(0), nao.Descent(points=9))
    assert torch.equal(found.points[:, 0], first)
    assert torch.equal(found.points[:, -1], last)
    assert found.costs[-1] < found.costs[0]
    again = nao.path(first, last, torch.Generator().manual_seed(0), nao.Descent(points=9))
    assert torch.equal(again.points, found.points)


def test_a_centroid_lies_on_the_circle_where_its_seeds_are_nearest():
    seeds = drawn(2, 4, 64)
    how = nao.Descent(points=25, tolerance=1e-5)
    found = nao.centroid(seeds, torch.Generator().manual_seed(0), how).points
    radius = prior.circle_radius(64)
    np.testing.assert_allclose(found.norm(dim=-1), radius, atol=0.1)
    other = torch.nn.functional.normalize(arithmetic.spherical(seeds), dim=-1) * radius
    for group, ours, theirs in zip(seeds, found, other, strict=True):
        distance, rival = (sum(optimum(s, c) for s in group) for c in (ours, theirs))
        assert distance < 1.01 * rival


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 100))
def test_lol_is_that_of_its_authors(seeds: int, means: int, seed: int):
    points, weights = drawn(seeds, 8, seed=seed), drawn(means, seeds, seed=seed + 1)
    expected = lol_torch.lol_gaussian(weights, points)
    torch.testing.assert_close(arithmetic.lol(points, weights), expected)
    silent = torch.zeros(1, seeds)
    expected = lol_torch.lol_gaussian(silent, points)
    torch.testing.assert_close(arithmetic.lol(points, silent), expected)


def test_lol_keeps_the_law_of_independent_seeds():
    points = drawn(4000, 3, 8)
    mean = arithmetic.lol_mean(points)
    assert mean.std().item() == pytest.approx(1.0, abs=0.02)
    assert arithmetic.euclidean(points).std().item() == pytest.approx(3**-0.5, abs=0.02)


def test_interpolations_begin_and_end_at_their_seeds_and_keep_norms():
    pair = drawn(5, 2, 32)
    weights = arithmetic.between(9)
    for name, mean in arithmetic.INTERPOLATIONS.items():
        points = mean(pair, weights)
        if name != "FIX":
            torch.testing.assert_close(points[:, [0, -1]], pair)
    unit = torch.nn.functional.normalize(pair, dim=-1)
    torch.testing.assert_close(
        arithmetic.slerp(unit, weights).norm(dim=-1), torch.ones(5, 9), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        arithmetic.fix(pair, weights).norm(dim=-1), torch.full((5, 9), 32**0.5)
    )
    norms = pair.norm(dim=-1).double() @ weights.T
    found = arithmetic.nin(pair, weights).norm(dim=-1).double()
    torch.testing.assert_close(found, norms, atol=1e-5, rtol=0)


def test_slerp_of_parallel_seeds_is_lerp():
    seed = drawn(8)
    pair, weights = torch.stack([seed, 1.1 * seed]), arithmetic.between(5)
    torch.testing.assert_close(arithmetic.slerp(pair, weights), arithmetic.lerp(pair, weights))


def test_a_spherical_mean_of_two_is_the_middle_of_their_arc():
    pair = torch.nn.functional.normalize(drawn(3, 2, 16), dim=-1)
    middle = arithmetic.slerp(pair, arithmetic.between(3))[:, 1]
    torch.testing.assert_close(arithmetic.spherical(pair), middle, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "low", "high"),
    [
        ("ddim", {}, 0.0, 0.0),
        ("dpm_multistep", {}, 0.0, 0.0),
        ("ddpm", {}, 0.9, 1.1),
        ("euler_ancestral", {}, 0.9, 1.1),
    ],
)
def test_deterministic_schedulers_remember_their_seed(name, options, low, high):
    settings = {"clip_sample": False} if name in ("ddim", "ddpm") else {}
    scheduler = SCHEDULERS[name](**settings)
    model = worlds.ring().network(scheduler.alphas_cumprod)
    noise = torch.Generator().manual_seed(0)
    assert low <= forgetting(model, scheduler, drawn(400, 2), 20, noise, **options) <= high


def test_memory_needs_two_seeds():
    with pytest.raises(ValueError, match="at least two"):
        forgetting(None, None, drawn(1, 2), 5, torch.Generator())


def test_geodesics_refuse_what_is_none():
    with pytest.raises(ValueError, match="angle"):
        geodesic(1.0, 1.0, 0.0, 8)
    with pytest.raises(ValueError, match="positive"):
        geodesic(-1.0, 1.0, 1.0, 8)
