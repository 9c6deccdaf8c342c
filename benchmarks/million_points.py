"""What a point costs in a sweep, to tell what one of a million points would need.

Storage, the sweep's own work at growing sizes, the hand-over to workers on this machine (Dask and
Ray where they are installed), and the work itself in three systems. ``docs/million-points.md``
draws the conclusions. Four minutes or more.
"""

import importlib
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from joblib.externals.loky import get_reusable_executor

from benchmarks.memory import peak_memory
from benchmarks.table import Row, in_turns
from schedlab.lab import parameters
from schedlab.lab.paths import find_root
from schedlab.lab.sweep import sweep

FEW, MANY = 1_000, 10_000
WORKERS = 2
FILES = 200_000


def measure() -> list[Row]:
    """Return costs per point."""
    few, many = (_apart(_whole_sweep, size) for size in (FEW, MANY))
    shards = _apart(_sharded_sweep, MANY)
    handed = {name: _apart(_handed_over, name) for name in ("loky", "dask", "ray") if _has(name)}
    work = {name: _apart(_work, name) for name in ("serving", "diffusion", "trainability")}
    return [
        _growth(few, many),
        _shards(many, shards),
        _storage(many),
        _directory(),
        *[_overhead(name, cost, work["serving"]) for name, cost in handed.items()],
        *[_compute(name, cost, handed["loky"]) for name, cost in work.items()],
    ]


def nothing(x: float, seed: int) -> dict[str, float]:
    """Return a row of three numbers, as cheap as a point can be."""
    return {"first": x, "second": x / 2, "third": x + seed}


