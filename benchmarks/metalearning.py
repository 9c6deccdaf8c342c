"""Stacked meta-learning against a Python loop over tasks, and what a learnt scheduler costs.

All on one thread, in one process, in turns. The loop is the public code's way: autograd, one task
after the other, and the whole network again in every inner step, though ANIL's inner loop leaves
all but the head alone. A leaner loop, which computes features once as we do, stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import functional_call

from benchmarks.table import Row, in_turns
from schedlab.metalearning.batches import Tasks
from schedlab.metalearning.iteration import MetaTraining
from schedlab.metalearning.learners import ANIL, make
from schedlab.metalearning.learners.candidates import draw_stacked
from schedlab.metalearning.learners.factors import Before, Similarity, head_products, similarities
from schedlab.metalearning.learners.records import Params
from schedlab.metalearning.schedulers import ATS, Scheduler, Uniform
from schedlab.metalearning.settings import Settings
from schedlab.metalearning.tasks import make_world
from schedlab.metalearning.training import pretrained

ROUNDS = 7
REGRESSION = "12 regression tasks of 24 + 24, 1024-64-64-1"
IMAGES = "10 tasks of 25 + 25 images of 14 by 14, two blocks of 32"
CURVES = {"use": "sinusoids", "noise": {"share": 0.6, "strength": 4.0, "where": "support"}}
REGRESSOR = {"network": "fully_connected", "network_options": {"widths": [64, 64]}}
CONVNET = {"network": "convnet", "network_options": {"widths": [32, 32]}}


def measure() -> list[Row]:
    """Return the ratios."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        regressor, convnet = _regressor(), _convnet()
        return [
            _gradient_row(REGRESSION, regressor, "4 times", 0.16),
            _gradient_row(REGRESSION, regressor, "none", 0.16, once=True),
            _gradient_row(IMAGES, convnet, "1.5 times", 1.5),
            _gradient_row(IMAGES, convnet, "none", 1.5, once=True),
            _similarity_row("head, regressor", regressor, "head"),
            _similarity_row("head, convnet", convnet, "head"),
            _similarity_row("all layers, regressor", regressor, "all"),
            _iteration_row("paper", 20, 8, {"validation_tasks": 8, "scope": "head"}),
            _iteration_row("paper", 20, 8, {"validation_tasks": 8}),
            _iteration_row("fast", 12, 4, {}),
            _seeds_row(6),
        ]
    finally:
        torch.set_num_threads(threads)


Case = tuple[ANIL, Params, Tasks]


def _regressor() -> Case:
    g = torch.Generator().manual_seed(0)
    learner = make("regression", (1024,), 1, inner_lr=0.02, **REGRESSOR)
    bits = [(torch.rand(1, 12, 24, 1024, generator=g) < 0.05).float() for _ in range(2)]
    values = [torch.randn(1, 12, 24, 1, generator=g) for _ in range(2)]
    return learner, draw_stacked(learner.network, [g]), _tasks(bits, values)


def _convnet() -> Case:
    g = torch.Generator().manual_seed(0)
    learner = make("classification", (1, 14, 14), 5, inner_lr=0.05, **CONVNET)
    images = [torch.rand(1, 10, 25, 1, 14, 14, generator=g) for _ in range(2)]
    classes = [torch.arange(5).repeat(1, 10, 5) for _ in range(2)]
    return learner, draw_stacked(learner.network, [g]), _tasks(images, classes)


def _tasks(inputs: list[Tensor], targets: list[Tensor]) -> Tasks:
    noisy = torch.zeros(inputs[0].shape[:2], dtype=torch.bool)
    return Tasks(inputs[0], targets[0], inputs[1], targets[1], noisy)


def _of_one_seed(params: Params) -> Params:
    return {name: value[0].clone().requires_grad_() for name, value in params.items()}


def _sets(tasks: Tasks) -> list[tuple[Tensor, ...]]:
    stacks = tasks.x_support[0], tasks.y_support[0], tasks.x_query[0], tasks.y_query[0]
    return list(zip(*stacks, strict=True))


