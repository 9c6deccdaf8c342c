"""Exact optima against closed forms, integral equations, simulation and known values."""

import numpy as np
import pytest

from schedlab.estimation.estimators import Predictor
from schedlab.estimation.exact import closed
from schedlab.estimation.exact.alternation import (
    alternate,
    estimator_only,
    lloyd_start,
    silent_pieces,
)
from schedlab.estimation.exact.fredholm import (
    best_threshold,
    threshold_performance,
    width_of_rate,
)
from schedlab.estimation.exact.planar import solve_planar
from schedlab.estimation.exact.solve import (
    PAIRS,
    Grid,
    read_pair,
    solve,
    tables,
    zero_bias,
)
from schedlab.estimation.experiment.stored import read_optima
from schedlab.estimation.noise import Mixture
from schedlab.estimation.plants import system
from schedlab.estimation.schedulers import EventTriggered, PlanarValue
from schedlab.estimation.simulate import simulate

# system, price: zero-bias, estimator-only, joint, each found by an independent implementation
KNOWN = {
    ("S1", 0.5): (0.3254, 0.3254, 0.3254),
    ("S1", 2.0): (0.8507, 0.8507, 0.8507),
    ("S1", 10.0): (2.0010, 2.0010, 2.0010),
    ("S2", 0.5): (0.3589, None, 0.2009),
    ("S2", 1.0): (0.6157, 0.541, 0.3319),
    ("S2", 2.0): (0.9865, None, 0.5595),
    ("S3", 1.0): (0.5259, 0.513, 0.4146),
    ("S3", 2.0): (0.8020, 0.772, 0.6590),
    ("S4", 2.0): (1.936, 1.936, 1.0714),
}


@pytest.fixture(scope="module")
def solutions():
    return {key: solve(system(*key), np.random.default_rng(0), starts=3) for key in KNOWN}


@pytest.mark.parametrize("key", KNOWN, ids=lambda key: f"{key[0]}-{key[1]:g}")
def test_pairs_cost_what_they_are_known_to(solutions, key):
    for name, known in zip(PAIRS, KNOWN[key], strict=True):
        tolerance = 0.01 if name == "estimator-only" else 0.005
        if known is not None:
            assert solutions[key].pairs[name].cost == pytest.approx(known, rel=tolerance)


def test_biases_and_silent_sets_of_the_flagship_are_the_known_ones(solutions):
    pair = solutions["S2", 1.0].pairs["joint"]
    assert pair.biases[:5] == pytest.approx([-0.50, -0.95, -1.35, -1.71, -2.04], abs=0.02)
    assert pair.pieces[0] == [pytest.approx((-1.25, 0.25), abs=0.03)]
    third = solutions["S3", 1.0].pairs["joint"]
    assert third.biases[:4] == pytest.approx([-0.47, -0.90, -1.24, -1.53], abs=0.08)
    assert third.pieces[0] == [pytest.approx((-1.30, 0.35), abs=0.05)]


def test_alternation_never_raises_the_cost(solutions):
    for solution in solutions.values():
        assert np.diff(solution.equilibria.costs, axis=0).max(initial=0) <= 1e-6


def test_a_start_without_bias_is_a_trap_and_a_saddle(solutions):
    assert solutions["S2", 2.0].equilibria.outcome.cost[0] == pytest.approx(0.693, abs=0.003)
    assert solutions["S4", 2.0].equilibria.outcome.cost[0] == pytest.approx(1.936, abs=0.003)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("key", [("S2", 1.0), ("S3", 1.0), ("S4", 2.0)], ids=lambda key: key[0])
def test_simulation_agrees_within_four_standard_errors(solutions, key, name):
    problem, pair = system(*key), solutions[key].pairs[name]
    found = simulate(
        problem,
        pair.scheduler,
        pair.estimator(problem.plant),
        paths=8000,
        steps=150,
        rng=np.random.default_rng(1),
    )
    assert abs(found.cost.mean() - pair.cost) < 4 * found.standard_error
    assert found.rate.mean() == pytest.approx(pair.rate, abs=0.01)
    assert found.mse.mean() == pytest.approx(pair.mse, abs=0.015)


def test_thresholds_solve_the_integral_equations_with_known_values():
    density = Mixture().pdf
    known = {0.5: (0.3254, 0.688), 1: (0.5411, 0.941), 2: (0.8507, 1.259), 5: (1.4279, 1.791)}
    for price, (cost, width) in known.items():
        found = best_threshold(price, density, 0.9, 0.95)
        assert found.cost == pytest.approx(cost, abs=1e-4)
        assert found.width == pytest.approx(width, abs=2e-3)
    average = best_threshold(2.0, density, 0.9)
    assert (average.cost, average.rate, average.mse) == pytest.approx(
        (0.8557, 0.266, 0.325), abs=1e-3
    )
    myopic = threshold_performance(np.sqrt(2), 2.0, density, 0.9, 0.95)
    assert myopic.cost == pytest.approx(0.8637, abs=1e-3)
    for width, cost in ((1.0, 0.8965), (1.5, 0.8881)):
        assert threshold_performance(width, 2.0, density, 0.9).cost == pytest.approx(cost, abs=1e-3)
    assert width_of_rate(average.rate, density, 0.9) == pytest.approx(average.width, abs=1e-6)