def _apart(call: Callable[..., dict[str, float]], *values: object) -> dict[str, float]:
    """Call in a process of its own, for its memory and because it sets the backend."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *values).result()


def _whole_sweep(points: int) -> dict[str, float]:
    """Measure one sweep in this process, and one that finds all its points in the store."""
    sweep(nothing, {"x": [0]}, [0], jobs=1, store=Path(tempfile.mkdtemp()))  # imports and caches
    grid, before = {"x": range(points)}, peak_memory()
    with tempfile.TemporaryDirectory() as store:
        begun = time.process_time()
        sweep(nothing, grid, [0], jobs=1, store=Path(store), keep=True)
        seconds, memory = time.process_time() - begun, peak_memory() - before
        stats = [path.stat() for path in Path(store).rglob("*.point")]
        begun = time.process_time()
        sweep(nothing, grid, [0], jobs=1, store=Path(store))
    return {
        "points": points,
        "seconds": seconds / points,
        "again": (time.process_time() - begun) / points,
        "memory": memory / points,
        "peak": memory,
        "bytes": sum(stat.st_size for stat in stats) / points,
        "disk": sum(stat.st_blocks * 512 for stat in stats) / points,
    }


def _sharded_sweep(points: int) -> dict[str, float]:
    """Measure sweeps of a thousand points each, of which each leaves one table."""
    sweep(nothing, {"x": [0]}, [0], jobs=1, store=Path(tempfile.mkdtemp()))
    before = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        for start in range(0, points, FEW):
            shard = {"x": range(start, start + FEW)}
            table = sweep(nothing, shard, [0], jobs=1, store=Path(folder, "store"))
            table.to_parquet(Path(folder, f"{start}.parquet"))
        seconds = time.process_time() - begun
        size = sum(path.stat().st_size for path in Path(folder).glob("*.parquet"))
    return {"seconds": seconds / points, "peak": peak_memory() - before, "bytes": size / points}


def _has(backend: str) -> bool:
    needed = {"loky": "joblib", "dask": "distributed", "ray": "ray"}
    return importlib.util.find_spec(needed[backend]) is not None


@contextmanager
def _cluster(backend: str):
    os.environ["SCHEDLAB_BACKEND"] = backend
    if backend == "dask":
        from distributed import LocalCluster

        with LocalCluster(WORKERS, threads_per_worker=1, dashboard_address=None) as cluster:
            os.environ["DASK_SCHEDULER_ADDRESS"] = cluster.scheduler_address
            yield
    elif backend == "ray":
        yield
        importlib.import_module("ray").shutdown()
    else:
        yield
        get_reusable_executor().shutdown()  # this process would wait for its workers at its end


def _handed_over(backend: str) -> dict[str, float]:
    """Measure what a point takes on warm workers, less what it takes without any."""
    with tempfile.TemporaryDirectory() as store, _cluster(backend):
        seconds = {}
        for jobs, first in ((1, -1), (WORKERS, -100), (1, FEW), (WORKERS, 2 * FEW)):
            grid = {"x": range(first, first + (FEW if first > 0 else 50))}
            os.environ["SCHEDLAB_BACKEND"] = backend if jobs > 1 else "loky"
            begun = time.perf_counter()
            sweep(nothing, grid, [0], jobs=jobs, store=Path(store))
            seconds[jobs] = (time.perf_counter() - begun) / FEW
    return {"alone": seconds[1], "seconds": seconds[WORKERS]}


def _work(system: str) -> dict[str, float]:
    """Measure points of a stage at laptop scale, one process, one thread."""
    os.environ.update(SCHEDLAB_JOBS="1", OMP_NUM_THREADS="1", SCHEDLAB_BACKEND="loky")
    run, points = {"serving": _serving, "diffusion": _diffusion, "trainability": _trainability}[
        system
    ]()
    begun = time.process_time()
    run()
    return {"seconds": (time.process_time() - begun) / points, "points": points}


def _laptop(system: str, stage: str, **changes: object) -> parameters.Parameters:
    parts = parameters.read(find_root())[system][stage]
    values = {**parts["all"], **parts["laptop"], **changes}
    return parameters.model(system, stage)(**values)


def _serving() -> tuple[Callable[[], object], int]:
    from schedlab.serving.experiment.load import latency_against_load

    settings = _laptop("serving", "load_fit", seeds=[1])
    points = len(settings.schedulers) * len(settings.rates)
    return (lambda: latency_against_load(settings)), points


def _diffusion() -> tuple[Callable[[], object], int]:
    from schedlab.diffusion.experiment.orders import GRIDS, errors

    settings = _laptop("diffusion", "orders", seeds=[1])
    return (lambda: errors(settings)), len(GRIDS)


def _trainability() -> tuple[Callable[[], object], int]:
    from schedlab.trainability.experiment.quadratic import cooling

    settings = _laptop("trainability", "quadratic", seeds=[1])
    return (lambda: cooling(settings)), len(settings.curvatures) * len(settings.starts) + 1


def _growth(few: dict[str, float], many: dict[str, float]) -> Row:
    return Row(
        f"a sweep's own work per point, {FEW:,} points against {MANY:,}",
        f"{few['seconds'] * 1e3:.2f} ms",
        f"{many['seconds'] * 1e3:.2f} ms, {many['memory'] / 1e3:.1f} kB of memory; "
        f"{many['again'] * 1e3:.2f} ms where the store has it",
        many["seconds"] / few["seconds"],
        "1 times: no growth with size",
        "a function of three numbers, one process; memory is the growth of the peak",
    )


def _shards(whole: dict[str, float], shards: dict[str, float]) -> Row:
    return Row(
        f"memory of {MANY:,} points in sweeps of {FEW:,}, a table each, against one sweep",
        f"{shards['peak'] / 1e6:.0f} MB, {shards['seconds'] * 1e3:.2f} ms and "
        f"{shards['bytes']:.0f} bytes a point",
        f"{whole['peak'] / 1e6:.0f} MB, {whole['seconds'] * 1e3:.2f} ms a point",
        whole["peak"] / shards["peak"] if shards["peak"] else None,  # none: within the import's
        f"{MANY // FEW} times at most",
        "growth of the peak over an imported, warm process",
    )


def _storage(many: dict[str, float]) -> Row:
    return Row(
        "a finished point in the store",
        f"1 file, {many['bytes']:.0f} bytes, {many['disk']:.0f} on disk",
        "",
        None,
        "none",
        "a row of three numbers as parquet with its digest",
    )


def _directory() -> Row:
    def make_and_remove(count: int) -> None:
        with tempfile.TemporaryDirectory() as name:
            paths = [Path(name, f"{i:032x}.point") for i in range(count)]
            for path in paths:
                path.touch()
            for path in paths:
                path.unlink()

    turns = in_turns([partial(make_and_remove, size) for size in (FEW, FILES)])
    few, many = (seconds / size for seconds, size in zip(turns, (FEW, FILES), strict=True))
    return Row(
        f"a file made and removed in one directory, of {FEW:,} against {FILES:,}",
        f"{few * 1e6:.0f} µs",
        f"{many * 1e6:.0f} µs",
        many / few,
        "1 times: no growth with size",
        "empty files in the temporary folder, wall time, medians of 3 turns",
    )


def _overhead(backend: str, cost: dict[str, float], serving: dict[str, float]) -> Row:
    return Row(
        f"a point of serving against a point's whole overhead on {backend}",
        f"{cost['seconds'] * 1e3:.2f} ms a point on {WORKERS} workers",
        f"{cost['alone'] * 1e3:.2f} ms without workers",
        serving["seconds"] / cost["seconds"],
        "20 times: 5 % overhead",
        f"{FEW:,} points of three numbers, warm workers, wall time",
    )


def _compute(system: str, cost: dict[str, float], loky: dict[str, float]) -> Row:
    return Row(
        f"a point of {system} against its overhead on loky",
        f"{cost['seconds'] * 1e3:.0f} ms; {cost['seconds'] * 1e6 / 3600:,.0f} core hours a million",
        f"{loky['seconds'] * 1e3:.2f} ms",
        cost["seconds"] / loky["seconds"],
        "20 times: 5 % overhead",
        f"{cost['points']:.0f} points at laptop scale, one process",
    )
