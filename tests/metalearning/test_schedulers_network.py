"""The neural scheduler against plain modules, and its policy gradient against enumeration."""

import itertools
import math

import pytest
import torch
from torch import nn

from schedlab.metalearning.schedulers import ATS, Feedback, Selection, State
from schedlab.metalearning.schedulers.network import SchedulerNetwork, gated
from schedlab.metalearning.schedulers.reinforce import Advantage, categorical, plackett_luce

CLASSIFIER = {"norms": 10, "cosines": 10, "losses": 1}
REGRESSOR = {"cosines": 6, "losses": 1}


def factors(widths, n=7, seed=0):
    g = torch.Generator().manual_seed(seed)
    return {name: torch.randn(n, width, generator=g) for name, width in widths.items()}


def count(network):
    return sum(p.numel() for p in network.parameters())


def concatenated(network, given):
    """The input of all later layers in stage 42, by the modules' own calls."""
    parts = [network.progress(torch.full((len(given["losses"]),), 42))]
    parts += [lstm(given[name][None])[0][0] for name, lstm in network.lstms.items()]
    return torch.cat(parts, 1)


def headed(network, x, others):
    """The logits of tasks with others as their context."""
    return network.fc2(torch.tanh(network.fc1(torch.cat([x, network.h(others)], 1))))[:, 0]


def test_the_networks_have_the_published_numbers_of_parameters():
    assert count(SchedulerNetwork(CLASSIFIER, 0)) == 8131
    assert count(SchedulerNetwork(REGRESSOR, 0)) == 5251
    assert count(ATS(10, 0).network) == 8131
    assert count(ATS(6, 0, norms=False).network) == 5251


@pytest.mark.parametrize("width", [1, 6, 10])
def test_a_gated_layer_is_the_lstm_over_one_step(width):
    lstm = SchedulerNetwork({"x": width}, 0).lstms["x"]
    assert isinstance(lstm, nn.LSTM)
    inputs = factors({"x": width})["x"]
    torch.testing.assert_close(gated(lstm, inputs), lstm(inputs[None])[0][0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("context", ["tasks", "features"])
@pytest.mark.parametrize("widths", [CLASSIFIER, REGRESSOR])
@pytest.mark.parametrize("n", [2, 7])
def test_logits_are_those_of_plain_modules(n, widths, context):
    network, given = SchedulerNetwork(widths, 1, context), factors(widths, n)
    x = concatenated(network, given)
    others = []
    for i in range(n):
        if context == "tasks":
            others.append(torch.cat([x[:i], x[i + 1 :]]).mean(0))
        else:
            others.append((x[i].sum() - x[i]) / (n - 1))
    expected = headed(network, x, torch.stack(others))
    torch.testing.assert_close(network(given, 0.4299), expected, atol=1e-5, rtol=1e-5)


def test_a_task_without_others_has_nothing_as_context():
    network, given = SchedulerNetwork(CLASSIFIER, 1, "tasks"), factors(CLASSIFIER, 1)
    x = concatenated(network, given)
    expected = headed(network, x, torch.zeros_like(x))
    torch.testing.assert_close(network(given, 0.4299), expected, atol=1e-5, rtol=1e-5)


def test_only_with_the_intended_context_do_tasks_interact():
    before = factors(REGRESSOR)
    after = {**before, "losses": before["losses"].clone()}
    after["losses"][0] += 1
    published = SchedulerNetwork(REGRESSOR, 0, "features")
    assert torch.equal(published(before, 0.5)[1:], published(after, 0.5)[1:])
    assert published(before, 0.5)[0] != published(after, 0.5)[0]
    intended = SchedulerNetwork(REGRESSOR, 0, "tasks")
    assert (intended(before, 0.5)[1:] != intended(after, 0.5)[1:]).all()


def test_progress_is_told_apart_and_never_runs_off_the_table():
    network, given = SchedulerNetwork(REGRESSOR, 0), factors(REGRESSOR)
    assert torch.equal(network(given, 0.101), network(given, 0.109))
    assert not torch.equal(network(given, 0.10), network(given, 0.90))
    assert torch.equal(network(given, 1.0), network(given, 0.995))


@pytest.mark.parametrize(
    "call", [lambda: SchedulerNetwork({}, 0), lambda: SchedulerNetwork(REGRESSOR, 0, "all")]
)
def test_a_network_without_factors_or_with_an_unknown_context_is_refused(call):
    with pytest.raises(ValueError, match=r"factor|context"):
        call()


def pool(n=8, **changes):
    g = torch.Generator().manual_seed(3)
    losses, cosines = torch.rand(n, generator=g), torch.rand(n, 6, generator=g)
    return State(progress=0.2, batch=3, losses=losses, cosines=cosines, **changes)


def test_a_cold_scheduler_is_greedy_and_a_hot_one_uniform():
    cold = ATS(6, 0, preset="fast", min_temperature=0.0, decay=1e-6)
    weights = cold.weights(pool(step=0), final=True)
    assert int(weights.argmax()) == int(cold.logits(pool()).argmax())
    assert float(weights.max()) == pytest.approx(1, abs=1e-4)
    hot = ATS(6, 0, preset="fast", min_temperature=1e6)
    torch.testing.assert_close(hot.weights(pool(), final=True), torch.full((8,), 1 / 8))


@pytest.mark.parametrize("preset", ["paper", "fast"])
def test_temperature_falls_to_its_floor(preset):
    scheduler = ATS(6, 0, preset=preset)
    assert scheduler.temperature(0) == pytest.approx(0.99)
    assert scheduler.temperature(228) > 0.1
    assert scheduler.temperature(230) == 0.1


def test_temperature_counts_in_the_real_update_only():
    scheduler = ATS(6, 0, preset="fast")
    expected = (scheduler.logits(pool()) / 0.1).softmax(0)
    torch.testing.assert_close(scheduler.weights(pool(step=400), final=True), expected.detach())
    free = scheduler.logits(pool()).softmax(0).detach()
    torch.testing.assert_close(scheduler.weights(pool(step=400)), free)


@pytest.mark.parametrize(
    ("factors_used", "needs"),
    [
        ("both", {"norms", "cosines", "losses"}),
        ("loss", {"losses"}),
        ("similarity", {"norms", "cosines"}),
    ],
)
def test_an_ablation_needs_and_sees_only_its_factor(factors_used, needs):
    assert ATS(6, 0, factors=factors_used).needs == needs
    assert ATS(6, 0, "fast", factors=factors_used).needs == needs - {"norms"}


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "slow"},
        {"factors": "none"},
        {"context": "all"},
        {"log_probability": "exact"},
        {"baseline": "median"},
        {"reward": "praise"},
        {"temprature": 1.0},
    ],
)
def test_unknown_options_are_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}: expected|unknown option"):
        ATS(6, 0, **options)


