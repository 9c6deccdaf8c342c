"""Cost of the noise-curvature scheduler and its probe, and of training several seeds at once.

All on one thread, in one process, in turns, with the paper's network and batch size.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.table import Row, in_turns
from schedlab.trainability.fleet import Fleet
from schedlab.trainability.networks import perceptron
from schedlab.trainability.probe import Probe, groups_by_layer
from schedlab.trainability.schedulers import NoiseCurvatureLR

WIDTHS, BATCH, INTERVAL, SEEDS = (784, 256, 256, 10), 256, 40, 5
LOSS = partial(F.cross_entropy, reduction="none")


def measure() -> list[Row]:
    """Return the ratios."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_amortised_row(), _probe_row(), *_stack_rows()]
    finally:
        torch.set_num_threads(threads)


def _setting(seed: int = 0) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    model = perceptron(WIDTHS, "relu", np.random.default_rng(seed))
    return model, torch.optim.Adam(groups_by_layer(model, lr=1e-3), weight_decay=1e-3)


def _batches(count: int) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randn(BATCH, WIDTHS[0], generator=generator),
            torch.randint(10, (BATCH,), generator=generator),
        )
        for _ in range(count)
    ]


def _step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: tuple) -> None:
    optimizer.zero_grad()
    F.cross_entropy(model(batch[0]), batch[1]).backward()
    optimizer.step()


def _amortised_row() -> Row:
    """Time intervals of 40 updates with and without one decision, as training goes on."""
    batches = _batches(INTERVAL)
    plain, watched = _setting(), _setting()
    scheduler = NoiseCurvatureLR(watched[1])
    probe = Probe(*watched, LOSS)

    def without() -> None:
        for batch in batches:
            _step(*plain, batch)

    def with_one() -> None:
        for number, batch in enumerate(batches):
            scheduler.step(probe.measure(*batch) if number == 0 else None)
            _step(*watched, batch)

    ours, peer = in_turns([with_one, without], rounds=9)
    return Row(
        "A training step with the scheduler, amortised over its interval of 40",
        f"{ours / peer:.2f} plain Adam steps",
        "",
        None,
        "at most 1.3",
        f"784-256-256-10, batch {BATCH}, medians of 9 turns of {INTERVAL} updates",
    )


def _per_sample_loop(model: torch.nn.Module, inputs: Tensor, targets: Tensor) -> list[float]:
    """Return each layer's (1/B) Σ ‖gᵢ − ĝ‖² as it stands: one backward pass a sample."""
    layers = [list(layer.parameters()) for layer in (model.fc1, model.fc2, model.fc3)]
    every = [p for layer in layers for p in layer]
    mean = torch.autograd.grad(F.cross_entropy(model(inputs), targets), every)
    squares = torch.zeros(len(every))
    for x, y in zip(inputs, targets, strict=True):
        own = torch.autograd.grad(F.cross_entropy(model(x[None]), y[None]), every)
        squares += torch.stack([(g - m).square().sum() for g, m in zip(own, mean, strict=True)])
    return (squares.view(len(layers), -1).sum(1) / BATCH).tolist()


def _probe_row() -> Row:
    model, optimizer = _setting()
    ((inputs, targets),) = _batches(1)
    probe = Probe(model, optimizer, LOSS, iterations=0)
    found = [layer.variance for layer in probe.measure(inputs, targets).values()]
    assert np.allclose(found, _per_sample_loop(model, inputs, targets), rtol=1e-3)
    ours, peer = in_turns(
        [lambda: probe.measure(inputs, targets), lambda: _per_sample_loop(model, inputs, targets)],
        rounds=7,
        times=10,
    )
    return Row(
        "Gradient noise of every layer: the probe against one backward pass a sample",
        f"{ours * 1e3:.1f} ms",
        f"{peer * 1e3:.0f} ms",
        peer / ours,
        "20 times",
        f"784-256-256-10, batch {BATCH}, equal variances to 1e-3, medians of 7 turns of 10",
    )


def _stack_rows() -> list[Row]:
    return [_stack_row(WIDTHS), _stack_row((20, 5, 1))]


def _stack_row(widths: tuple[int, ...]) -> Row:
    """Time one step of five seeds, stacked and one after the other."""
    models = [perceptron(widths, "relu", np.random.default_rng(i)) for i in range(SEEDS)]
    adam, loss = partial(torch.optim.Adam, fused=True), partial(_squared, reduction="none")
    fleet = Fleet(models, adam, loss, lr=1e-3)
    alone = [perceptron(widths, "relu", np.random.default_rng(i)) for i in range(SEEDS)]
    optimizers = [adam(model.parameters(), lr=1e-3) for model in alone]
    inputs = torch.randn(SEEDS, BATCH, widths[0], generator=torch.Generator().manual_seed(0))
    targets = torch.zeros(SEEDS, BATCH, widths[-1])

    def stacked() -> None:
        fleet.gradients(inputs, targets)
        fleet.update()

    def one_by_one() -> None:
        for model, optimizer, x, y in zip(alone, optimizers, inputs, targets, strict=True):
            optimizer.zero_grad()
            loss(model(x), y).mean().backward()
            optimizer.step()

    ours, peer = in_turns([stacked, one_by_one], rounds=5, times=20)
    return Row(
        f"{SEEDS} seeds of {'-'.join(map(str, widths))}: one stacked step against {SEEDS} steps",
        f"{ours * 1e3:.2f} ms",
        f"{peer * 1e3:.2f} ms",
        peer / ours,
        "as near to 5 as arithmetic allows",
        "on a CPU core a wide network's time is matrix products, which stacking does not lessen: "
        "about 0.3 GFLOP a seed and step; a narrow one's is overhead, which it shares",
    )


def _squared(outputs: Tensor, targets: Tensor, reduction: str) -> Tensor:
    return F.mse_loss(outputs, targets, reduction=reduction).mean(1)
