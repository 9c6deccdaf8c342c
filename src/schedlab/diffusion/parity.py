"""Our classes against those of the installed diffusers, step for step; and what differs.

Both are given the same sample, and the same random network output, at every step, so an error
cannot hide in a trajectory that forgets it, nor grow in one that does not.
"""

import inspect
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import diffusers
import numpy as np
import torch

from schedlab.diffusion import schedulers as ours
from schedlab.diffusion.quiet import without_notices

STEPS = (1, 2, 5, 10, 14, 15, 50)
SPACINGS = ("linspace", "leading", "trailing")
PREDICTIONS = ("epsilon", "sample", "v_prediction")
SHAPES = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")

Options = Mapping[str, tuple[Any, ...]]

_COMMON: Options = {"timestep_spacing": SPACINGS, "prediction_type": PREDICTIONS}
_LIMITED: Options = {**_COMMON, "limit": ("clip_sample", "thresholding", None)}
_SHAPED: Options = {**_COMMON, "shape": (None, *SHAPES)}
_DPM: Options = {
    **_SHAPED,
    "solver_order": (1, 2, 3),
    "solver_type": ("midpoint", "heun"),
    "algorithm_type": ("dpmsolver++", "dpmsolver"),
    "final_sigmas_type": ("sigma_min", "zero"),
}

GRID: dict[str, Options] = {
    "DDIMScheduler": {**_LIMITED, "eta": (0.0, 0.6), "set_alpha_to_one": (True, False)},
    "DDPMScheduler": {**_LIMITED, "variance_type": ("fixed_small", "fixed_large")},
    "PNDMScheduler": {
        "timestep_spacing": SPACINGS,
        "prediction_type": ("epsilon", "v_prediction"),
        "skip_prk_steps": (True, False),
        "set_alpha_to_one": (True, False),
    },
    "LMSDiscreteScheduler": _SHAPED,
    "EulerDiscreteScheduler": {
        **_SHAPED,
        "final_sigmas_type": ("zero", "sigma_min"),
        "s_churn": (0.0, 5.0),
    },
    "EulerAncestralDiscreteScheduler": {
        "timestep_spacing": SPACINGS,
        "prediction_type": ("epsilon", "v_prediction"),
        "steps_offset": (0, 1),
    },
    "HeunDiscreteScheduler": {**_SHAPED, "clip_sample": (False, True)},
    "DPMSolverMultistepScheduler": {**_DPM, "thresholding": (False, True)},
    "DPMSolverSinglestepScheduler": {k: v for k, v in _DPM.items() if k != "timestep_spacing"},
    "DEISMultistepScheduler": {**_SHAPED, "solver_order": (1, 2, 3), "thresholding": (False, True)},
    "UniPCMultistepScheduler": {
        **_SHAPED,
        "solver_order": (1, 2, 3),
        "solver_type": ("bh1", "bh2"),
        "final_sigmas_type": ("sigma_min", "zero"),
        "predict_x0": (True, False),
    },
    "EDMEulerScheduler": {
        "sigma_schedule": ("karras", "exponential"),
        "prediction_type": ("epsilon", "v_prediction"),
        "final_sigmas_type": ("zero", "sigma_min"),
    },
}
"""Options of every class, all of whose combinations are compared."""

STEP_OPTIONS = ("eta", "s_churn")


class Case(NamedTuple):
    """One comparison: a class, its options, options of ``step``, and the number of steps."""

    name: str
    options: dict[str, Any]
    step_options: dict[str, Any]
    steps: int


def cases(name: str, thin: int = 1, first: int = 0) -> list[Case]:
    """Return every ``thin``-th combination of a class's options, with step counts in rotation.

    Parameters
    ----------
    name
        Class.
    thin
        1 for all; coprime to 2, 3 and 7 it leaves a share of every option.
    first
        Where to begin; other values give other combinations.
    """
    keys, values = zip(*GRID[name].items(), strict=True)
    rows = [dict(zip(keys, row, strict=True)) for row in itertools.product(*values)]
    sound = [row for row in rows if _meaningful(row)][first % thin :: thin]
    return [_case(name, row, STEPS[(i + first) % len(STEPS)]) for i, row in enumerate(sound)]


