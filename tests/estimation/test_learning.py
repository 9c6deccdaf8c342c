import numpy as np
import pytest
import torch
from torch import nn

from schedlab.estimation.estimators.particle import ParticleFilter
from schedlab.estimation.estimators.predictors import Predictor
from schedlab.estimation.exact import closed
from schedlab.estimation.learning import rollouts
from schedlab.estimation.learning.dqn import learn_values
from schedlab.estimation.learning.estimators import BiasTable, ResidualNetwork, Silences
from schedlab.estimation.learning.lloyd import lloyd_biases
from schedlab.estimation.learning.networks import Perceptrons, clip_gradients
from schedlab.estimation.learning.ppo import advantages
from schedlab.estimation.learning.settings import DQNSettings, TrainingSettings
from schedlab.estimation.learning.training import Member, train
from schedlab.estimation.learning.world import World
from schedlab.estimation.noise import Mixture
from schedlab.estimation.observation import observe
from schedlab.estimation.plants import Problem, linear, system
from schedlab.estimation.simulate import simulate

SMALL = TrainingSettings(
    plants=16, steps=16, iterations=2, minibatch=64, check_plants=32, check_steps=20, ages=6
)
QUICK = TrainingSettings(plants=64, minibatch=512, hidden=[24, 24], check_plants=256, ages=10)


def streams(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def trained(name, start="lloyd", seeds=(0, 1), **changes):
    problem = system(name)
    members = [Member(seed, problem.price, start) for seed in seeds]
    return problem, train(problem, members, QUICK.model_copy(update=changes))


def cost_of(problem, pair, paths=2000):
    rng = np.random.default_rng(7)
    return simulate(problem, pair.scheduler, pair.estimator, paths=paths, steps=150, rng=rng)


def test_perceptrons_are_plain_networks_side_by_side():
    stacked = Perceptrons([3, 5, 2], streams(0, 1, 2))
    x = torch.randn(3, 7, 3)
    for i in range(3):
        plain = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
        plain[0].weight.data = stacked.weights[0][i].T
        plain[0].bias.data = stacked.biases[0][i, 0]
        plain[2].weight.data = stacked.weights[1][i].T
        plain[2].bias.data = stacked.biases[1][i, 0]
        torch.testing.assert_close(stacked(x)[i], plain(x[i]))


def test_gradients_are_clipped_member_by_member():
    parameters = [torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 1, 2, requires_grad=True)]
    parameters[0].grad = torch.tensor([[3.0, 0, 0], [0.1, 0, 0]])
    parameters[1].grad = torch.tensor([[[4.0, 0]], [[0, 0]]])
    clip_gradients(parameters, 0.5)
    assert parameters[0].grad[:, 0].tolist() == pytest.approx([0.3, 0.1], abs=1e-5)
    assert parameters[1].grad[0, 0, 0] == pytest.approx(0.4, abs=1e-5)


def test_advantages_equal_their_definition_and_bootstrap_at_the_cut():
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(6, 2)), rng.normal(size=(7, 2))
    expected = np.zeros((6, 2))
    for t in range(6):
        for later in range(t, 6):
            error = rewards[later] + 0.9 * values[later + 1] - values[later]
            expected[t] += (0.9 * 0.8) ** (later - t) * error
    found = advantages(torch.tensor(rewards), torch.tensor(values), 0.9, 0.8)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["S5", "van_der_pol"])
def test_the_world_moves_as_its_plant_does(name):
    problem = system(name)
    world = World(problem, [np.random.default_rng(0)], 5)
    plant, dice = problem.plant, np.random.default_rng(1)
    state = plant.start + np.zeros((5, plant.dimension))
    own = np.random.default_rng(0)
    first = plant.noise.sample(own, (1, 5, plant.noise_dimension))[0]
    last = predicted = state
    state, predicted = plant.transition(state, first, np), plant.quiet_step(predicted)
    for _ in range(6):
        view = world.view()
        off = (view.state - view.predicted)[0].numpy()
        np.testing.assert_allclose(off, state - predicted, atol=1e-4)
        sent = dice.random(5) < 0.4
        noise = world.draw(1)[0]
        world.advance(torch.tensor(sent)[None], noise)
        heard = sent[:, None]
        last, predicted = np.where(heard, state, last), np.where(heard, state, predicted)
        state = plant.transition(state, noise[0].numpy(), np)
        predicted = plant.quiet_step(predicted)
    assert world.age[0, sent].eq(1).all()
    assert world.age[0, ~sent].ge(2).all()


