"""What a scheduler costs beside the network: our classes against diffusers' own.

Both run the steps of one whole run on the same tensors, 64 latents of Stable Diffusion's size, with
a network that costs nothing: its output is made before. The two take turns step by step in one
process, so that a busy machine slows both. ``set_timesteps`` is not timed, it is called once a run.
"""

import inspect
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import torch

from benchmarks.table import Row, in_turns
from schedlab.diffusion import parity, worlds
from schedlab.diffusion.experiment.orders import log_uniform
from schedlab.diffusion.quiet import without_notices
from schedlab.diffusion.schedulers.core.levels import preserving
from schedlab.diffusion.schedulers.core.solvers import SOLVERS, run

SHAPE = (64, 4, 64, 64)
STEPS = 20
ROUNDS = 3
MULTISTEP = ("LMS", "DPMSolver", "DEIS", "UniPC", "PNDM")

SUBJECTS = {
    "DDIM": ("DDIMScheduler", {}),
    "DDPM": ("DDPMScheduler", {}),
    "Euler": ("EulerDiscreteScheduler", {}),
    "Euler ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "Heun": ("HeunDiscreteScheduler", {}),
    "EDM Euler": ("EDMEulerScheduler", {}),
    "LMS 4": ("LMSDiscreteScheduler", {}),
    "PLMS": ("PNDMScheduler", {"skip_prk_steps": True}),
    "DPM-Solver++ 2M": ("DPMSolverMultistepScheduler", {}),
    "DPM-Solver++ 3M": ("DPMSolverMultistepScheduler", {"solver_order": 3}),
    "DPM-Solver++ 2S": ("DPMSolverSinglestepScheduler", {}),
    "DPM-Solver++ 3S": ("DPMSolverSinglestepScheduler", {"solver_order": 3}),
    "DEIS 3": ("DEISMultistepScheduler", {"solver_order": 3}),
    "UniPC 2": ("UniPCMultistepScheduler", {}),
    "UniPC 3": ("UniPCMultistepScheduler", {"solver_order": 3}),
}


def measure() -> list[Row]:
    """Return a row for every class: time a step, ours against diffusers'."""
    torch.set_num_threads(1)
    rows = [_row(label, name, options) for label, (name, options) in SUBJECTS.items()]
    return [*rows, _batched_row()]


def _row(label: str, name: str, options: dict[str, Any]) -> Row:
    case = parity.Case(name, options, {}, STEPS)
    with without_notices(), torch.inference_mode():
        ours, theirs = _seconds(case)
    return Row(
        f"{label}: a step of ours against diffusers'",
        f"{ours * 1e3:.2f} ms",
        f"{theirs * 1e3:.2f} ms",
        theirs / ours,
        "1.5 times" if name.startswith(MULTISTEP) else "1 time",
        f"scale_model_input and step, {STEPS} steps at {'x'.join(map(str, SHAPE))}, one thread, "
        f"medians over {ROUNDS} runs",
    )


def _seconds(case: parity.Case) -> tuple[float, float]:
    """Return the median seconds of a step, ours and theirs, in turns."""
    source = torch.Generator().manual_seed(0)
    sample = torch.randn(SHAPE, generator=source)
    output = torch.randn(SHAPE, generator=source)
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        runs = [_run(scheduler, sample, output) for scheduler in parity.pair(case)]
        for steps in zip(*runs, strict=True):
            for seconds, times in zip(steps, taken, strict=True):
                times.append(seconds)
    return median(taken[0]), median(taken[1])


def _run(scheduler: Any, sample: torch.Tensor, output: torch.Tensor) -> Iterator[float]:
    """Yield the seconds of every step of a run."""
    takes_generator = "generator" in inspect.signature(scheduler.step).parameters
    extra = {"generator": torch.Generator().manual_seed(0)} if takes_generator else {}
    for t in scheduler.timesteps:
        start = time.perf_counter()
        scheduler.scale_model_input(sample, t)
        sample = scheduler.step(output, t, sample, return_dict=False, **extra)[0]
        yield time.perf_counter() - start


def _batched_row() -> Row:
    """Compare one evaluation of the mixture for all solvers with one for each."""
    world, levels = worlds.ring(), preserving(log_uniform(20.0, 0.02, 96))
    begin = torch.randn(64, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    runs = [(solver, levels) for solver in SOLVERS.values()]
    together, apart = in_turns(
        [
            lambda: run(world.epsilon, begin, runs),
            lambda: [run(world.epsilon, begin, [one]) for one in runs],
        ]
    )
    return Row(
        f"convergence bench: {len(SOLVERS)} solvers at once against one by one",
        f"{together:.2f} s",
        f"{apart:.2f} s",
        apart / together,
        "above 1",
        "96 intervals from 64 starts, one thread, medians of 3 turns",
    )