def test_plackett_luce_probabilities_of_all_ordered_choices_sum_to_one():
    logits = torch.randn(5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p = logits.softmax(0).tolist()
    total = 0.0
    for i, j, k in itertools.permutations(range(5), 3):
        taken = Selection(torch.tensor([i, j, k]), torch.ones(3) / 3)
        law = p[i] * p[j] / (1 - p[i]) * p[k] / (1 - p[i] - p[j])
        assert float(plackett_luce(logits, taken)) == pytest.approx(math.log(law))
        assert float(categorical(logits, taken)) == pytest.approx(math.log(p[i] * p[j] * p[k]))
        total += law
    assert total == pytest.approx(1)


def test_both_log_probabilities_agree_on_one_draw_and_leave_fillers_out():
    logits = torch.tensor([0.3, -1.0, 2.0])
    taken = Selection(torch.tensor([2, 0]), torch.tensor([1.0, 0.0]))
    assert float(categorical(logits, taken)) == pytest.approx(float(plackett_luce(logits, taken)))
    assert float(categorical(logits, taken)) == pytest.approx(float(logits.log_softmax(0)[2]))


def test_the_expected_policy_gradient_is_that_of_the_expected_reward():
    logits = torch.tensor([0.3, -1.2, 0.8, 0.1], dtype=torch.float64, requires_grad=True)
    values = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    expected, surrogate = 0.0, 0.0
    for pair in itertools.permutations(range(4), 2):
        taken = Selection(torch.tensor(pair), torch.ones(2) / 2)
        log_p, reward = plackett_luce(logits, taken), values[list(pair)].prod()
        expected = expected + log_p.exp() * reward
        surrogate = surrogate + log_p.exp().detach() * log_p * (reward - 7.0)  # any baseline
    (direct,) = torch.autograd.grad(expected, logits, retain_graph=True)
    (estimated,) = torch.autograd.grad(surrogate, logits)
    torch.testing.assert_close(estimated, direct)


def test_an_update_is_one_step_of_adam_on_the_policy_loss():
    scheduler, twin = ATS(6, 0, preset="paper"), ATS(6, 0, preset="paper")
    state = pool(norms=torch.rand(8, 6, generator=torch.Generator().manual_seed(1)))
    taken = Selection(torch.tensor([1, 4]), torch.ones(2) / 2)
    optimizer = torch.optim.Adam(twin.network.parameters(), lr=1e-3)
    mean = 0.0
    for step, reward in enumerate([0.4, 0.9, 0.1]):
        scheduler.update(Feedback(state, torch.ones(8) / 8, taken, reward=reward))
        loss = -twin.logits(state).log_softmax(0)[[1, 4]].sum() * (reward - mean)
        mean += (reward - mean) / (step + 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(scheduler.logits(state), twin.logits(state), atol=1e-6, rtol=1e-5)


def test_advantages_follow_their_baselines():
    assert [Advantage("none", False)(r) for r in (0.5, 2.0)] == [0.5, 2.0]
    running = Advantage("running_mean", False)
    assert [running(r) for r in (1.0, 2.0, 6.0)] == pytest.approx([1.0, 1.0, 4.5])
    paired = Advantage("paired", False)
    found = [paired(r, 10.0) for r in (11.0, 13.0, 10.0)]
    second = (0.05 * 3 + 0.95 * 0.05 * 1) / (1 - 0.95**2)
    assert found == pytest.approx([0.0, 2.0, 0.0 - second])
    scaled = Advantage("none", True)
    assert scaled(5.0) == pytest.approx(1.0)
    assert scaled(0.0) == 0.0
    assert Advantage("none", True)(0.0) == 0.0


def test_a_paired_baseline_needs_its_reference():
    with pytest.raises(ValueError, match="reference"):
        Advantage("paired", False)(1.0)