def _meaningful(row: Mapping[str, Any]) -> bool:
    """Leave out what diffusers refuses, or computes as not-a-number."""
    zero = row.get("final_sigmas_type") == "zero"
    noise_form = row.get("algorithm_type") == "dpmsolver" or row.get("predict_x0") is False
    return not (zero and (noise_form or row.get("solver_type") == "bh1"))


def _case(name: str, row: dict[str, Any], steps: int) -> Case:
    step_options = {key: row.pop(key) for key in STEP_OPTIONS if key in row}
    if shape := row.pop("shape", None):
        row[shape] = True
    if "limit" in row:
        limit = row.pop("limit")
        row |= {"clip_sample": limit == "clip_sample", "thresholding": limit == "thresholding"}
    if row.get("skip_prk_steps") is False:
        steps = max(4, steps)
    return Case(name, row, step_options, steps)


def pair(case: Case) -> tuple[Any, Any]:
    """Return our scheduler and diffusers' own, ready to run."""
    with without_notices():
        made = [getattr(package, case.name)(**case.options) for package in (ours, diffusers)]
        for scheduler in made:
            scheduler.set_timesteps(case.steps)
    return made[0], made[1]


def difference(case: Case, seed: int = 0) -> dict[str, Any]:
    """Compare one case and return a row.

    Returns
    -------
    ``relative`` is the largest difference of a step over the largest value it handles, and
    ``in_double`` the same once diffusers' class has its sigmas and samples in double precision,
    which takes its own rounding away. ``grid_equal`` tells whether timesteps and sigmas agree.
    Where diffusers' own result is not finite, ``defined`` is false.
    """
    mine, theirs = pair(case)
    row = {
        "scheduler": case.name,
        "steps": case.steps,
        "options": ", ".join(f"{k}={v}" for k, v in (case.options | case.step_options).items()),
        "grid_equal": _grids_agree(mine, theirs),
    }
    relative = _largest(case, mine, theirs, seed, torch.float32)
    in_double = relative
    if not relative <= 1e-5:
        mine, theirs = pair(case)
        if hasattr(theirs, "sigmas"):
            theirs.sigmas = theirs.sigmas.double()
        in_double = _largest(case, mine, theirs, seed, torch.float64)
    return {**row, "relative": relative, "in_double": in_double, "defined": np.isfinite(relative)}


def _largest(case: Case, mine: Any, theirs: Any, seed: int, dtype: torch.dtype) -> float:
    worst = 0.0
    for moved, expected, scale in _walk(case, mine, theirs, seed, dtype):
        worst = max(worst, float((moved - expected).abs().max() / scale))
        if not bool(torch.isfinite(expected).all()):
            return float("nan")
    return worst