def test_after_a_message_the_next_error_is_fresh_noise_not_zero():
    world = World(system("S1"), [np.random.default_rng(0)], 1000)
    world.advance(torch.ones(1, 1000, dtype=torch.bool), world.draw(1)[0])
    assert float(world.state.std()) == pytest.approx(1.0, abs=0.1)


def test_an_unstable_plant_stays_finite_when_messages_are_forced():
    problem = Problem(linear(1.6, Mixture()), price=5.0)
    settings = SMALL.model_copy(update={"rounds": 1, "longest_silence": 4})
    found = train(problem, [Member(0, 5.0)], settings)
    run = cost_of(problem, found.pairs[0], paths=100)
    assert np.isfinite(found.history["cost"]).all()
    assert run.rate.min() >= 0.25 - 1 / 150


def test_lloyd_finds_one_of_two_peaks_and_the_cell_of_an_exponential():
    rng = np.random.default_rng(0)
    options = {"ages": 1, "samples": 20000, "tries": 8}
    two = lloyd_biases(system("S4"), np.zeros((1, 1)), 2.0, rng, **options)
    assert abs(two[0, 0, 0]) == pytest.approx(2.0, abs=0.02)
    one = lloyd_biases(system("S8"), np.zeros((1, 1)), 1.0, rng, **options)
    assert one[0, 0, 0] == pytest.approx(closed.memoryless_exponential_bias(1.0), abs=0.05)


def test_lloyd_starts_every_message_of_a_nonlinear_plant_on_its_own():
    problem = system("unicycle")
    last = np.array([[0.0, 0.0, 0.0], [5.0, 1.0, np.pi / 2]])
    rng = np.random.default_rng(0)
    biases = lloyd_biases(problem, last, 0.05, rng, ages=3, samples=4000, tries=4)
    turned = np.stack([biases[:, 0, 1], -biases[:, 0, 0]])  # the plant turned by a right angle
    np.testing.assert_allclose(-turned, biases[:, 1, :2].T, atol=0.03)


def test_a_table_holds_conditional_means_and_keeps_what_it_saw_too_little_of():
    table = BiasTable(torch.full((2, 2, 1), 9.0), fewest=2)
    found = Silences(
        last=torch.zeros(2, 4, 1),
        age=torch.tensor([[1, 1, 2, 5], [1, 1, 1, 1]]),
        residual=torch.tensor([[[1.0], [3.0], [4.0], [8.0]], [[1.0], [1.0], [1.0], [1.0]]]),
        silent=torch.tensor([[True] * 4, [True, False, False, False]]),
    )
    enough = table.fit(found, torch.tensor([True, True]))
    assert table.biases[..., 0].tolist() == [[2.0, 6.0], [9.0, 9.0]]
    assert enough.tolist() == [True, False]


def test_a_network_learns_the_means_of_silence_and_a_frozen_one_does_not_move():
    problem = system("S2")
    context = rollouts.context_of(problem, 1.0)
    network = ResidualNetwork(1, context, TrainingSettings(estimator_steps=300), streams(0, 1))
    age = torch.randint(1, 5, (2, 4000), generator=streams(3)[0])
    residual = (-0.5 * age + 0.1 * torch.randn(2, 4000))[..., None]
    found = Silences(torch.zeros(2, 4000, 1), age, residual, torch.ones(2, 4000, dtype=torch.bool))
    before = network.correction(torch.zeros(2, 4, 1), torch.arange(1, 5).expand(2, -1)).detach()
    network.fit(found, torch.tensor([True, False]))
    after = network.correction(torch.zeros(2, 4, 1), torch.arange(1, 5).expand(2, -1)).detach()
    assert after[0, :, 0].tolist() == pytest.approx([-0.5, -1.0, -1.5, -2.0], abs=0.08)
    assert torch.equal(after[1], before[1])


