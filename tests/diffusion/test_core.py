import math

import numpy as np
import pytest
import torch

from schedlab.diffusion import worlds
from schedlab.diffusion.experiment.orders import GRIDS, error, log_uniform
from schedlab.diffusion.schedulers.core.adams import deis, lms
from schedlab.diffusion.schedulers.core.first_order import ddim, ddpm
from schedlab.diffusion.schedulers.core.levels import Level, exploding, of_alpha_bar, preserving
from schedlab.diffusion.schedulers.core.solvers import SOLVERS, run

HIGH, LOW = 20.0, 0.02


@pytest.fixture(scope="module")
def bench():
    """Errors of every solver on two grids uniform in log sigma, from one batched run each."""
    world = worlds.ring()
    rng = np.random.default_rng(0)
    noise = torch.from_numpy(rng.standard_normal((24, 2)))
    begin = world.draw(24, rng) + HIGH * noise
    exact = world.solve(begin, HIGH, LOW)
    errors = {}
    for count in (48, 96):
        levels = preserving(log_uniform(HIGH, LOW, count))
        ends = run(world.epsilon, begin, [(solver, levels) for solver in SOLVERS.values()])
        for name, end in zip(SOLVERS, ends, strict=True):
            errors[name, count] = error(end, exact)
    return errors


LOST = {"DPM-Solver 3M": 2, "DPM-Solver++ 3M": 2}  # with half of the second derivative
LOW_START = {"LMS 4": 0.55, "DPM-Solver++ 3M corrected": 0.25}  # what the rising order costs here


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_converges_with_its_order(name, bench):
    slope = math.log2(bench[name, 48] / bench[name, 96])
    expected = LOST.get(name, SOLVERS[name].order)
    assert slope == pytest.approx(expected, abs=LOW_START.get(name, 0.15))


def test_the_true_second_derivative_makes_the_third_order_better(bench):
    for family in ("DPM-Solver", "DPM-Solver++"):
        assert bench[f"{family} 3M corrected", 96] < 0.3 * bench[f"{family} 3M", 96]


@pytest.mark.parametrize("make", [preserving, exploding])
@pytest.mark.parametrize("name", SOLVERS)
def test_a_single_gaussian_is_solved_in_both_coordinates(name, make):
    world = worlds.gaussian()
    begin = torch.tensor([[30.0, -12.0], [2.0, 19.0]], dtype=torch.float64)
    exact = worlds.gaussian_flow(world, begin, HIGH, LOW)
    (found,) = run(world.epsilon, begin, [(SOLVERS[name], make(log_uniform(HIGH, LOW, 240)))])
    assert error(found, exact) < (0.02 if name == "DDIM" else 2e-3)


def test_running_all_at_once_equals_one_by_one():
    world, levels = worlds.ring(), preserving(log_uniform(HIGH, LOW, 12))
    begin = torch.ones(5, 2, dtype=torch.float64) * HIGH
    together = run(world.epsilon, begin, [(s, levels) for s in SOLVERS.values()])
    for solver, found in zip(SOLVERS.values(), together, strict=True):
        (alone,) = run(world.epsilon, begin, [(solver, levels)])
        assert torch.allclose(found, alone, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in SOLVERS if SOLVERS[name].block > 1])
def test_a_block_is_from_one_fresh_start_to_the_next(name):
    calls = SOLVERS[name].plan(preserving(log_uniform(HIGH, LOW, 12)))
    starts = [i for i, call in enumerate(calls) if not call.from_anchor]
    assert starts == list(range(0, 12, SOLVERS[name].block))


@pytest.mark.parametrize("name", SOLVERS)
def test_the_true_solution_stands_in_only_while_the_history_is_short(name):
    world, levels = worlds.gaussian(), preserving(log_uniform(HIGH, LOW, 12))
    begin = torch.tensor([[30.0, -12.0]], dtype=torch.float64)
    asked = []

    def exact(ratio):
        asked.append(ratio)
        return worlds.gaussian_flow(world, begin, HIGH, ratio)

    run(world.epsilon, begin, [(SOLVERS[name], levels)], exact)
    short = SOLVERS[name].history - 1
    assert asked == [level.ratio for level in levels[1 : 1 + short]]


def test_the_reference_solution_is_the_closed_form_of_a_gaussian():
    world = worlds.gaussian()
    begin = torch.tensor([[30.0, -12.0]], dtype=torch.float64)
    flow = world.flow(begin, HIGH, LOW)
    for ratio in (5.0, 0.3, LOW):
        exact = worlds.gaussian_flow(world, begin, HIGH, ratio)
        assert torch.allclose(flow(ratio), exact, atol=1e-8)


def test_a_step_of_ddim_on_a_gaussian_is_its_known_factor():
    world = worlds.Mixture(((0.0,),), 0.3, (1.0,))
    here, target = exploding([2.0, 1.5])
    x = torch.tensor([[1.7]], dtype=torch.float64)
    move, _ = ddim(here, target)
    data = x - here.sigma * world.epsilon(x, here.sigma)
    factor = 1 + (target.sigma - here.sigma) * here.sigma / (0.3**2 + here.sigma**2)
    assert float(move.keep * x + move.weights[0] * data) == pytest.approx(factor * 1.7, rel=1e-14)


def test_ddpm_is_ddim_with_all_the_noise():
    here, target = of_alpha_bar(0.3), of_alpha_bar(0.7)
    move, noise = ddim(here, target, eta=1.0)
    mean, small, large = ddpm(here, target)
    assert mean.keep == pytest.approx(move.keep, rel=1e-13)
    assert mean.weights == pytest.approx(move.weights, rel=1e-13)
    assert small == pytest.approx(noise, rel=1e-13)
    assert small < large


def test_adams_weights_integrate_polynomials_exactly():
    levels, target = exploding([1.0, 1.5, 2.2, 3.0]), Level(1.0, 0.4)
    for degree in range(4):
        integral = (0.4 ** (degree + 1) - 1) / (degree + 1)
        weights = lms(levels, target).weights
        found = sum(w * level.sigma**degree for w, level in zip(weights, levels, strict=True))
        assert found == pytest.approx(integral, rel=1e-12)
        weights = deis(levels[:3], target).weights
        if degree < 2:  # integral of log(r)**degree
            logs = {0: 0.4 - 1.0, 1: 0.4 * math.log(0.4) - 0.4 + 1.0}
            found = sum(
                w * math.log(level.sigma) ** degree
                for w, level in zip(weights, levels, strict=False)
            )
            assert found == pytest.approx(logs[degree], rel=1e-12)


@pytest.mark.parametrize("name", GRIDS)
def test_grids_fall_from_the_first_level_to_the_last(name):
    grid = GRIDS[name](HIGH, LOW, 30)
    assert len(grid) == 31
    assert grid[0] == pytest.approx(HIGH)
    assert grid[-1] == pytest.approx(LOW)
    assert (np.diff(grid) < 0).all()


def test_levels_are_the_same_in_both_coordinates():
    for a, b in zip(preserving([3.0, 0.2]), exploding([3.0, 0.2]), strict=True):
        assert a.log_snr == pytest.approx(b.log_snr)
        assert a.norm == pytest.approx(1.0)
    assert Level(1.0, 0.0).log_snr == math.inf
    assert Level(0.0, 1.0).log_snr == -math.inf
    assert Level(0.0, 1.0).ratio == math.inf
