"""Real kernels: what the compiler makes of a network, and whether any schedule gives its output."""

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from schedlab.data.catalog import datasets, fetch
from schedlab.lab.seeds import generator
from schedlab.microcontrollers import costs
from schedlab.microcontrollers.boards import Board, board
from schedlab.microcontrollers.experiment.runs import made
from schedlab.microcontrollers.frontend.compiler import compile_model
from schedlab.microcontrollers.frontend.digits import (
    SHIPPED,
    accuracies,
    shipped_model,
    test_inputs,
    trained,
)
from schedlab.microcontrollers.frontend.execute import HostModel, run_reference
from schedlab.microcontrollers.frontend.export import tosa_text
from schedlab.microcontrollers.frontend.graph import dispatch_graph
from schedlab.microcontrollers.frontend.program import Program, Tensor
from schedlab.microcontrollers.frontend.quantize import run_integers
from schedlab.microcontrollers.frontend.queue import HandOut
from schedlab.microcontrollers.model import Dispatch
from schedlab.microcontrollers.parameters import KernelParameters
from schedlab.microcontrollers.schedule import Decision, complete

RANDOM = "Random order"
BOARD = "rp2350-arm"  # with any number of cores; how fast they are does not matter here


def model_file(name: str) -> Path:
    """Return the file of a default model, or of one in the data catalogue.

    Raises
    ------
    ValueError
        If neither has the name.
    FileNotFoundError
        If a catalogued file is not to be had.
    """
    if name not in SHIPPED and name not in datasets():
        raise ValueError(f"no model {name!r}; default ones are {', '.join(SHIPPED)}")
    return shipped_model(name) if name in SHIPPED else fetch(name)


def graphs(parameters: KernelParameters) -> pd.DataFrame:
    """Return one row per model, target and dispatch: what the front end finds."""
    jobs = [(name, target) for name in parameters.models for target in parameters.targets]
    rows = []
    for name, target in tqdm(jobs, desc="compiling", leave=False):
        graph = dispatch_graph(compile_model(model_file(name), target))
        sizes = {f"{key}_bytes": size for key, size in graph["buffers_bytes"].items()}
        common = {
            "model": name,
            "target": target,
            "text_bytes": graph["object_text_bytes"],
            **sizes,
        }
        rows += [
            {
                **common,
                "dispatch": index,
                "name": dispatch["name"],
                "op": dispatch["op"] or "other",
                "workgroups": int(np.prod(dispatch["workgroups"])),
                "tile": str(dispatch["distribution"]),
                "group": dispatch.get("concurrent", -1),
            }
            for index, dispatch in enumerate(graph["dispatches"])
        ]
    return pd.DataFrame(rows)


def size_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per model and target: dispatches, workgroups, and bytes of each kind."""
    by_model = table.groupby(["model", "target"], sort=False)
    sizes = by_model[["text_bytes", "constants_bytes", "transient_bytes"]].first()
    counts = by_model.agg(dispatches=("dispatch", "size"), workgroups=("workgroups", "sum"))
    return counts.join(sizes).reset_index()


def same_grids_as_counted(table: pd.DataFrame) -> bool:
    """Tell whether the default models have the grids for which instructions are shipped."""
    counted = {(m.name, m.target): m for m in costs.default_grids(costs.OWN)}
    return all(
        rows["workgroups"].tolist() == [d.workgroups for d in counted[key].dispatches]
        for key, rows in table.groupby(["model", "target"])
        if key in counted
    )


def emulated_runs() -> pd.DataFrame:
    """Return what was measured on QEMU's dual Cortex-M33 and dual riscv32, shipped with the counts.

    Each row is a hundred inferences with a greedy queue that two emulated cores share; ``wrong``
    is how many outputs differed from this kind of computer's.
    """
    path = files(costs) / "own_workgroup_costs.json"
    return pd.DataFrame(json.loads(path.read_text(encoding="utf-8"))["two_cores"])


def random_inputs(program: Program, random: np.random.Generator) -> list[np.ndarray]:
    """Return inputs of the model's shapes: any bytes for integers, 0 to 1 for floats."""

    def drawn(tensor: Tensor) -> np.ndarray:
        if np.dtype(tensor.dtype).kind == "f":
            return random.random(tensor.shape, dtype=np.float32).astype(tensor.dtype)
        limits = np.iinfo(tensor.dtype)
        return random.integers(limits.min, limits.max + 1, tensor.shape).astype(tensor.dtype)

    return [drawn(tensor) for tensor in program.inputs]