def _body(learner: ANIL, params: Params, x: Tensor) -> Tensor:
    own = {n.removeprefix("body."): p for n, p in params.items() if n.startswith("body.")}
    return functional_call(learner.network.body, own, (x,))


def _loop_gradient(learner: ANIL, params: Params, tasks: Tasks, once: bool) -> list[Tensor]:
    """Return the meta-gradient, one task after the other; features ``once`` or in each step."""
    losses = []
    for x, y, queries, answers in _sets(tasks):
        weight, bias = params["head.weight"], params["head.bias"]
        support, query = _body(learner, params, x), _body(learner, params, queries)
        for step in range(learner.inner_steps):
            if step and not once:
                support = _body(learner, params, x)
            loss = learner.objective.loss(support @ weight + bias, y)
            slopes = torch.autograd.grad(loss, (weight, bias), create_graph=True)
            weight, bias = (
                p - learner.inner_lr * g for p, g in zip((weight, bias), slopes, strict=True)
            )
        losses.append(learner.objective.loss(query @ weight + bias, answers))
    return list(torch.autograd.grad(torch.stack(losses).mean(), list(params.values())))


def _gradient_row(subject: str, case: Case, target: str, gflop: float, once: bool = False) -> Row:
    learner, params, tasks = case
    own, count = _of_one_seed(params), tasks.noisy.shape[1]
    index, equal = torch.arange(count)[None], torch.full((1, count), 1 / count)

    def ours() -> Params:
        return learner.candidates(params, tasks).gradient(index, equal)

    def loop() -> list[Tensor]:
        return _loop_gradient(learner, own, tasks, once)

    loops = ("the public code's loop", "a loop with features once")
    found = ours()
    for name, expected in zip(own, loop(), strict=True):
        assert torch.allclose(found[name][0], expected, atol=1e-4), name
    fast, slow = in_turns([ours, loop], ROUNDS)
    return Row(
        f"Adapt and meta-gradient, second order, against {loops[once]}: {subject}",
        f"{fast * 1e3:.1f} ms",
        f"{slow * 1e3:.1f} ms",
        slow / fast,
        target,
        f"ANIL, 5 inner steps, equal to 1e-4, medians of {ROUNDS} turns; with features once both "
        f"sides multiply the same matrices, {gflop:g} GFLOP forward and back: a stack saves calls, "
        "not products, and of images it gives up the cache that holds one task's",
    )


def _loop_similarity(learner: ANIL, params: Params, tasks: Tasks, names: list[str]) -> Tensor:
    """Return the cosines, two backward passes a task."""
    rows = []
    for x, y, queries, answers in _sets(tasks):
        sides = []
        for inputs, targets in ((x, y), (queries, answers)):
            loss = learner.objective.loss(
                functional_call(learner.network, params, (inputs,)), targets
            )
            sides.append(torch.autograd.grad(loss, [params[name] for name in names]))
        pairs = zip(*sides, strict=True)
        rows.append([torch.cosine_similarity(s.flatten(), q.flatten(), 0) for s, q in pairs])
    return torch.tensor(rows)


def _head_similarity(learner: ANIL, params: Params, tasks: Tasks) -> Tensor:
    """Return the head's cosines in closed form."""
    with torch.no_grad():
        sets = (tasks.x_support, tasks.y_support), (tasks.x_query, tasks.y_query)
        features = [_body(learner, params, x) for x, _ in sets]
        head = params["head.weight"].unsqueeze(1), params["head.bias"][:, None, None]
        outputs = [f @ head[0] + head[1] for f in features]
        pairs = zip(outputs, sets, strict=True)
        residuals = [learner.objective.residual(o, y) for o, (_, y) in pairs]
        return similarities(head_products(Before(*features, *residuals)), "cosine")


