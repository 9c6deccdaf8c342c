"""Norms, paths, centroids and inversion of seeds, measured on the learned model."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from schedlab.diffusion.experiment.learned import Trained
from schedlab.diffusion.inversion import invert
from schedlab.diffusion.learned_parameters import SeedParameters
from schedlab.diffusion.schedulers import SCHEDULERS
from schedlab.diffusion.seeds import arithmetic
from schedlab.diffusion.seeds.geodesic import geodesic
from schedlab.diffusion.seeds.nao import Descent, centroid, path
from schedlab.diffusion.seeds.prior import circle_radius, curve_cost
from schedlab.lab.seeds import generator

FINE = Descent(tolerance=1e-5)  # for the comparison with the optimum
QUICK = {"rate": 0.05, "last_rate": 0.005, "tolerance": 1e-3}  # for images, which see no finer
CENTROID = Descent(points=5, **QUICK)
METHODS = ("LERP", "SLERP", "NIN", "FIX", "LOL", "NAO")
ENDS = "end points"


def sampler() -> object:
    """Return the deterministic scheduler of NAO's code, on data without hard limits."""
    return SCHEDULERS["ddim"](clip_sample=False)


def norm_sweep(
    model: Trained, parameters: SeedParameters
) -> tuple[pd.DataFrame, dict[str, Tensor]]:
    """Generate from the same directions at several norms.

    Returns
    -------
    ``seed, scale`` and measures; the first model's images by scale.
    """
    labels = model.labels(parameters.samples)
    directions = torch.nn.functional.normalize(
        model.noise("norms", count=parameters.samples), dim=-1
    )
    usual = model.ensemble.shape.pixels**0.5
    tables, shown = [], {}
    for scale in parameters.scales:
        seeds = scale * usual * directions
        drawn = model.images(sampler(), seeds, labels, parameters.sampling_steps)
        tables.append(model.measure(drawn, labels, scale=scale))
        shown[f"{scale:g}"] = drawn[0]
    return pd.concat(tables, ignore_index=True), shown


def interpolated(first: Tensor, last: Tensor, points: int) -> dict[str, Tensor]:
    """Return paths between pairs of seeds by every method, ``(..., points, dimensions)``."""
    ends, weights = torch.stack([first, last], dim=-2), arithmetic.between(points)
    paths = {name: mean(ends, weights) for name, mean in arithmetic.INTERPOLATIONS.items()}
    how = Descent(points=points, **QUICK)
    paths["NAO"] = path(first, last, torch.Generator().manual_seed(0), how).points
    return paths


def random_pairs(model: Trained, parameters: SeedParameters) -> tuple[Tensor, Tensor, Tensor]:
    """Return independent seeds, pair by pair, and their common class."""
    first, last = (model.noise("pairs", end, count=parameters.samples) for end in ("a", "b"))
    return first, last, model.labels(parameters.samples)