def equality(parameters: KernelParameters) -> pd.DataFrame:
    """Run every model under every scheduler for real and compare bytes with IREE's runtime.

    Returns
    -------
    One row per model, scheduler, number of cores and seed. A seed draws an input and, for
    ``Random order``, the order of every dispatch's queue. ``equal`` is 1 or 0.
    """
    rows = []
    for name in tqdm(parameters.models, desc="running kernels", leave=False):
        compiled = compile_model(model_file(name))
        model = HostModel(compiled)
        for seed in parameters.seeds:
            inputs = random_inputs(model.program, generator(seed, "inputs", name))
            wanted = run_reference(compiled, *inputs)
            for label, cores, plans in _ways(parameters, model.sizes, name, seed):
                found = model.run(*inputs, plans=plans, cores=cores)
                equal = all(map(np.array_equal, map(_bytes, found), map(_bytes, wanted)))
                rows.append((name, label, cores, seed, sum(model.sizes), int(equal)))
    columns = ["model", "scheduler", "cores", "seed", "workgroups", "equal"]
    return pd.DataFrame(rows, columns=columns)


def _bytes(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(np.uint8)


def _ways(
    parameters: KernelParameters, sizes: Sequence[int], model: str, seed: int
) -> Iterator[tuple[str, int, list[HandOut]]]:
    """Yield every way to run a model: each scheduler, then random orders, on each core count."""
    for cores in parameters.cores:
        on = board(BOARD).with_cores(cores)
        for label, scheduler in made(parameters.schedulers):
            yield label, cores, [hand_out_of(scheduler, n, on) for n in sizes]
        random = generator(seed, "order", model, cores)
        yield RANDOM, cores, [HandOut.greedy(random.permutation(n).tolist()) for n in sizes]


def hand_out_of(scheduler: Any, workgroups: int, on: Board) -> HandOut:
    """Return what a scheduler does with equal workgroups, as a plan for real threads.

    One that only has ``assign`` is taken at its word: which core, in which order.
    """
    dispatch = Dispatch("equal workgroups", np.ones(workgroups))
    if not hasattr(scheduler, "decide"):
        rows = scheduler.assign(dispatch, on).table()
        return HandOut(rows[["workgroup"]].to_numpy().tolist(), rows["core"].tolist())
    decision: Decision = scheduler.decide(dispatch, on)
    order, bounds, owners = (array.tolist() for array in complete(decision, workgroups))
    chunks = [order[low:high] for low, high in pairwise(bounds)]
    return HandOut(chunks, owners, decision.steal)


def trained_here(parameters: KernelParameters) -> pd.DataFrame:
    """Train, quantise, compile and run the default network once per seed.

    Returns
    -------
    One row per seed: test accuracy in float32 and int8, and the share of the 360 test digits for
    which the compiled kernels give the very scores of numpy's integers.
    """
    rows = []
    for seed in tqdm(parameters.seeds, desc="training", leave=False):
        name = parameters.network
        weights, network = trained(name, parameters.epochs, seed)
        with TemporaryDirectory() as folder:
            path = Path(folder, f"{name}-{seed}.mlir")
            path.write_text(tosa_text(network))
            model = HostModel(compile_model(path))
        images = test_inputs("int8")
        wanted = run_integers(network, images)
        found = np.stack([model.run(image[None])[0].reshape(-1) for image in images])
        exact = float((found == wanted).all(axis=1).mean())
        rows.append({"seed": seed, **accuracies(name, weights, network), "exact": exact})
    return pd.DataFrame(rows)
