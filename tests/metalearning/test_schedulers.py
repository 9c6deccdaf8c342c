"""Every task scheduler against its equations, hand-made decisions and limits."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schedlab.metalearning.schedulers import (
    ATS,
    BASS,
    DAML,
    PRESETS,
    SCHEDULERS,
    Bilevel,
    ClassPairs,
    Feedback,
    Focal,
    GradientMedoids,
    Hardest,
    MostSimilar,
    Oracle,
    ReweightedATS,
    Selection,
    SelfInformation,
    SelfPaced,
    State,
    Uniform,
    sample,
)
from schedlab.metalearning.schedulers.asr import diversity, entropy
from schedlab.metalearning.schedulers.bass import parameter_gradients
from schedlab.metalearning.schedulers.derts import medoids

TENSORS = 6
LEARNED = ("ats", "ats_reweighted", "bass", "asr")


def pool(n: int = 10, seed: int = 0, **changes) -> State:
    g = torch.Generator().manual_seed(seed)
    fields = {
        "progress": 0.3,
        "step": 7,
        "batch": 4,
        "losses": torch.rand(n, generator=g) * 2,
        "cosines": torch.rand(n, TENSORS, generator=g) * 2 - 1,
        "norms": torch.rand(n, TENSORS, generator=g),
        "features": torch.randn(n, 8, generator=g),
        "classes": torch.stack([torch.randperm(20, generator=g)[:5] for _ in range(n)]),
        "noisy": torch.rand(n, generator=g) < 0.6,
        "support_features": torch.randn(n, 10, 8, generator=g),
        "support_labels": torch.arange(5).repeat(n, 2),
        "support_gradients": torch.randn(n, 90, generator=g),
        "query_gradients": torch.randn(n, 90, generator=g),
    }
    return State(**{**fields, **changes})


def permuted(state: State, order: torch.Tensor) -> State:
    values = {k: v[order] if isinstance(v, torch.Tensor) else v for k, v in vars(state).items()}
    return State(**values)


def teach(scheduler, steps: int = 12, seed: int = 5) -> None:
    g = torch.Generator().manual_seed(seed)
    for k in range(steps):
        state = pool(seed=k, step=k)
        weights = scheduler.weights(state)
        selection = scheduler.select(weights, state.batch, g)
        scheduler.update(
            Feedback(
                state,
                weights,
                selection,
                reward=float(torch.rand((), generator=g)),
                reference=0.5,
                confusion=torch.rand(len(selection.indices), 5, 5, generator=g),
                task_rewards=torch.rand(len(selection.indices), generator=g),
            )
        )


@pytest.mark.parametrize("name", SCHEDULERS)
def test_weights_are_probabilities_before_and_after_learning(name):
    scheduler = SCHEDULERS[name](TENSORS, 3)
    for final in (False, True):
        weights = scheduler.weights(pool(), final=final)
        assert weights.shape == (10,)
        assert (weights >= 0).all()
        assert float(weights.sum()) == pytest.approx(1, abs=1e-5)
        assert not weights.requires_grad
        teach(scheduler)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_candidates_have_no_order(name):
    scheduler = SCHEDULERS[name](TENSORS, 3)
    teach(scheduler)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    straight = scheduler.weights(pool(), final=True)
    shuffled = scheduler.weights(permuted(pool(), order), final=True)
    torch.testing.assert_close(shuffled, straight[order], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_resumed_scheduler_goes_on_bit_for_bit(name, tmp_path):
    first, second = SCHEDULERS[name](TENSORS, 3), SCHEDULERS[name](TENSORS, 8)
    teach(first)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for scheduler in (first, second):
        teach(scheduler, seed=6)
    assert torch.equal(first.weights(pool(), final=True), second.weights(pool(), final=True))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_pool_without_what_is_needed_is_refused(name):
    scheduler = SCHEDULERS[name](TENSORS, 3)
    state_needs = sorted(scheduler.needs & set(vars(pool())))
    for missing in state_needs:
        with pytest.raises(ValueError, match=missing):
            scheduler.weights(pool(**{missing: None}))


@pytest.mark.parametrize("name", LEARNED)
def test_learning_without_a_reward_is_refused(name):
    scheduler = SCHEDULERS[name](TENSORS, 3)
    state = pool()
    weights = scheduler.weights(state)
    selection = scheduler.select(weights, 4, torch.Generator())
    with pytest.raises(ValueError, match="reward"):
        scheduler.update(Feedback(state, weights, selection))


# --- drawing from a pool -------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=12), st.integers(0, 99))
def test_a_batch_as_large_as_the_pool_takes_every_task_once(weights, seed):
    n = len(weights)
    taken = sample(torch.tensor(weights), n, torch.Generator().manual_seed(seed))
    assert sorted(taken.indices.tolist()) == list(range(n))
    assert taken.coefficients.tolist() == pytest.approx([1 / n] * n)


def test_with_fewer_positive_weights_than_asked_all_of_them_are_taken():
    weights = torch.tensor([0.0, 0.9, 0.0, 0.1, 0.0])
    taken = sample(weights, 4, torch.Generator().manual_seed(0))
    assert set(taken.indices[taken.coefficients > 0].tolist()) == {1, 3}
    assert taken.coefficients.tolist() == [0.5, 0.5, 0.0, 0.0]
    assert len(set(taken.indices.tolist())) == 4


def test_draws_without_replacement_have_the_law_of_renormalised_draws():
    weights, size, draws = torch.tensor([0.5, 0.3, 0.15, 0.05]), 2, 20_000
    g = torch.Generator().manual_seed(0)
    counts = dict.fromkeys(itertools.permutations(range(4), size), 0)
    for _ in range(draws):
        counts[tuple(sample(weights, size, g).indices.tolist())] += 1
    p = weights.double().numpy()
    for (i, j), count in counts.items():
        law = p[i] * p[j] / (1 - p[i])
        assert count / draws == pytest.approx(law, abs=4 * math.sqrt(law / draws))


def test_draws_with_replacement_repeat_tasks():
    taken = sample(torch.tensor([1.0, 0.0]), 5, torch.Generator().manual_seed(0), replace=True)
    assert taken.indices.tolist() == [0] * 5
    assert taken.coefficients.tolist() == pytest.approx([0.2] * 5)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-0.1, 1.1], [math.nan, 1.0], [math.inf, 1.0]])
def test_what_is_no_distribution_is_refused(weights):
    with pytest.raises(ValueError, match="weights must be"):
        sample(torch.tensor(weights), 1, torch.Generator())


@pytest.mark.parametrize("batch", [0, 3])
def test_an_impossible_batch_is_refused(batch):
    with pytest.raises(ValueError, match="cannot take"):
        sample(torch.tensor([0.5, 0.5]), batch, torch.Generator())


# --- rules ---------------------------------------------------------------------------------------


def test_uniform_is_uniform():
    assert Uniform().weights(pool(8)).tolist() == [1 / 8] * 8


def test_rules_take_what_they_say():
    state = pool(6, batch=2, losses=torch.tensor([3.0, 1.0, 2.0, 5.0, 4.0, 0.5]))
    assert SelfPaced().weights(state).tolist() == [0, 0.5, 0, 0, 0, 0.5]
    assert Hardest().weights(state).tolist() == [0, 0, 0, 0.5, 0.5, 0]
    similar = pool(3, batch=1, cosines=torch.tensor([[0.9, -0.9], [0.2, 0.3], [0.5, -0.1]]))
    assert MostSimilar().weights(similar).tolist() == [0, 1, 0]


def test_a_growing_threshold_lets_harder_tasks_in():
    losses = torch.tensor([0.5, 1.05, 1.5, 3.0])
    scheduler = SelfPaced(threshold=1.0, growth=1.1)
    shares = [scheduler.weights(pool(4, losses=losses, step=k)) for k in (0, 1, 5, 12)]
    assert [int((w > 0).sum()) for w in shares] == [1, 2, 3, 4]
    below = SelfPaced(threshold=0.1).weights(pool(4, losses=losses, step=0))
    assert below.tolist() == [1, 0, 0, 0]


def test_the_oracle_takes_clean_tasks_while_there_are_any():
    noisy = torch.tensor([True, False, True, False])
    assert Oracle().weights(pool(4, noisy=noisy)).tolist() == [0, 0.5, 0, 0.5]
    assert Oracle().weights(pool(4, noisy=noisy | True)).tolist() == [0.25] * 4


# --- losses of another shape ---------------------------------------------------------------------


def test_focal_loss_is_its_formula_and_without_gamma_cross_entropy():
    g = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 3, 7, 5, generator=g)
    targets = torch.randint(5, (2, 3, 7), generator=g)
    p = outputs.softmax(-1).gather(-1, targets[..., None])[..., 0]
    expected = (-((1 - p) ** 2) * p.log()).mean(-1)
    torch.testing.assert_close(Focal().query_loss(outputs, targets), expected)
    odd = (-((1 - p) ** 3) * p.log()).mean(-1)
    torch.testing.assert_close(Focal(gamma=3).query_loss(outputs, targets), odd)
    plain = Focal(gamma=0).query_loss(outputs, targets)
    torch.testing.assert_close(plain, -p.log().mean(-1))


def test_daml_counts_hard_tasks_more_and_without_eta_all_alike():
    outputs = torch.tensor([[[1.0], [1.0]], [[2.0], [2.0]]], requires_grad=True)
    targets = torch.zeros(2, 2, 1)
    plain = DAML(eta=0).query_loss(outputs, targets)
    assert plain.tolist() == pytest.approx([1, 4])
    weighed = DAML().query_loss(outputs, targets)
    assert weighed.tolist() == pytest.approx([1 * 1 / 2.5, 4 * 4 / 2.5])
    (slope,) = torch.autograd.grad(weighed.sum(), outputs)
    assert slope[:, 0, 0].tolist() == pytest.approx([1 * 1 / 2.5, 2 * 4 / 2.5])


# --- class pairs ---------------------------------------------------------------------------------


def test_class_pairs_follow_their_update_and_score_by_hand():
    tau, alpha = 0.7, 2.0
    scheduler = ClassPairs(tau=tau, alpha=alpha)
    classes = torch.tensor([[0, 1, 2], [0, 1, 3], [2, 3, 4]])
    state = pool(3, batch=1, classes=classes)
    confusion = torch.tensor([[[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.0, 0.2, 0.8]]])
    taken = Selection(torch.tensor([0]), torch.tensor([1.0]))
    for _ in range(2):
        scheduler.update(Feedback(state, torch.ones(3) / 3, taken, confusion=confusion))
    pair = math.exp(alpha * (0.1 + 0.3))  # classes 0 and 1: C = 1 at first
    assert float(scheduler.log_potential[0, 1].exp()) == pytest.approx(pair**tau * pair, rel=1e-5)
    potential = scheduler.log_potential.double().exp().numpy()
    potential = np.pad(potential, (0, 5 - len(potential)), constant_values=1.0)
    scores = [
        sum(np.prod([potential[j, c] for j in task if j != c]) for c in task)
        for task in classes.tolist()
    ]
    assert int(scheduler.weights(state).argmax()) == int(np.argmax(scores))
    drawn = ClassPairs(rule="sample")
    drawn.load_state_dict(scheduler.state_dict())
    products = [
        np.prod([potential[i, j] for i, j in itertools.combinations(task, 2)])
        for task in classes.tolist()
    ]
    expected = np.array(products) / np.sum(products)
    np.testing.assert_allclose(drawn.weights(state).numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize("options", [{"tau": 0.0}, {"tau": 1.0}, {"alpha": 0.0}])
def test_class_pairs_refuse_constants_that_would_forget_all_or_nothing_or_not_learn(options):
    with pytest.raises(ValueError, match="0 < tau < 1 and alpha > 0"):
        ClassPairs(**options)


def test_class_pairs_learn_nothing_from_a_task_that_only_fills_up():
    scheduler = ClassPairs(alpha=0.5)
    state = pool(2, batch=2, classes=torch.tensor([[0, 1], [2, 3]]))
    taken = Selection(torch.tensor([0, 1]), torch.tensor([1.0, 0.0]))
    scheduler.update(Feedback(state, torch.ones(2) / 2, taken, confusion=torch.ones(2, 2, 2)))
    assert scheduler.log_potential.nonzero().tolist() == [[0, 1], [1, 0]]
    assert float(scheduler.log_potential[0, 1]) == 1.0  # 0.5 (1 + 1)


def test_class_pairs_do_not_overflow():
    scheduler = ClassPairs(tau=0.999, alpha=50.0)
    state = pool(2, batch=1, classes=torch.tensor([[0, 1], [2, 3]]))
    taken = Selection(torch.tensor([0]), torch.tensor([1.0]))
    for _ in range(200):
        scheduler.update(Feedback(state, torch.ones(2) / 2, taken, confusion=torch.ones(1, 2, 2)))
    assert scheduler.weights(state).tolist() == [1, 0]


# --- self-information ----------------------------------------------------------------------------


def test_the_utility_is_minus_the_log_of_the_mixture():
    scheduler = SelfInformation(bandwidth=0.8)
    state = pool(6)
    first = Selection(torch.arange(4), torch.ones(4) / 4)
    scheduler.update(Feedback(state, torch.ones(6) / 6, first))
    known = state.features[:4].double()
    distances = torch.cdist(known, known).square()
    variance = 0.8**2 * float(distances.mean())  # all ordered pairs, a task with itself included
    points = state.features.double()
    eye = torch.eye(8, dtype=torch.float64)
    law = torch.distributions.MultivariateNormal(torch.zeros(8).double(), variance * eye)
    mixture = torch.stack([law.log_prob(points - k) for k in known]).logsumexp(0)
    utility = scheduler.utility(state.features).double()
    expected = -mixture + math.log(4)
    torch.testing.assert_close(utility - utility[0], expected - expected[0], rtol=1e-4, atol=1e-4)


# --- DERTS ---------------------------------------------------------------------------------------


def test_medoids_of_separate_clusters_are_found_and_weigh_as_many_as_they_stand_for():
    g = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    gradients = torch.cat(
        [c + 0.1 * torch.randn(k, 2, generator=g) for c, k in zip(centres, (5, 3, 2), strict=True)]
    )
    weights = GradientMedoids().weights(pool(10, batch=3, query_gradients=gradients))
    groups = [weights[:5], weights[5:8], weights[8:]]
    assert [int((w > 0).sum()) for w in groups] == [1, 1, 1]
    assert [float(w.sum()) for w in groups] == pytest.approx([0.5, 0.3, 0.2])
    taken = GradientMedoids().select(weights, 3, g)
    assert float((taken.coefficients @ gradients[taken.indices] - gradients.mean(0)).norm()) < 0.1


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999))
def test_greedy_medoids_keep_the_promise_of_submodularity(seed):
    points = torch.randn(8, 3, generator=torch.Generator().manual_seed(seed))
    distances = torch.cdist(points, points)
    worst = float(distances.max()) * 8
    costs = [
        float(distances[:, list(subset)].min(1).values.sum())
        for subset in itertools.combinations(range(8), 3)
    ]
    greedy = float(distances[:, medoids(distances, 3)].min(1).values.sum())
    assert worst - greedy >= (1 - 1 / math.e) * (worst - min(costs)) - 1e-4


def test_a_subset_of_the_whole_pool_has_the_pools_gradient():
    state = pool(6, batch=6)
    assert GradientMedoids().weights(state).tolist() == pytest.approx([1 / 6] * 6)


# --- ASr and BASS --------------------------------------------------------------------------------


def test_coding_rates_are_their_formulas():
    g = torch.Generator().manual_seed(1)
    features = torch.randn(2, 6, 4, generator=g, dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 1, 1, 2]).repeat(2, 1)
    z = features[0] / features[0].norm(dim=1, keepdim=True)
    eye = torch.eye(4, dtype=torch.float64)
    whole = 3 * torch.logdet(eye + z.T @ z / (6 * 0.01))
    assert float(diversity(features)[0]) == pytest.approx(float(whole))
    inside = sum(
        len(own) / 12 * torch.logdet(eye + own.T @ own / (len(own) * 0.01))
        for own in (z[labels[0] == c] for c in range(3))
    )
    assert float(entropy(features, labels)[0]) == pytest.approx(float(inside))
    empty = torch.tensor([0, 0, 2, 2, 2, 2]).repeat(2, 1)  # noisy labels may leave a class out
    assert entropy(features.float(), empty).isfinite().all()
    one_class = entropy(features, torch.zeros_like(labels))
    for targets in (None, labels.double()):  # of a regression
        torch.testing.assert_close(entropy(features, targets), one_class)
    same = features[:, :1].expand(-1, 6, -1)
    assert (diversity(same) < diversity(features)).all()


def test_gradients_of_the_exploiting_network_are_those_of_autograd():
    network = BASS(TENSORS, 0, width=5, hidden=7).exploit
    inputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    inputs[0] = 0
    torch.nn.init.zeros_(network[0].bias)  # so that the first input is at the kink of the rectifier
    for row, found in zip(inputs, parameter_gradients(network, inputs), strict=True):
        expected = torch.autograd.grad(network(row).squeeze(), network.parameters())
        torch.testing.assert_close(found, torch.cat([g.flatten() for g in expected]))


def test_the_bandits_networks_are_fitted_to_rewards_and_to_what_these_miss():
    options = {"width": 5, "hidden": 7, "alpha": 0.25, "every": 2, "fits": 3}
    scheduler, twin = BASS(TENSORS, 0, **options), BASS(TENSORS, 0, **options)
    g = torch.Generator().manual_seed(0)
    seen, square = {"contexts": [], "gradients": [], "rewards": [], "missed": []}, 0.0
    for k in range(2):
        support, query = torch.randn(2, 10, 10, generator=g)
        state = pool(seed=k, support_gradients=support, query_gradients=query)
        taken, alone = torch.tensor([3, 1]), torch.rand(2, generator=g)
        selection = Selection(taken, torch.ones(2) / 2)
        scheduler.update(
            Feedback(state, torch.ones(10) / 10, selection, 0.0, 0.5, task_rewards=alone)
        )
        for i, reward in zip(taken, alone, strict=True):
            means = [-x.view(5, 2).mean(1) for x in (support[i], support[i] + query[i])]
            units = torch.stack([x / x.norm() for x in means])
            slopes = parameter_gradients(twin.exploit, units).view(2, 5, 10).mean(2)
            square = 0.95 * square + 0.05 * (reward - 0.5) ** 2
            count = len(seen["rewards"]) + 1
            scaled = (reward - 0.5) / (square / (1 - 0.95**count)).sqrt()
            surprise = scaled - twin.exploit(units[1])[0].detach()
            seen["contexts"].append(units[1])
            seen["gradients"].append(slopes.flatten())
            seen["rewards"].append(scaled)
            seen["missed"].append(0.25 * surprise - 0.75 * reward)
        if k == 0:
            torch.testing.assert_close(scheduler.exploit.state_dict(), twin.exploit.state_dict())
    seen = {name: torch.stack(values) for name, values in seen.items()}
    for network, rate, x, y in (
        (twin.exploit, 0.01, seen["contexts"], seen["rewards"]),
        (twin.explore, 0.001, seen["gradients"], seen["missed"]),
    ):
        optimizer = torch.optim.Adam(network.parameters(), lr=rate)
        for _ in range(3):
            optimizer.zero_grad()
            (network(x)[:, 0] - y).square().mean().backward()
            optimizer.step()
    for name in ("exploit", "explore"):
        found, expected = (getattr(s, name).state_dict() for s in (scheduler, twin))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_bandits_networks_have_64_inputs_and_200_hidden_units_by_default():
    shapes = [tuple(p.shape) for p in BASS(TENSORS, 0).exploit.parameters()]
    assert shapes == [(200, 64), (200,), (1, 200), (1,)]
    assert BASS(TENSORS, 0).explore[0].in_features == 2 * 64


@pytest.mark.parametrize("name", ["ats", "asr", "bass"])
def test_a_rewarded_kind_of_task_is_preferred_in_the_end(name):
    """Ten of twenty tasks are good: lower loss, more similar gradients, another direction."""
    g = torch.Generator().manual_seed(0)
    scheduler = SCHEDULERS[name](TENSORS, 0, preset="fast")
    direction = torch.randn(90, generator=g)

    def drawn() -> tuple[State, torch.Tensor]:
        good = torch.rand(10, generator=g) < 0.5
        sign = good.float() * 2 - 1
        scale = torch.where(good, 1.0, 3.0)
        base = pool(10, seed=int(torch.randint(10_000, (), generator=g)))
        gradients = sign[:, None] * direction + 0.3 * base.query_gradients
        changed = {
            "losses": base.losses / 4 - sign / 2 + 1,
            "cosines": base.cosines / 4 + sign[:, None] / 2,
            "support_gradients": scale[:, None] * gradients,
            "query_gradients": gradients,
        }
        return State(**{**vars(base), **changed}), good

    for _ in range(200):
        state, good = drawn()
        weights = scheduler.weights(state)
        taken = scheduler.select(weights, 4, g)
        alone = good[taken.indices].float() - 0.5
        scheduler.update(
            Feedback(state, weights, taken, float(alone.mean()), 0.0, task_rewards=alone)
        )
    mass = []
    for _ in range(30):
        state, good = drawn()
        mass.append(float(scheduler.weights(state)[good].sum() - good.float().mean()))
    assert np.mean(mass) > 0.15


def test_reweighting_draws_while_it_learns_and_then_takes_the_whole_pool():
    scheduler, state = ReweightedATS(TENSORS, 0, preset="fast"), pool()
    g = torch.Generator().manual_seed(0)
    assert len(scheduler.select(scheduler.weights(state), 4, g).indices) == 4
    weights = scheduler.weights(state, final=True)
    taken = scheduler.select(weights, 4, g)
    assert taken.indices.tolist() == list(range(10))
    assert torch.equal(taken.coefficients, weights)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_those_of_the_code_and_can_be_changed(preset):
    scheduler = ATS(TENSORS, 0, preset=preset, warm_up=3, learning_rate=0.5)
    assert scheduler.bilevel.warm_up == 3
    assert scheduler.optimizer.param_groups[0]["lr"] == 0.5
    assert scheduler.bilevel.baseline == PRESETS[preset]["baseline"]


def test_presets_say_how_the_loop_rewards():
    paper = Bilevel(2, None, "score", "running_mean", warm_up=2000)
    assert ATS(TENSORS, 0).bilevel == paper
    fast = Bilevel(None, 0.1, "loss", "paired", warm_up=250, cached=True)
    assert ATS(TENSORS, 0, "fast").bilevel == fast
