"""Round trips on the mixture: data, back to seeds, and to data again."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from schedlab.diffusion import worlds
from schedlab.diffusion.inversion import invert
from schedlab.diffusion.parameters import InversionParameters
from schedlab.diffusion.quiet import without_notices
from schedlab.diffusion.sampling import generate
from schedlab.diffusion.schedulers import SCHEDULERS
from schedlab.lab.resolve import resolve_all
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep

METHODS: dict[str, tuple[str, dict[str, float]]] = {
    "DDIM inversion": ("ddim", {}),
    "fixed point": ("fixed_point", {}),
    "Newton": ("newton", {"guidance": 0.0}),
    "guided Newton": ("newton", {"guidance": 0.1}),
}
"""Methods by the name that tables and figures use; 0.1 is the guidance of Samuel et al. 2025."""


def round_trips(parameters: InversionParameters) -> pd.DataFrame:
    """Return the error of a round trip and the size of the seeds, by scheduler and method."""
    entries = [entry.model_dump() for entry in parameters.schedulers]
    grid = {
        "entry": entries,
        "steps": parameters.steps,
        "iterations": [parameters.iterations],
        "samples": [parameters.samples],
        "seeds": [parameters.seeds],  # all in one batch, whose items do not meet
    }
    return sweep(_round_trips, grid, parameters.seeds[:1], label="round trips")


def _round_trips(
    entry: Mapping[str, Any],
    steps: int,
    iterations: Sequence[int],
    samples: int,
    seeds: Sequence[int],
    seed: int,
) -> pd.DataFrame:
    (choice,) = resolve_all([entry], SCHEDULERS)
    world = worlds.ring()
    data = torch.stack([world.draw(samples, generator(s, "data")) for s in seeds])
    with without_notices():
        scheduler = choice.make()
    model = world.network(scheduler.alphas_cumprod)
    tables = []
    for label, (method, options) in METHODS.items():
        for rounds in [0] if method == "ddim" else iterations:
            found = invert(
                model, scheduler, data, steps, method, iterations=rounds, leading=2, **options
            )
            again = generate(model, scheduler, found, steps)
            columns = {"rmse": _by_seed(again - data), "size": _by_seed(found), "seed": seeds}
            tables.append(pd.DataFrame(columns).assign(method=label, iterations=rounds))
    return pd.concat(tables).assign(scheduler=choice.label)


def _by_seed(values: Tensor) -> list[float]:
    """Return the root mean square over all but the first axis."""
    return values.square().mean(dim=(1, 2)).sqrt().tolist()
