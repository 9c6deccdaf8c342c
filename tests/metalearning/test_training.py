"""The loop: its equations by hand, its seeds one by one, its checkpoints, its refusals."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from schedlab.metalearning.iteration import MetaTraining
from schedlab.metalearning.learners import make
from schedlab.metalearning.schedulers import ATS, Bilevel, Scheduler, Selection, Uniform
from schedlab.metalearning.schedulers.interface import Feedback, State
from schedlab.metalearning.schedulers.reinforce import LOG_PROBABILITIES
from schedlab.metalearning.settings import Settings
from schedlab.metalearning.tasks import make_world
from schedlab.metalearning.training import pretrained, train
from tests.metalearning import plain

WORLD = {
    "use": "sinusoids",
    "shots": 5,
    "queries": 6,
    "noise": {"share": 0.5, "strength": 4.0, "where": "support"},
    "validation_tasks": 5,
    "test_tasks": 6,
}
SIZES = Settings(pool=5, batch=2, steps=4, meta_lr=0.01, pretrain=2, evaluate_every=2)
QUICK = {"preset": "fast", "warm_up": 6, "cached_tasks": 9}


def setting(seeds):
    worlds = [make_world(WORLD, seed) for seed in seeds]
    learner = make(
        "regression",
        worlds[0].shape,
        1,
        network_options={"widths": [8, 8], "normalise": False},
        inner_lr=0.02,
        inner_steps=2,
    )
    return learner, worlds


def schedulers(seeds, tensors=6, **options):
    return [ATS(tensors, seed, **{**QUICK, **options}) for seed in seeds]


class Scripted(Scheduler):
    """Takes tasks 1 and 3, and remembers what it was told."""

    needs = frozenset({"losses", "cosines", "task_rewards"})
    bilevel = Bilevel(validation_tasks=None, temporary_lr=0.3, reward="loss", baseline="paired")

    def weights(self, state: State, final: bool = False):
        return torch.full((state.size,), 1 / state.size)

    def select(self, weights, batch, generator):
        return Selection(torch.tensor([1, 3]), torch.tensor([0.25, 0.75]))

    def update(self, feedback: Feedback):
        self.told = feedback


def plain_reward(learner, params, world):
    own = {name: value[0].clone().requires_grad_() for name, value in params.items()}
    names = ["head.weight", "head.bias"]
    return -plain.query_losses(learner, own, world.validation, names).mean()


def test_an_iteration_does_what_the_paper_says():
    learner, worlds = setting([3])
    start = pretrained(learner, worlds, SIZES, [3])
    scheduler = Scripted(6, 3)
    training = MetaTraining(learner, worlds, [scheduler], SIZES, [3], start)
    tasks = worlds[0].pool(
        5, MetaTraining(learner, worlds, [scheduler], SIZES, [3], start).streams["pool"][0]
    )
    training.advance()

    own = {name: value[0].clone().requires_grad_() for name, value in start.items()}
    losses = plain.query_losses(learner, own, tasks, ["head.weight", "head.bias"])
    told = scheduler.told
    assert torch.allclose(told.state.losses, losses, atol=1e-5)

    def moved(loss):
        slopes = torch.autograd.grad(loss, list(own.values()), retain_graph=True)
        pairs = zip(own.items(), slopes, strict=True)
        return {n: (p - 0.3 * g).detach().unsqueeze(0) for (n, p), g in pairs}

    chosen = 0.25 * losses[1] + 0.75 * losses[3]
    rewards = [plain_reward(learner, moved(x), worlds[0]) for x in (chosen, losses[1], losses[3])]
    assert told.reward == pytest.approx(rewards[0].item(), abs=1e-4)
    assert told.task_rewards.tolist() == pytest.approx([r.item() for r in rewards[1:]], abs=1e-4)
    assert told.reference == pytest.approx(plain_reward(learner, start, worlds[0]).item(), abs=1e-4)

    optimizer = torch.optim.Adam(own.values(), lr=SIZES.meta_lr)
    chosen.backward()
    optimizer.step()
    for name, value in own.items():
        assert torch.allclose(training.params[name][0], value, atol=1e-4), name


def test_seeds_in_one_stack_are_as_each_alone():
    learner, worlds = setting([1, 2])
    sizes = Settings(pool=5, batch=2, steps=3, meta_lr=0.01, pretrain=2)
    together = train(learner, worlds, schedulers([1, 2]), sizes, [1, 2])
    for place, seed in enumerate([1, 2]):
        alone = train(learner, [worlds[place]], schedulers([seed]), sizes, [seed])
        own = together.steps[together.steps["seed"] == seed].reset_index(drop=True)
        assert (own["selected"] == alone.steps["selected"]).all()
        for name in ("loss", "weight"):
            assert own[name].to_numpy() == pytest.approx(alone.steps[name].to_numpy(), rel=1e-3)
        for name, value in alone.parameters.items():
            assert torch.allclose(together.parameters[name][place], value[0], atol=1e-4)


def test_a_second_run_gives_the_same_bits():
    learner, worlds = setting([1])
    first, second = (train(learner, worlds, schedulers([1]), SIZES, [1]) for _ in range(2))
    assert first.steps.equals(second.steps)
    assert first.scores.equals(second.scores)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("after", [4, 8])  # in the warm-up, and in training
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, monkeypatch, after):
    learner, worlds = setting([1, 2])
    sizes = Settings(pool=5, batch=2, steps=4, meta_lr=0.01, evaluate_every=2, checkpoint_every=2)
    whole = train(learner, worlds, schedulers([1, 2]), sizes, [1, 2])
    place, advance = tmp_path / "run.pt", MetaTraining.advance

    def failing(self):
        if self.done == after + 1:
            raise Interrupted
        advance(self)

    monkeypatch.setattr(MetaTraining, "advance", failing)
    with pytest.raises(Interrupted):
        train(learner, worlds, schedulers([1, 2]), sizes, [1, 2], checkpoint=place)
    done = []

    def counting(self):
        done.append(self.done)
        advance(self)

    monkeypatch.setattr(MetaTraining, "advance", counting)
    resumed = train(learner, worlds, schedulers([1, 2]), sizes, [1, 2], checkpoint=place)
    assert done[0] == after
    assert resumed.steps.equals(whole.steps)
    assert resumed.scores.equals(whole.scores)
    assert resumed.cost.equals(whole.cost)
    assert all(torch.equal(resumed.parameters[n], v) for n, v in whole.parameters.items())
    assert not place.exists()


def test_a_checkpoint_of_another_run_is_refused(tmp_path, monkeypatch):
    learner, worlds = setting([1])
    place = tmp_path / "run.pt"
    monkeypatch.setattr("schedlab.metalearning.training.Path.unlink", lambda *a, **k: None)
    sizes = Settings(pool=5, batch=2, steps=2, checkpoint_every=2)
    train(learner, worlds, [Uniform(6, 1)], sizes, [1], checkpoint=place)
    with pytest.raises(ValueError, match="another run"):
        train(learner, worlds, [Uniform(6, 1)], SIZES, [1], checkpoint=place)


def test_maml_learns_sine_curves_in_the_same_loop():
    worlds = [make_world({**WORLD, "noise": {"share": 0.0}}, 1)]
    learner = make(
        "regression",
        worlds[0].shape,
        1,
        learner="maml",
        network_options={"widths": [16], "normalise": False},
        inner_lr=0.02,
        inner_steps=2,
    )
    sizes = Settings(pool=6, batch=4, steps=60, meta_lr=0.01)
    scores = train(learner, worlds, schedulers([1], 4, warm_up=0), sizes, [1]).scores
    losses = scores.groupby("step")["loss"].mean()
    assert losses[60] < 0.97 * losses[0]


def test_pools_do_not_depend_on_the_scheduler():
    learner, worlds = setting([1])
    learned = train(learner, worlds, schedulers([1]), SIZES, [1]).steps
    learned = learned[learned["phase"] == "training"].reset_index(drop=True)
    uniform = train(learner, worlds, [Uniform(6, 1)], SIZES, [1]).steps
    assert (learned["noisy"] == uniform["noisy"]).all()
    assert (uniform.groupby("step")["selected"].sum() == SIZES.batch).all()


@pytest.mark.parametrize("cached", [True, False])
def test_a_warm_up_moves_the_scheduler_alone(cached):
    learner, worlds = setting([1])
    start = pretrained(learner, worlds, SIZES, [1])
    (scheduler,) = schedulers([1], cached=cached)
    before = {n: v.clone() for n, v in scheduler.network.state_dict().items()}
    training = MetaTraining(learner, worlds, [scheduler], SIZES, [1], start)
    for _ in range(6):
        training.advance()
    assert all(torch.equal(training.params[n], v) for n, v in start.items())
    after = scheduler.network.state_dict()
    assert any(not torch.equal(before[n], v) for n, v in after.items())


def test_the_warm_up_looks_at_cached_candidates_once():
    learner, worlds = setting([1])
    costs = {}
    for cached in (True, False):
        run = train(learner, worlds, schedulers([1], cached=cached), SIZES, [1])
        warm = run.cost[run.cost["phase"] == "warm_up"]["passes"].to_numpy()
        costs[cached] = warm[-1] - warm[0]
    assert costs[True] == 5 * 5  # validation alone
    assert costs[False] == 5 * (5 + 5 * 5)


def test_the_policy_gradient_is_that_of_the_expected_reward():
    """Enumerate all ordered selections: E[∇ log P(S) R(S)] = ∇ Σ P(S) R(S)."""
    learner, worlds = setting([2])
    params = pretrained(learner, worlds, SIZES, [2])
    scheduler = ATS(6, 2, log_probability="plackett_luce", **QUICK)
    training = MetaTraining(learner, worlds, [scheduler], SIZES, [2], params)
    _, pool, _ = training._warm_up_pool()
    (state,) = training._states(pool)
    orders = [torch.tensor(order) for order in permutations(range(5), 2)]

    def reward(order):
        step = pool.gradient(order[None], torch.full((1, 2), 0.5))
        moved = {n: p - 0.1 * step[n] for n, p in params.items()}
        return plain_reward(learner, moved, worlds[0]).detach()

    rewards = torch.stack([reward(order) for order in orders])
    weights = list(scheduler.network.parameters())

    def probability(order):
        w = scheduler.logits(state).softmax(0)
        return w[order[0]] * w[order[1]] / (1 - w[order[0]])

    chances = torch.stack([probability(order) for order in orders])
    assert chances.sum().item() == pytest.approx(1, abs=1e-5)
    exact = torch.autograd.grad((chances * rewards).sum(), weights, allow_unused=True)
    expected = [torch.zeros_like(w) for w in weights]
    score = LOG_PROBABILITIES["plackett_luce"]
    for order, chance, value in zip(orders, chances.detach(), rewards, strict=True):
        log = score(scheduler.logits(state), Selection(order, torch.full((2,), 0.5)))
        slopes = torch.autograd.grad(log, weights, allow_unused=True)
        for total, slope in zip(expected, slopes, strict=True):
            if slope is not None:
                total += chance * value * slope
    for one, other in zip(exact, expected, strict=True):
        assert one is None or torch.allclose(one, other, atol=1e-5)
    assert max(e.abs().max() for e in expected) > 1e-6


def test_a_scheduler_whose_weights_are_no_probabilities_is_refused():
    class Careless(Uniform):
        def weights(self, state, final=False):
            return torch.ones(state.size)

    learner, worlds = setting([1])
    with pytest.raises(ValueError, match=r"Careless\.weights must give 5 probabilities"):
        train(learner, worlds, [Careless(6, 1)], SIZES, [1])


def test_numbers_that_do_not_fit_are_refused():
    learner, worlds = setting([1])
    with pytest.raises(ValueError, match="one scheduler for each seed"):
        train(learner, worlds, [], SIZES, [1])
    with pytest.raises(ValueError, match="cannot take 6 tasks of a pool of 5"):
        train(learner, worlds, [Uniform(6, 1)], Settings(pool=5, batch=6, steps=1), [1])