def _similarity_row(subject: str, case: Case, scope: str) -> Row:
    learner, params, tasks = case
    own = _of_one_seed(params)
    layers = {n for n, m in learner.network.named_modules() if hasattr(m, "fan_in")}
    names = [n for n in own if n.rpartition(".")[0] in layers]
    if scope == "head":
        names = [n for n in names if n.startswith("head")]

    def ours() -> Tensor:
        if scope == "head":
            return _head_similarity(learner, params, tasks)
        return learner.candidates(params, tasks, Similarity()).similarity

    def loop() -> Tensor:
        return _loop_similarity(learner, own, tasks, names)

    weights = [i for i, n in enumerate(names) if n.endswith("weight")]
    assert torch.allclose(ours()[0][:, weights], loop()[:, weights], atol=1e-3)
    fast, slow = in_turns([ours, loop], ROUNDS, times=10)
    note = "; ours includes adaptation and all meta-gradients"
    if scope == "head":
        note = "; of a convnet that is nearly all there is, as its head needs no backward pass"
    return Row(
        f"Similarity of support and query gradients of every task: {subject}",
        f"{fast * 1e3:.1f} ms",
        f"{slow * 1e3:.1f} ms",
        slow / fast,
        "5 times where the head's closed form allows it" if scope == "head" else "none",
        f"forward passes included on both sides, equal to 1e-3, {ROUNDS} turns of 10{note}",
    )


def _training(scheduler: Callable[[int], Scheduler], pool: int, batch: int, seeds: int = 1):
    members = list(range(seeds))
    worlds = [make_world(CURVES, seed) for seed in members]
    world = worlds[0]
    learner = make(world.objective, world.shape, world.outputs, inner_lr=0.01, **REGRESSOR)
    settings = Settings(pool=pool, batch=batch, steps=100_000)
    start = pretrained(learner, worlds, settings, members)
    made = [scheduler(seed) for seed in members]
    training = MetaTraining(learner, worlds, made, settings, members, start)
    training.advance()  # the first evaluates
    return training


def _iteration_row(preset: str, pool: int, batch: int, options: dict) -> Row:
    scope = options.get("scope", "all")
    wanted = {"preset": preset, "warm_up": 0, "norms": False, **options}
    ats = _training(lambda seed: ATS(2 if scope == "head" else 6, seed, **wanted), pool, batch)
    uniform = _training(lambda seed: Uniform(6, seed), pool, batch)
    ours, peer = in_turns([ats.advance, uniform.advance], ROUNDS, times=10)
    passes = ats.log.steps[-1]["passes"], uniform.log.steps[-1]["passes"]
    validated = ats.bilevel.validation_tasks or len(ats.worlds[0].validation)
    return Row(
        f"An iteration under ATS ({preset}, {scope}), pool {pool}, batch {batch}",
        f"{ours * 1e3:.1f} ms, {ours / peer:.1f} uniform iterations",
        f"{peer * 1e3:.1f} ms",
        None,
        "at most 3 uniform iterations",
        f"sine curves, 64-64; per iteration {passes[0]} passes over a task against {passes[1]} "
        f"({passes[0] / passes[1]:.1f} times): every candidate forward and back, and {validated} "
        "validation tasks, against the batch alone; medians of turns of 10",
    )


def _seeds_row(seeds: int) -> Row:
    together = _training(lambda seed: Uniform(6, seed), 12, 4, seeds)
    alone = [_training(lambda seed: Uniform(6, seed), 12, 4) for _ in range(seeds)]
    ours, *peers = in_turns([t.advance for t in (together, *alone)], ROUNDS, times=10)
    return Row(
        f"{seeds} seeds in one stack against {seeds} runs",
        f"{ours * 1e3:.1f} ms an iteration",
        f"{sum(peers) * 1e3:.1f} ms",
        sum(peers) / ours,
        f"as near to {seeds} as arithmetic allows",
        f"uniform sampling on sine curves, 64-64, batch 4; medians of {ROUNDS} turns of 10",
    )
