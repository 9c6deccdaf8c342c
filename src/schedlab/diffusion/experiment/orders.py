"""The convergence bench: solvers on a mixture whose exact solution is known."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from schedlab.diffusion import worlds
from schedlab.diffusion.parameters import OrderParameters
from schedlab.diffusion.schedulers.core.levels import Level, preserving
from schedlab.diffusion.schedulers.core.solvers import SOLVERS, run
from schedlab.lab.seeds import generator
from schedlab.lab.sweep import sweep

LOG, KARRAS, TIME = "uniform log σ", "Karras", "uniform time"
RISING, EXACT = "rising order", "exact start"
BETA = (0.1, 20.0)  # of the continuous linear schedule of Song et al. 2021, by unit time
RHO = 7.0


def log_uniform(high: float, low: float, intervals: int) -> np.ndarray:
    """Return noise ratios at equal steps of their logarithm."""
    return np.exp(np.linspace(math.log(high), math.log(low), intervals + 1))


def karras(high: float, low: float, intervals: int) -> np.ndarray:
    """Return noise ratios as Karras et al. 2022 lay them, equation 5."""
    return np.linspace(high ** (1 / RHO), low ** (1 / RHO), intervals + 1) ** RHO


def uniform_time(high: float, low: float, intervals: int) -> np.ndarray:
    """Return noise ratios at equal steps of time in the linear schedule of DDPM."""
    first, slope = BETA[0], BETA[1] - BETA[0]

    def time(ratio: float) -> float:
        total = math.log1p(ratio**2)
        return (math.sqrt(first**2 + 2 * slope * total) - first) / slope

    t = np.linspace(time(high), time(low), intervals + 1)
    ratios = np.sqrt(np.expm1(first * t + slope * t**2 / 2))
    ratios[[0, -1]] = high, low
    return ratios


GRIDS: dict[str, Callable[[float, float, int], np.ndarray]] = {
    LOG: log_uniform,
    KARRAS: karras,
    TIME: uniform_time,
}


def errors(parameters: OrderParameters) -> pd.DataFrame:
    """Return the distance from the exact solution by solver, grid, start and grid size."""
    fixed = parameters.model_dump(exclude={"seeds"})
    grid = {"grid": list(GRIDS), **{name: [value] for name, value in fixed.items()}}
    table = sweep(_errors, grid, parameters.seeds, label="convergence")
    return table[["solver", "grid", "start", "intervals", "nfe", "seed", "rmse"]]


def _errors(
    grid: str,
    solvers: Sequence[str],
    intervals: Sequence[int],
    noisiest: float,
    cleanest: float,
    samples: int,
    seed: int,
) -> pd.DataFrame:
    world = worlds.ring()
    begin = _begin(world, noisiest, samples, seed)
    flow = world.flow(begin, noisiest, cleanest)
    exact, rows = flow(cleanest), []
    for count in intervals:
        levels = preserving(GRIDS[grid](noisiest, cleanest, count))
        for start in (RISING, EXACT):
            found = _run_all(world, begin, solvers, levels, flow if start == EXACT else None)
            rows += [_row(name, start, count, error(x, exact)) for name, x in found.items()]
    return pd.DataFrame(rows)


def _run_all(
    world: worlds.Mixture,
    begin: Tensor,
    solvers: Sequence[str],
    levels: list[Level],
    flow: Callable[[float], Tensor] | None,
) -> dict[str, Tensor]:
    chosen = [name for name in solvers if flow is None or SOLVERS[name].history > 1]
    ends = run(world.epsilon, begin, [(SOLVERS[name], levels) for name in chosen], flow)
    return dict(zip(chosen, ends, strict=True))


def _begin(world: worlds.Mixture, ratio: float, samples: int, seed: int) -> Tensor:
    """Return noisy samples that the mixture could have produced."""
    rng = generator(seed, "starts")
    noise = torch.from_numpy(rng.standard_normal((samples, world.dimensions)))
    return world.draw(samples, rng) + ratio * noise


def _row(name: str, start: str, intervals: int, rmse: float) -> dict[str, object]:
    nfe = intervals * SOLVERS[name].evaluations
    return {"solver": name, "start": start, "intervals": intervals, "nfe": nfe, "rmse": rmse}


def error(found: Tensor, exact: Tensor) -> float:
    """Return the root mean square distance."""
    return float((found - exact).square().mean().sqrt())


FLOOR = 3e-9  # below which the reference solution itself is not exact enough


def orders(table: pd.DataFrame) -> pd.DataFrame:
    """Return the slope of error against grid size over the two finest grids above the floor."""
    rows = []
    keys = ["solver", "grid", "start", "seed"]
    for key, part in table.groupby(keys, sort=False):
        clean = part[part["rmse"] > FLOOR].sort_values("intervals").tail(2)
        fine, coarse = clean.iloc[-1], clean.iloc[0]
        slope = (
            math.log(coarse["rmse"] / fine["rmse"])
            / math.log(fine["intervals"] / coarse["intervals"])
            if len(clean) == 2
            else math.nan
        )
        rows.append((*key, slope, SOLVERS[key[0]].order))
    return pd.DataFrame(rows, columns=[*keys, "order", "declared"])


def on_a_gaussian(parameters: OrderParameters) -> pd.DataFrame:
    """Return the order of every solver on one Gaussian, whose flow is known in closed form."""
    fixed = parameters.model_dump(exclude={"seeds"})
    fixed["intervals"] = fixed["intervals"][-2:]
    table = sweep(
        _gaussian_errors, {k: [v] for k, v in fixed.items()}, parameters.seeds, label="Gaussian"
    )
    return orders(table)[["solver", "seed", "order"]]


def _gaussian_errors(
    solvers: Sequence[str],
    intervals: Sequence[int],
    noisiest: float,
    cleanest: float,
    samples: int,
    seed: int,
) -> pd.DataFrame:
    world = worlds.gaussian()
    begin = _begin(world, noisiest, samples, seed)
    exact = worlds.gaussian_flow(world, begin, noisiest, cleanest)
    rows = []
    for count in intervals:
        levels = preserving(log_uniform(noisiest, cleanest, count))
        found = _run_all(world, begin, solvers, levels, None)
        rows += [_row(name, RISING, count, error(x, exact)) for name, x in found.items()]
    return pd.DataFrame(rows).assign(grid=LOG)
