import control
import numpy as np
import pytest
import torch
from scipy import stats

from schedlab.estimation.noise import Empirical, Mixture, StandardGamma
from schedlab.estimation.plants import (
    SYSTEMS,
    Problem,
    Replay,
    from_callable,
    from_control,
    linear,
    system,
)

LAWS = [
    Mixture(),
    Mixture((0.8, 0.2), (-0.5, 2.0), (0.3, 0.5)),
    Mixture((0.5, 0.5), (-2.0, 2.0), (0.3, 0.3)),
    StandardGamma(2.0),
    StandardGamma(-0.7),
    StandardGamma(0.0),
    Empirical((-1.0, -1.0, 0.0, 2.0)),
]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_draws_have_the_moments_and_distribution_that_a_law_states(law):
    draws = law.sample(np.random.default_rng(0), (200_000,))
    assert draws.mean() == pytest.approx(law.mean, abs=0.01)
    assert draws.var() == pytest.approx(law.variance, rel=0.02)
    assert stats.skew(draws) == pytest.approx(law.skewness, abs=0.05)
    at = np.array([-1.3, -0.4, 0.2, 1.1])
    below = (draws[:, None] <= at).mean(axis=0)
    assert below == pytest.approx(law.cdf(at), abs=0.005)


def test_a_density_integrates_to_its_distribution():
    law, x = LAWS[1], np.linspace(-6, 8, 20_001)
    assert np.trapezoid(law.pdf(x), x) == pytest.approx(1, abs=1e-6)
    middle = np.cumsum(law.pdf(x)) * (x[1] - x[0])
    assert middle[10_000] == pytest.approx(law.cdf(x[10_000]), abs=1e-3)


def test_an_exponential_law_is_the_gamma_law_of_skewness_two():
    x = np.linspace(-2, 6, 50)
    assert StandardGamma(2.0).cdf(x) == pytest.approx(stats.expon(loc=-1).cdf(x))


class TorchSource:
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def random(self, size):
        return torch.rand(size, generator=self.generator, dtype=torch.float64)

    def standard_normal(self, size):
        return torch.randn(size, generator=self.generator, dtype=torch.float64)

    def standard_gamma(self, shape, size):
        full = torch.full(size, shape, dtype=torch.float64)
        return torch._standard_gamma(full, generator=self.generator)


@pytest.mark.parametrize("name", SYSTEMS)
def test_plants_go_the_same_way_in_torch_and_numpy(name):
    plant = system(name).plant
    states = plant.paths(np.random.default_rng(1), 50, 5)[-1]
    noise = plant.noise.sample(TorchSource(0), (50, plant.noise_dimension))
    ahead = plant.transition(torch.as_tensor(states), noise, torch)
    assert ahead.numpy() == pytest.approx(plant.transition(states, noise.numpy(), np))
    ages = np.arange(50) % 4 + 1
    step = states
    for _ in range(3):
        step = plant.quiet_step(step)
    rolled = plant.roll_out(states, ages)
    assert rolled[ages == 3] == pytest.approx(step[ages == 3])


def test_noise_of_all_systems_has_mean_zero():
    for name in SYSTEMS:
        assert system(name).plant.noise.mean == pytest.approx(0, abs=1e-12)


def test_a_linear_plant_settles_at_the_variance_of_its_lyapunov_equation():
    a, b = np.array([[0.9, 0.2], [-0.1, 0.7]]), np.array([[1.0], [0.5]])
    plant = linear(a, Mixture(), input_matrix=b)
    states = plant.paths(np.random.default_rng(0), 40_000, 60)[-1]
    assert np.cov(states.T) == pytest.approx(control.dlyap(a, b @ b.T), abs=0.05)


def test_systems_of_python_control_are_plants():
    a, b = [[0.9, 0.1], [0.0, 0.8]], [[0.0], [1.0]]
    whole = control.ss(a, b, np.eye(2), 0, dt=0.1)
    x, w = np.array([[1.0, -2.0]]), np.array([[0.3]])
    expected = x @ np.array(a).T + w @ np.array(b).T
    assert from_control(whole, Mixture()).transition(x, w, np) == pytest.approx(expected)
    bent = control.nlsys(
        lambda t, x, u, p: np.array([x[1], -np.sin(x[0]) + u[0]]), inputs=1, states=2, dt=0.1
    )
    found = from_control(bent, Mixture()).transition(x, w, np)
    assert found == pytest.approx(np.array([[-2.0, -np.sin(1.0) + 0.3]]))
    with pytest.raises(ValueError, match="sample_system"):
        from_control(control.ss(a, b, np.eye(2), 0), Mixture())


def test_any_callable_is_a_plant_for_one_state_or_many():
    def many(x, w):
        return 0.5 * x + w**2

    def one(x, w):
        return [0.5 * float(x[0]) + float(w[0]) ** 2]

    x, w = np.array([[1.0], [2.0]]), np.array([[3.0], [0.5]])
    for function in (many, one):
        plant = from_callable(function, Mixture(), 0.0)
        assert plant.transition(x, w, np) == pytest.approx(many(x, w))
    with pytest.raises(ValueError, match="shape"):
        from_callable(lambda x, w: np.zeros(3), Mixture(), 0.0)


def test_replays_give_their_windows_back():
    windows = np.arange(24.0).reshape(4, 6, 1)
    plant = Replay("ramp", windows, model=lambda x, w, xp: x + 1)
    paths = plant.paths(np.random.default_rng(0), 4, 5)
    assert paths[:, 2, 0] == pytest.approx(windows[2, :, 0])
    assert plant.roll_out(paths[0], np.full(4, 5)) == pytest.approx(paths[-1])
    drawn = plant.paths(np.random.default_rng(0), 100, 3)
    assert {*drawn[0, :, 0]} == {0.0, 6.0, 12.0, 18.0}
    with pytest.raises(ValueError, match="windows have 5"):
        plant.paths(np.random.default_rng(0), 4, 6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: system("S9"), "allowed are S1"),
        (lambda: system("S1", price=0.0), "above 0"),
        (lambda: Problem(system("S5").plant, 1.0, weight=[[1.0]]), "2 by 2"),
        (lambda: Mixture((0.5, 0.4), (0.0, 1.0), (1.0, 1.0)), "sum to 1"),
        (lambda: linear([[1.0, 2.0]], Mixture()), "square"),
        (lambda: Replay("short", np.zeros((3, 1, 1))), "at least 2"),
    ],
)
def test_bad_input_is_refused_with_the_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_errors_are_weighted():
    problem = system("unicycle")
    x = np.array([[1.0, 2.0, 5.0]])
    assert problem.squared_error(x, np.zeros((1, 3))) == pytest.approx([5.0])
