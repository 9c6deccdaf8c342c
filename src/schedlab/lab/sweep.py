"""A function over a grid and seeds: in parallel, streamed to disk, resumed after a kill.

Three settings, all environment variables, so that no code changes with the machine:

``SCHEDLAB_JOBS``
    Worker processes; by default one per core, or with another backend all it has.
``SCHEDLAB_BACKEND``
    ``loky`` (default, processes on this machine), ``threading``, ``dask``, ``ray``, or any other
    that was registered with joblib before. Dask takes its cluster from
    ``DASK_SCHEDULER_ADDRESS`` and Ray from ``RAY_ADDRESS``; both run the points of a killed
    worker again, as ``docs/clusters.md`` shows.
``TQDM_DISABLE``
    Set to 1 to go without the progress bar.

>>> sweep(lambda rate, seed: {"load": rate / 4}, {"rate": [1, 2]}, [0], jobs=1)
   rate  seed  load
0     1     0  0.25
1     2     0  0.50
"""

import copy
import functools
import hashlib
import importlib
import inspect
import io
import itertools
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

import schedlab
from schedlab.lab import lifeline
from schedlab.lab.files import write_atomically
from schedlab.lab.paths import find_root
from schedlab.lab.threads import one_thread

Point = dict[str, Any]
Task = tuple[int, Point, int]  # number, grid point, seed
Grid = Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]]
Measure = Callable[..., pd.DataFrame | Mapping[str, Any]]

SCALARS = (str, int, float, bool, np.generic)
INPUTS = ("extensions/**/*.py", "data.dvc", "constraints.txt")  # may change a result, as code does
DIGEST = hashlib.sha256().digest_size

_begun: dict[str, str] = {}  # in a worker of Dask: the code with which it began, by package


def sweep(
    fn: Measure,
    grid: Grid,
    seeds: Iterable[int],
    *,
    jobs: int | None = None,
    store: Path | None = None,
    label: str = "",
    keep: bool = False,
) -> pd.DataFrame:
    """Call ``fn(**point, seed=seed)`` for every grid point and seed, and stack what it returns.

    The result depends on grid and seeds only: not on the number of workers, the order in which
    they finish, or a kill in between. Each call has one thread and its own copy of the values.

    Parameters
    ----------
    fn
        Returns a tidy table, whose index is dropped, or a mapping for one row. It must be
        picklable, as any module's function is.
    grid
        Values by parameter name, of which all combinations are run, the last name changing
        fastest; or a list of points with the same names. Values may be nested.
    seeds
        Distinct non-negative integers; every point is run with each.
    jobs
        Workers; 1 runs everything in this process. By default ``SCHEDLAB_JOBS`` or all cores.
    store
        Folder for finished points, by default ``.schedlab/sweeps`` of the checkout. A sweep that
        ended early takes from it what the same code has measured already.
    label
        Words for the progress bar; by default the function's name.
    keep
        Leave the points in the store after success, to extend the grid later.

    Returns
    -------
    One table in the order of grid and seeds: columns of the point, ``seed``, columns of ``fn``.
    A parameter is a column where all its values are plain text or numbers and ``fn`` has no
    column of that name; a nested value (a scheduler's entry) is left to ``fn`` to describe.

    Raises
    ------
    ValueError
        If grid or seeds are empty, repeat or malformed, or ``fn`` does not take them.
    RuntimeError
        If ``fn`` raises; the message names the point, and finished points are kept.
    OSError
        If a point cannot be written, for instance to a full disk; earlier ones are kept.
    """
    points, chosen = _points(grid), _seeds(seeds)
    _check_signature(fn, points[0])
    tasks = [(point, seed) for point in points for seed in chosen]
    folder, call = _folder(fn, store), cloudpickle.dumps(fn)  # a name, or code with its values
    files = [folder / f"{joblib.hash((call, *task))}.point" for task in tasks]
    if len(set(files)) < len(files):
        raise ValueError("the grid holds the same point twice")
    name = label or getattr(fn, "__name__", type(fn).__name__)
    table = _stack(tasks, _complete(fn, tasks, files, _jobs(jobs), name))
    if not keep:
        _clear(files)
    return table


def _points(grid: Grid) -> list[Point]:
    points = _combinations(grid) if isinstance(grid, Mapping) else [dict(p) for p in grid]
    if not points:
        raise ValueError("the grid is empty; for seeds alone pass [{}]")
    names = list(points[0])
    for point in points:
        if set(point) != set(names):
            raise ValueError(f"grid points differ in their names: {names} and {list(point)}")
    if "seed" in names:
        raise ValueError("'seed' is no grid parameter; seeds are passed on their own")
    return points