def test_a_plant_without_memory_has_closed_forms():
    assert closed.memoryless_exponential_cost(1.0, 0.0) == pytest.approx(0.4587, abs=1e-4)
    assert closed.memoryless_exponential_cost(1.0) == pytest.approx(0.3524, abs=1e-4)
    assert closed.memoryless_exponential_bias(1.0) == pytest.approx(-0.4064, abs=1e-4)
    for price in (0.5, 1.0, 3.0):
        assert best_threshold(price, Mixture().pdf, 0.0, 0.95).cost == pytest.approx(
            closed.memoryless_normal_cost(price), abs=1e-6
        )
    found = solve(system("S8"), np.random.default_rng(0), starts=2).pairs
    assert found["joint"].cost == pytest.approx(0.3524, rel=0.003)
    assert found["zero-bias"].cost == pytest.approx(0.4587, rel=0.003)
    assert found["joint"].biases[0] == pytest.approx(-0.4064, abs=0.02)


def test_half_of_a_coins_messages_are_superfluous():
    problem = system("S6")
    found = solve(problem, np.random.default_rng(0), grid=Grid(cells=321), starts=3).pairs
    assert found["zero-bias"].cost == pytest.approx(problem.price)
    assert found["joint"].cost == pytest.approx(closed.coin_cost(problem.price), rel=1e-4)
    assert found["joint"].rate == pytest.approx(0.5, abs=1e-4)
    assert found["joint"].mse < 1e-4


def test_a_grid_spans_eight_deviations_and_twenty_ages_unless_told():
    problem, size = system("S1"), Grid()
    assert size.of(problem.plant).centres[[0, -1]] == pytest.approx([-8, 8], rel=1 / size.cells)
    assert zero_bias(problem).biases.shape == (20,)


def test_best_of_periods_is_two_and_always_costs_the_price():
    assert [closed.periodic_cost(p, 2.0) for p in (1, 2)] == [2.0, 1.5]
    assert closed.periodic_cost(3, 2.0) > 1.5
    assert closed.periodic_cost(3, 2.0, a=1.0) == pytest.approx((2 + 1 + 2) / 3)


def test_the_plane_has_its_known_optimum_and_simulation_agrees():
    problem = system("S5")
    optimum = solve_planar(problem, count=81)
    assert optimum.cost == pytest.approx(2.123, rel=0.002)
    found = {
        rule: simulate(
            problem,
            rule,
            Predictor(problem.plant),
            paths=6000,
            steps=150,
            rng=np.random.default_rng(2),
        )
        for rule in (PlanarValue(optimum.reach, optimum.advantage), EventTriggered(1.7))
    }
    best, norm = found.values()
    assert abs(best.cost.mean() - optimum.cost) < 4 * best.standard_error + 0.002
    assert norm.cost.mean() == pytest.approx(2.128, rel=0.01)
    with pytest.raises(ValueError, match="two states"):
        solve_planar(system("S1"))


def test_starts_of_a_batch_do_not_touch_each_other():
    cells = Grid(cells=137, ages=8).of(system("S2").plant)
    first = np.array([np.zeros(8), np.full(8, -1.0), np.full(8, 2.0)])
    prices = np.array([1.0, 0.5, 2.0])
    together = alternate(cells, first, prices, 0.95)
    for row in range(3):
        alone = alternate(cells, first[[row]], prices[[row]], 0.95)
        assert alone.outcome.cost[0] == pytest.approx(together.outcome.cost[row], abs=1e-5)


def test_where_alternation_ends_the_receiver_cannot_gain_either():
    cells = Grid(cells=137, ages=8).of(system("S2").plant)
    prices = np.array([1.0])
    end = alternate(cells, np.full((1, 8), -1.0), prices, 0.95)
    biases, outcome = estimator_only(cells, end.biases, end.sender, prices, 0.95)
    assert end.outcome.cost[0] - outcome.cost[0] < 1e-6
    assert biases == pytest.approx(end.biases, abs=2e-3)


def test_of_many_candidates_a_start_takes_the_one_that_wastes_least():
    cells = Grid(cells=137, ages=8).of(system("S2").plant)

    def waste(tries, seed):
        bias = lloyd_start(cells, 1.0, 8, np.random.default_rng(seed), tries=tries)[0]
        return np.minimum((cells.centres - bias) ** 2, 1.0) @ cells.first

    alone = [waste(1, seed) for seed in range(8)]
    assert max(alone) > 2 * min(alone)  # some candidates lead nowhere
    assert waste(200, 0) <= min(alone) + 1e-9


def test_pairs_survive_their_tables(tmp_path, solutions):
    pair = solutions["S2", 1.0].pairs["joint"]
    for name, table in tables("S2", [pair]).items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    back = read_pair(read_optima(str(tmp_path)), "S2", 1.0, "joint")
    assert back.cost == pair.cost
    assert np.array_equal(back.biases, pair.biases)
    assert back.pieces == pair.pieces
    with pytest.raises(ValueError, match="no joint pair of S3"):
        read_pair(read_optima(str(tmp_path)), "S3", 1.0, "joint")
    with pytest.raises(FileNotFoundError, match="dvc repro estimation@exact"):
        read_optima(str(tmp_path / "nowhere"))


def test_silent_pieces_lie_between_changes_of_sign():
    centres = np.array([0.0, 1.0, 2.0, 3.0])
    assert silent_pieces(centres, np.array([1.0, -1.0, 3.0, -1.0])) == [(0.5, 1.25), (2.75, np.inf)]
    assert silent_pieces(centres, np.array([-1.0, -1.0, -1.0, 1.0])) == [(-np.inf, 2.5)]
    assert silent_pieces(centres, np.ones(4)) == []


def test_exact_solvers_refuse_plants_they_do_not_fit():
    for name in ("S5", "pendulum"):
        with pytest.raises(ValueError, match="not scalar and linear"):
            zero_bias(system(name))