def inverted_pairs(
    model: Trained, parameters: SeedParameters, inverted: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return inverted training images, two of a class, and their class."""
    rows = np.stack(
        [_groups(model, seed, parameters.samples, 2, "pairs") for seed in model.ensemble.seeds]
    )
    picked = _picked(inverted, rows)
    labels = torch.from_numpy(model.train.labels[rows[0, :, 0]])
    return picked[:, :, 0], picked[:, :, 1], labels


def midpoints(
    model: Trained, parameters: SeedParameters, pairs: tuple[Tensor, Tensor, Tensor], kind: str
) -> tuple[pd.DataFrame, dict[str, Tensor]]:
    """Generate from the middle of paths by every method.

    Returns
    -------
    ``seed, pairs, method, norm`` (mean of the middle) and measures; the paths by method.
    """
    first, last, labels = pairs
    paths = interpolated(first, last, parameters.path_points)
    middles = {ENDS: first} | {
        name: points[..., parameters.path_points // 2, :] for name, points in paths.items()
    }
    tables = []
    for name, seeds in middles.items():
        drawn = model.images(sampler(), seeds, labels, parameters.sampling_steps)
        norms = seeds.norm(dim=-1).mean(dim=-1).numpy()
        table = model.measure(drawn, labels, pairs=kind, method=name)
        tables.append(table.assign(norm=norms))
    return pd.concat(tables, ignore_index=True), paths


def strip(
    model: Trained, paths: dict[str, Tensor], pair: int, label: int, steps: int
) -> dict[str, np.ndarray]:
    """Return the first model's images along one pair's path, by method."""
    members = len(model.ensemble.seeds)
    return {
        name: model.images(
            sampler(),
            points[:1, pair].expand(members, -1, -1),
            torch.full((points.shape[2],), label),
            steps,
        )[0].numpy()
        for name, points in paths.items()
    }


def path_costs(parameters: SeedParameters, seeds: tuple[int, ...]) -> pd.DataFrame:
    """Compare paths with the exact optimum, in any dimension; no model is needed.

    Returns
    -------
    ``seed, dimensions, pair, method, cost`` (midpoint rule, as NAO minimises it), ``true_cost`` of
    the same line, ``optimum``, and ``from_circle``, the distance of the middle's norm to the
    radius of the geodesic circle.
    """
    rows = [
        row for d in parameters.dimensions for s in seeds for row in _costs(d, parameters.pairs, s)
    ]
    return pd.DataFrame(rows)


def _costs(dimensions: int, pairs: int, seed: int) -> list[dict[str, object]]:
    drawn = generator(seed, "diffusion-paths", dimensions)
    first, last = torch.from_numpy(drawn.standard_normal((2, pairs, dimensions), np.float32))
    ends, weights = torch.stack([first, last], dim=-2), arithmetic.between(Descent.points)
    lines = {name: arithmetic.INTERPOLATIONS[name](ends, weights) for name in ("LERP", "SLERP")}
    lines["NAO"] = path(first, last, torch.Generator().manual_seed(seed), FINE).points
    optima = [optimum(a, b) for a, b in zip(first, last, strict=True)]
    radius = circle_radius(dimensions)
    return [
        {
            "seed": seed,
            "dimensions": dimensions,
            "pair": pair,
            "method": name,
            "cost": curve_cost(line[pair]).item(),
            "true_cost": curve_cost(line[pair], nodes=4).item(),
            "optimum": optima[pair],
            "from_circle": abs(line[pair, len(line[pair]) // 2].norm().item() - radius),
        }
        for name, line in lines.items()
        for pair in range(pairs)
    ]


def optimum(first: Tensor, last: Tensor) -> float:
    """Return the least cost of any curve between two seeds."""
    cosine = torch.nn.functional.cosine_similarity(first.double(), last.double(), dim=0)
    norms = first.norm().item(), last.norm().item()
    return geodesic(*norms, cosine.clamp(-1, 1).arccos().item(), len(first)).cost


def invert_training_images(model: Trained, parameters: SeedParameters) -> Tensor:
    """Return the seeds of all training images by plain DDIM inversion, for every model."""
    return inverted_by(model, model.train.pixels, model.train.labels, parameters.sampling_steps)


@torch.no_grad()
def inverted_by(
    model: Trained, pixels: np.ndarray, labels: np.ndarray, steps: int, method: str = "ddim"
) -> Tensor:
    """Return the seeds ``(members, n, pixels)`` that one method of inversion finds for images."""
    noise_of = model.ensemble.conditional(torch.from_numpy(labels))
    clean = torch.from_numpy(pixels).expand(len(model.ensemble.seeds), -1, -1)
    return invert(noise_of, sampler(), clean, steps, method, leading=2)


def inversion(model: Trained, parameters: SeedParameters) -> pd.DataFrame:
    """Invert held-out images and generate them again.

    Returns
    -------
    ``seed, steps, method, rmse`` of the round trip, and ``norm`` of the seeds.
    """
    pixels = model.held_out.pixels[: parameters.inverted]
    labels = model.held_out.labels[: parameters.inverted]
    rows = []
    for steps in parameters.inversion_steps:
        for method in ("ddim", "fixed_point", "newton"):
            seeds = inverted_by(model, pixels, labels, steps, method)
            again = model.images(sampler(), seeds, torch.from_numpy(labels), steps)
            errors = (again - torch.from_numpy(pixels)).square().mean(dim=(1, 2)).sqrt()
            norms = seeds.norm(dim=-1).mean(dim=-1)
            rows += [
                {"seed": s, "steps": steps, "method": method, "rmse": e.item(), "norm": n.item()}
                for s, e, n in zip(model.ensemble.seeds, errors, norms, strict=True)
            ]
    return pd.DataFrame(rows)


def centroids(model: Trained, parameters: SeedParameters, inverted: Tensor) -> pd.DataFrame:
    """Generate from centroids of inverted images of one class.

    Returns
    -------
    ``seed, size, method, norm`` and measures.
    """
    tables = []
    for size in parameters.group_sizes:
        rows = np.stack(
            [
                _groups(model, seed, parameters.groups, size, "centroids")
                for seed in model.ensemble.seeds
            ]
        )
        groups = _picked(inverted, rows)
        labels = torch.from_numpy(model.train.labels[rows[0, :, 0]])
        for name, mean in _centroid_methods().items():
            seeds = mean(groups)
            drawn = model.images(sampler(), seeds, labels, parameters.sampling_steps)
            table = model.measure(drawn, labels, size=size, method=name)
            tables.append(table.assign(norm=seeds.norm(dim=-1).mean(dim=-1).numpy()))
    return pd.concat(tables, ignore_index=True)


def _centroid_methods() -> dict[str, Callable[[Tensor], Tensor]]:
    def nao(groups: Tensor) -> Tensor:
        return centroid(groups, torch.Generator().manual_seed(0), CENTROID).points

    return {**arithmetic.CENTROIDS, "NAO": nao}


def _groups(model: Trained, seed: int, count: int, size: int, what: str) -> np.ndarray:
    """Draw rows of training images, ``(count, size)``, each group of one class, in turn."""
    stream = generator(seed, "diffusion-groups", what, size)
    members = [np.flatnonzero(model.train.labels == c) for c in range(model.ensemble.shape.classes)]
    return np.stack(
        [stream.choice(members[i % len(members)], size, replace=False) for i in range(count)]
    )


def _picked(inverted: Tensor, rows: np.ndarray) -> Tensor:
    """Return each model's own rows of its own seeds, ``(members, count, size, pixels)``."""
    return torch.stack([own[r] for own, r in zip(inverted, torch.from_numpy(rows), strict=True)])