def _combinations(grid: Mapping[str, Iterable[Any]]) -> list[Point]:
    for name, values in grid.items():
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            raise ValueError(f"grid: {name}: expected a list of values, got {values!r}")
    columns = {name: list(values) for name, values in grid.items()}
    if empty := [name for name, values in columns.items() if not values]:
        raise ValueError(f"grid: {', '.join(empty)}: no values")
    if not columns:
        return []
    return [dict(zip(columns, row, strict=True)) for row in itertools.product(*columns.values())]


def _seeds(seeds: Iterable[int]) -> list[int]:
    chosen = list(seeds)
    for seed in chosen:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"seeds: expected non-negative integers, got {seed!r}")
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"seeds: expected distinct integers, at least one, got {chosen}")
    return [int(seed) for seed in chosen]


def _check_signature(fn: Measure, point: Point) -> None:
    try:
        inspect.signature(fn).bind(**point, seed=0)
    except TypeError as error:
        raise ValueError(f"the function does not take the grid's names: {error}") from None


def _jobs(jobs: int | None) -> int:
    if jobs is None and (text := os.environ.get("SCHEDLAB_JOBS")):
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"SCHEDLAB_JOBS: expected a whole number of at least 1, got {text!r}")
        return int(text)
    if jobs is None:
        return joblib.cpu_count() if _backend() == "loky" else -1
    if jobs < 1:
        raise ValueError(f"jobs: expected at least 1, got {jobs}")
    return jobs


def _backend() -> str:
    return os.environ.get("SCHEDLAB_BACKEND") or "loky"


def _complete(
    fn: Measure, tasks: list[tuple[Point, int]], files: list[Path], jobs: int, name: str
) -> list[pd.DataFrame]:
    """Return every task's table: those in the store, and the others once they are there too."""
    found = dict(enumerate(map(_read, files)))
    todo = [(i, *tasks[i]) for i, table in found.items() if table is None]
    with (
        tqdm(total=len(tasks), initial=len(tasks) - len(todo), desc=name, leave=False) as bar,
        closing(_run(fn, todo, jobs, folder=files[0].parent)) as finished,
    ):
        for i, payload in finished:
            _write(files[i], payload)
            found[i] = _decode(payload)
            bar.update()
    return [table for table in found.values() if table is not None]


def _run(fn: Measure, tasks: list[Task], jobs: int, folder: Path) -> Iterator[tuple[int, bytes]]:
    """Yield each task's number and encoded table, as they finish."""
    if _backend() == "ray":
        yield from _run_on_ray(fn, tasks, jobs, folder.name)
        return
    with (
        one_thread(),
        _configured(_backend(), folder),
    ):  # workers of Dask and Ray have one by default
        backend, _ = joblib.parallel.get_active_backend()
        how = "generator_unordered" if backend.supports_return_generator else "list"
        pool = joblib.Parallel(n_jobs=min(jobs, max(1, len(tasks))), return_as=how)
        yield from pool(joblib.delayed(_call)(fn, *task) for task in tasks)