def _walk(
    case: Case, mine: Any, theirs: Any, seed: int, dtype: torch.dtype
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield our result, theirs, and the scale of both, for input, data and sample of each step."""
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 3, 4, 4, generator=source, dtype=dtype) * float(theirs.init_noise_sigma)
    held = x.abs().max()
    for i, t in enumerate(theirs.timesteps):
        output = torch.randn(x.shape, generator=source, dtype=dtype)
        scaled = [scheduler.scale_model_input(x, t) for scheduler in (mine, theirs)]
        yield *scaled, scaled[1].abs().max()
        results = [_step(s, output, t, x, seed + i, case.step_options) for s in (mine, theirs)]
        call = mine.calls[i]
        base = held if call.from_anchor else x.abs().max()
        held = base if call.hold else held
        largest_term = torch.maximum(x.abs().max(), base * abs(call.move.keep))
        scale = torch.maximum(largest_term, results[1].prev_sample.abs().max())
        yield results[0].prev_sample, results[1].prev_sample, scale
        if (data := getattr(results[1], "pred_original_sample", None)) is not None:
            yield results[0].pred_original_sample, data, torch.maximum(scale, data.abs().max())
        x = results[1].prev_sample.to(dtype)


def _step(scheduler: Any, output: Any, t: Any, x: Any, seed: int, options: dict[str, Any]) -> Any:
    """Step with noise of its own seed, where the class takes a generator."""
    known = inspect.signature(scheduler.step).parameters
    extra = {"generator": torch.Generator().manual_seed(seed)} if "generator" in known else {}
    return scheduler.step(output, t, x, **extra, **options)


def _grids_agree(mine: Any, theirs: Any) -> bool:
    grids = [(mine.timesteps, theirs.timesteps)]
    if hasattr(theirs, "sigmas"):
        grids.append((mine.sigmas, theirs.sigmas))
    return all(_alike(a, b) for a, b in grids)


def _alike(a: torch.Tensor, b: torch.Tensor, tolerance: float = 1e-6) -> bool:
    a, b = torch.as_tensor(a).double(), torch.as_tensor(b).double()
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance)


def conventions(first: Any, second: Any, steps: int, seed: int = 0) -> dict[str, tuple[Any, Any]]:
    """Name the conventions in which two schedulers differ, in the order in which they matter.

    Parameters
    ----------
    first, second
        Schedulers with diffusers' interface, whichever classes; their runs are begun anew.
    steps
        Number of inference steps to compare at.
    seed
        Of the samples and network outputs that both are given.

    Returns
    -------
    For each convention in which they differ, the two values; empty where they agree throughout.
    """
    both = first, second
    with without_notices():
        for scheduler in both:
            scheduler.set_timesteps(steps)
    lists = [scheduler.timesteps.double().tolist() for scheduler in both]
    if len(lists[0]) != len(lists[1]):
        return {"evaluations of the network": (len(lists[0]), len(lists[1]))}
    found: dict[str, tuple[Any, Any]] = {}
    if not _alike(*lists):
        found["timesteps"] = (_brief(lists[0]), _brief(lists[1]))
    starts = [float(scheduler.init_noise_sigma) for scheduler in both]
    if not _alike(*starts):
        found["scale of the start noise"] = (starts[0], starts[1])
    return found | _by_behaviour(both, lists, seed)


def _by_behaviour(
    both: tuple[Any, Any], lists: list[list[float]], seed: int
) -> dict[str, tuple[Any, Any]]:
    """Return the first difference of each kind that feeding both the same values shows."""
    found: dict[str, tuple[Any, Any]] = {}
    kinds: set[str] = set()
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 3, 4, 4, generator=source, dtype=torch.float64)
    for i in range(len(lists[0])):
        output = torch.randn(x.shape, generator=source, dtype=torch.float64)
        results = [_step_at(scheduler, i, output, x, seed + i) for scheduler in both]
        for kind, name in _kinds(i, len(lists[0])).items():
            values = [result[kind] for result in results]
            told = all(value is not None for value in values)
            if kind not in kinds and told and not _alike(*values, tolerance=1e-5):
                kinds.add(kind)
                found[name] = (_size(values[0]), _size(values[1]))
        x = results[1]["moved"].double()
    return found


def _step_at(
    scheduler: Any, i: int, output: torch.Tensor, x: torch.Tensor, seed: int
) -> dict[str, Any]:
    """Return what a scheduler makes of a sample: the network's input, the data, the next sample."""
    t = scheduler.timesteps[i]
    unit = scheduler.scale_model_input(x, t)
    result = _step(scheduler, output, t, x, seed, {})
    data = getattr(result, "pred_original_sample", None)
    return {"input": unit, "data": data, "moved": result.prev_sample}


def _kinds(i: int, steps: int) -> dict[str, str]:
    return {
        "input": "scale of the network's input",
        "data": f"predicted data, from step {i + 1}",
        "moved": _when(i, steps),
    }


def _when(i: int, steps: int) -> str:
    if i == 0:
        return "update, from the first step"
    if i == steps - 1:
        return "last step (final noise level, or order at the end)"
    return f"update, from step {i + 1} (memory of earlier steps)"


def _size(tensor: torch.Tensor) -> float:
    return float(tensor.double().square().mean().sqrt())


def _brief(values: list[float]) -> str:
    shown = [f"{v:g}" for v in values]
    return ", ".join(shown if len(shown) < 6 else [*shown[:2], "…", *shown[-2:]])
