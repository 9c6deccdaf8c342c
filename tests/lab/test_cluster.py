"""Sweeps on real clusters: Dask's and Ray's processes on this machine, and SLURM's job arrays.

``pip install -e '.[cluster]'`` brings what they need.
"""

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from schedlab.lab.sweep import sweep

WHY = "needs the extra: pip install -e '.[cluster]'"

# Functions for the workers, in a file that they can import and that logs each call
MODULE = """
import os, time
import numpy as np
import pandas as pd

def simulate(rate, scheduler, seed):
    with open(__file__ + ".calls", "a") as file:
        file.write(f"{os.getpid()} {rate} {scheduler} {seed}\\n")
    time.sleep(0.25)
    noise = np.random.default_rng(seed).normal(size=(64, 64))
    return pd.DataFrame({"request": range(seed + 1), "ttft_s": (noise @ noise)[0, : seed + 1]})

def fail_at_two(rate, seed):
    if rate == 2:
        raise KeyError("no such request")
    return {"doubled": rate * 2}
"""
GRID = {"rate": [2.0, 1.0, 3.0], "scheduler": ["b", "a"]}
SEEDS = [0, 1, 2]
POINTS = 18


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the functions, on the path of this process and of all that it starts."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "on_clusters.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(folder), *sys.path])
        patch.setenv("PYTHONPATH", str(folder))
        yield folder
    sys.modules.pop("on_clusters", None)


@pytest.fixture(scope="module")
def serial(folder):
    """What one process alone measures, as bytes."""
    table = sweep(module().simulate, GRID, SEEDS, jobs=1, store=folder / "serial")
    return as_bytes(table, folder / "serial.parquet")


def module():
    return importlib.import_module("on_clusters")


def start_dask():
    distributed = pytest.importorskip("distributed", reason=WHY)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    return {"DASK_SCHEDULER_ADDRESS": cluster.scheduler_address}, cluster.close


def start_ray():
    ray = pytest.importorskip("ray", reason=WHY)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    context = ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error"
    )
    return {"RAY_ADDRESS": context.address_info["gcs_address"]}, ray.shutdown


@pytest.fixture(scope="module", params=[start_dask, start_ray], ids=["dask", "ray"])
def cluster(folder, request):
    """Two worker processes, found by the settings that the variables of this fixture hold."""
    address, stop = request.param()
    yield {"SCHEDLAB_BACKEND": request.param.__name__.removeprefix("start_"), **address}
    stop()


@pytest.fixture
def setting(cluster, folder, monkeypatch):
    """The cluster as the setting of this process, and nothing counted yet."""
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SCHEDLAB_JOBS", raising=False)
    (folder / "on_clusters.py.calls").unlink(missing_ok=True)
    return cluster


def calls(folder):
    path = folder / "on_clusters.py.calls"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def finished(store):
    return len(list(store.rglob("*.point")))


def as_bytes(table, path):
    table.to_parquet(path)
    return path.read_bytes()


def wait_until(condition):
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_worker_costs_its_own_point_and_no_other(setting, folder, serial, tmp_path):
    struck = {}

    def kill_a_worker():
        wait_until(lambda: finished(tmp_path / "store") >= 4)
        worker, *_ = calls(folder)[-1]
        struck.update(kept=finished(tmp_path / "store"), begun=len(calls(folder)))
        os.kill(int(worker), signal.SIGKILL)

    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    table = sweep(module().simulate, GRID, SEEDS, store=tmp_path / "store")
    killer.join()
    assert as_bytes(table, tmp_path / "table") == serial
    runs = Counter(tuple(point) for _, *point in calls(folder))
    assert len(runs) == POINTS
    assert 1 <= runs.total() - POINTS <= 2  # what it was at, and what it had not handed over yet
    assert len(calls(folder)) - struck["begun"] <= POINTS - struck["kept"]


def test_a_killed_sweep_resumes_to_the_same_bytes(setting, folder, serial, tmp_path):
    code = (
        "from pathlib import Path; import on_clusters; from schedlab.lab.sweep import sweep\n"
        f"table = sweep(on_clusters.simulate, {GRID!r}, {SEEDS!r}, store=Path('store'))\n"
        "table.to_parquet('table')"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, **setting}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment)
    wait_until(lambda: finished(tmp_path / "store") >= 4)
    process.kill()
    process.wait()
    time.sleep(1)  # what the workers had begun
    kept, begun = finished(tmp_path / "store"), len(calls(folder))
    assert 4 <= kept < POINTS

    assert subprocess.run(command, cwd=tmp_path, env=environment, timeout=90).returncode == 0
    assert (tmp_path / "table").read_bytes() == serial
    assert len(calls(folder)) - begun == POINTS - kept
    assert finished(tmp_path / "store") == 0


def test_a_failing_point_is_named(setting, tmp_path):
    with pytest.raises(RuntimeError, match=r"^point rate=2, seed=0: KeyError: 'no such request'$"):
        sweep(module().fail_at_two, {"rate": [1, 2]}, [0], store=tmp_path)


def test_workers_that_outlived_an_edit_are_not_trusted(setting, folder, tmp_path):
    path = folder / "on_clusters.py"

    def doubled():
        table = sweep(module().fail_at_two, {"rate": [1, 3]}, [0], store=tmp_path)
        return list(table["doubled"])

    assert doubled() == [2, 6]
    try:
        path.write_text(MODULE.replace("rate * 2", "rate * 20"))
        importlib.invalidate_caches()
        importlib.reload(module())
        if setting["SCHEDLAB_BACKEND"] == "ray":  # starts new ones
            assert doubled() == [20, 60]
        else:
            with pytest.raises(RuntimeError, match="loaded on_clusters before an edit; restart"):
                doubled()
    finally:
        path.write_text(MODULE)
        importlib.reload(module())