@pytest.mark.parametrize("estimator", ["table", "network"])
def test_a_batch_learns_what_each_member_learns_alone(estimator):
    settings = SMALL.model_copy(update={"rounds": 2, "estimator": estimator, "estimator_steps": 20})
    problem = system("S2")
    members = [Member(3, 1.0, "lloyd"), Member(4, 0.5, "zero"), Member(4, 1.0, learns=False)]
    together = train(problem, members, settings).history
    for member in members:
        alone = train(problem, [member], settings).history
        chosen = together["seed"].eq(member.seed) & together["price"].eq(member.price)
        chosen &= together["learns"] == member.learns
        for column in ("cost", "rate", "mse"):
            np.testing.assert_allclose(together[chosen][column], alone[column], rtol=2e-3)


def test_learning_on_a_coin_sends_every_second_state_and_is_never_wrong():
    problem, found = trained("S6", rounds=5)
    run = cost_of(problem, found.pairs[0])
    assert run.rate.mean() == pytest.approx(0.5, abs=0.02)
    assert run.mse.mean() < 1e-3
    assert run.cost.mean() == pytest.approx(closed.coin_cost(problem.price), rel=0.03)


@pytest.mark.parametrize(
    ("name", "optimum"),
    [
        ("S7", closed.memoryless_normal_cost(1.0)),
        ("S8", closed.memoryless_exponential_cost(1.0)),
    ],
)
def test_learning_without_memory_meets_the_closed_form_and_never_beats_it(name, optimum):
    problem, found = trained(name, rounds=4)
    for pair in found.pairs:
        run = cost_of(problem, pair)
        assert run.cost.mean() < 1.03 * optimum
        assert run.cost.mean() > optimum - 3 * run.standard_error


def test_judged_between_rounds_and_simulated_afterwards_agree():
    problem, found = trained("S3", rounds=2, seeds=(0,), check_plants=2000, check_steps=150)
    judged = found.history["cost"].min()
    run = cost_of(problem, found.pairs[0])
    assert judged == pytest.approx(run.cost.mean(), abs=5 * run.standard_error)


def test_where_everything_is_sent_the_estimator_is_left_alone():
    problem = system("S4", price=0.01)
    settings = SMALL.model_copy(update={"rounds": 3, "iterations": 6, "fewest_silences": 200})
    history = train(problem, [Member(0, 0.01)], settings).history
    assert not history["fed"].iloc[-1]
    assert history["rate"].iloc[-1] > 0.9


def test_the_deep_q_network_meets_the_blind_optimum():
    problem = system("S7")
    settings = DQNSettings(updates=400, plants=16, hidden=[32, 32], batch=64)
    (scheduler,) = learn_values(problem, [Member(0, problem.price)], settings)
    rng = np.random.default_rng(7)
    blind = Predictor(problem.plant)
    run = simulate(problem, scheduler, blind, paths=2000, steps=100, rng=rng)
    assert run.cost.mean() == pytest.approx(closed.memoryless_normal_cost(1.0), rel=0.03)


def test_a_learned_pair_serves_one_plant_a_filter_and_any_origin():
    problem, found = trained("S2", rounds=1, seeds=(0,))
    pair, rng = found.pairs[0], np.random.default_rng(0)
    last = rng.normal(size=(50, 1))
    age = rng.integers(1, 6, 50)
    predicted, error = problem.plant.roll_out(last, age), rng.normal(size=(50, 1))
    estimate = pair.estimator.predict(last, age)
    there = observe(predicted + error, estimate, predicted, last, age)
    zero = np.zeros((50, 1))
    here = observe(error, estimate - predicted, zero, zero, age)
    sent = pair.scheduler.act(there)
    assert 0 < sent.sum() < 50
    np.testing.assert_array_equal(sent, pair.scheduler.act(here))
    np.testing.assert_array_equal(sent, pair.scheduler.act(there, rng))
    assert [pair.scheduler.transmit(row) for row in there[:5]] == sent[:5].tolist()
    reader = ParticleFilter(problem.plant, pair.scheduler, rng, particles=4000)
    reader.reset(np.zeros((1, 1)))
    assert reader.propose()[0] == pytest.approx(pair.estimator.biases(1)[0], abs=0.05)