def _run_on_ray(
    fn: Measure, tasks: list[Task], jobs: int, code: str
) -> Iterator[tuple[int, bytes]]:
    """Do the same by Ray itself, whose backend for joblib hands over all points at the end."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = importlib.import_module("ray")
    ray.init(ignore_reinit_error=True, log_to_driver=False, logging_level="warning")
    fresh: Point = {"env_vars": {"SCHEDLAB_CODE": code}}  # Ray starts new workers when it differs
    if " " in sys.executable:  # which Ray puts into a shell's line as it is
        fresh["py_executable"] = shlex.quote(sys.executable)
    call, shared = ray.remote(runtime_env=fresh)(_call), ray.put(fn)
    queue = (call.remote(shared, *task) for task in tasks)  # each is submitted as it is drawn
    running = list(itertools.islice(queue, jobs if jobs > 0 else 2 * _ray_cores(ray)))
    try:
        while running:
            (first, *_), running = ray.wait(running)
            running += itertools.islice(queue, 1)
            yield ray.get(first)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    finally:
        for left in running:
            ray.cancel(left)


def _ray_cores(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _configured(backend: str, folder: Path) -> AbstractContextManager[Any]:
    code = folder.name
    if backend == "loky":  # which starts new workers when an argument differs from last time
        return joblib.parallel_config(
            backend, inner_max_num_threads=1, initializer=_start_worker, initargs=(code,)
        )
    if backend == "dask" and (address := os.environ.get("DASK_SCHEDULER_ADDRESS")):
        client = importlib.import_module("distributed").Client(address, set_as_default=False)
        client.run(_refuse_other_code, folder.parent.name.partition(".")[0], code)
        return joblib.parallel_config(backend, client=client)
    return joblib.parallel_config(backend)


def _start_worker(code: str) -> None:
    """Begin a worker for one state of the code, as it would not notice an edit; end it with us."""
    lifeline.follow_parent()


def _refuse_other_code(package: str, code: str) -> None:
    """Refuse a worker that outlived an edit: it would measure what it has loaded, the old code."""
    if _begun.setdefault(package, code) != code:
        raise RuntimeError(f"the Dask workers have loaded {package} before an edit; restart them")


def _call(fn: Measure, number: int, point: Point, seed: int) -> tuple[int, bytes]:
    try:
        result = fn(**copy.deepcopy(point), seed=seed)
        if not isinstance(result, pd.DataFrame | Mapping):
            raise TypeError(f"returned {type(result).__name__}, expected a table or a mapping")
        table = pd.DataFrame([result]) if isinstance(result, Mapping) else result
        return number, _encode(table)
    except Exception as error:
        where = ", ".join(f"{name}={value!r}" for name, value in {**point, "seed": seed}.items())
        raise RuntimeError(f"point {where}: {type(error).__name__}: {error}") from error


def _encode(table: pd.DataFrame) -> bytes:
    """Return a table as a digest and parquet, so that any damage shows."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue()


def _decode(payload: bytes) -> pd.DataFrame | None:
    body = payload[DIGEST:]
    if hashlib.sha256(body).digest() != payload[:DIGEST]:
        return None
    return pd.read_parquet(io.BytesIO(body))


def _read(path: Path) -> pd.DataFrame | None:
    """Return a finished point, or nothing where it is missing or damaged."""
    try:
        return _decode(path.read_bytes())
    except FileNotFoundError:
        return None


def _write(path: Path, payload: bytes) -> None:
    write = functools.partial(write_atomically, path, lambda file: file.write_bytes(payload))
    try:
        write()
    except FileNotFoundError:  # another sweep of the same function has just cleared the folder
        write()


def _stack(tasks: Sequence[tuple[Point, int]], tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    names = [n for n in tasks[0][0] if all(isinstance(p[n], SCALARS) for p, _ in tasks)]
    parts = []
    for (point, seed), table in zip(tasks, tables, strict=True):
        own = {name: point[name] for name in names} | {"seed": seed}
        front = {
            # Not a plain scalar, which would give an empty table columns of another type
            name: pd.Series([value]).take([0] * len(table)).reset_index(drop=True)
            for name, value in own.items()
            if name not in table
        }
        parts.append(pd.concat([pd.DataFrame(front), table], axis=1))
    return pd.concat(parts, ignore_index=True)


def _folder(fn: Measure, store: Path | None) -> Path:
    """Return the folder of this function under this code; drop what other code has left."""
    base = Path(store) if store else find_root() / ".schedlab" / "sweeps"
    origin = _origin(fn)
    name = f"{origin.__module__}.{origin.__qualname__}".replace("<", "").replace(">", "")
    folder = base / name / _code_token(origin)
    for outdated in (base / name).glob("*"):
        if outdated != folder:
            shutil.rmtree(outdated, ignore_errors=True)
    return folder


def _origin(fn: Measure) -> Any:
    """Return the function or class behind a call, without the arguments bound to it."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn if hasattr(fn, "__qualname__") else type(fn)


def _code_token(origin: Any) -> str:
    """Return a digest of all sources that may bear on a result."""
    root = find_root()
    package = Path(schedlab.__file__).parent
    own = getattr(sys.modules.get(origin.__module__), "__file__", None)
    paths = {*package.rglob("*.py"), *(p for pattern in INPUTS for p in root.glob(pattern))}
    paths |= {Path(own)} if own else set()
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(paths):
        digest.update(f"{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _clear(files: Iterable[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    with suppress(OSError):  # another sweep of the same function has points of its own there
        path.parent.rmdir()
        path.parent.parent.rmdir()
