"""Small tasks and learners for the tests of metalearning."""

from __future__ import annotations

import pytest
import torch

from schedlab.metalearning.batches import Tasks, stack
from schedlab.metalearning.learners import make


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random_tasks(
    kind: str, n: int, seed: int, shape: tuple[int, ...], shots: int = 5, queries: int = 6
) -> Tasks:
    """Return tasks of noise, whose labels mean nothing."""
    g = torch.Generator().manual_seed(seed)

    def labels(k: int) -> torch.Tensor:
        if kind == "regression":
            return torch.randn(n, k, 1, generator=g)
        return torch.randint(3, (n, k), generator=g)

    return Tasks(
        torch.randn(n, shots, *shape, generator=g),
        labels(shots),
        torch.randn(n, queries, *shape, generator=g),
        labels(queries),
        torch.rand(n, generator=g) < 0.5,
    )


SETTINGS = {
    "regressor": ("regression", "fully_connected", {"widths": [7, 6]}, (4,)),
    "classifier": ("classification", "fully_connected", {"widths": [7, 6]}, (4,)),
    "convnet": ("classification", "convnet", {"widths": [4, 4]}, (1, 8, 8)),
}


def small(name: str, learner: str, seeds: int = 2, n: int = 4, **options):
    """Return a learner, its parameters for some seeds, and tasks, in float64."""
    kind, network, network_options, shape = SETTINGS[name]
    made = make(
        kind,
        shape,
        1 if kind == "regression" else 3,
        learner=learner,
        network=network,
        network_options=network_options,
        inner_lr=0.1,
        inner_steps=3,
        **options,
    )
    generators = [torch.Generator().manual_seed(seed) for seed in range(seeds)]
    drawn = [made.network.initial(g) for g in generators]
    for member in drawn:  # no parameter where its gradient could hide
        for value in member.values():
            value += 0.1 * torch.randn(value.shape, generator=generators[0])
    params = {name: torch.stack([m[name] for m in drawn]) for name in drawn[0]}
    tasks = stack([random_tasks(kind, n, 10 + seed, shape) for seed in range(seeds)])
    return made, params, tasks
