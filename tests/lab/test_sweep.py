import doctest
import functools
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from schedlab.lab.sweep import sweep
from schedlab.lab.threads import VARIABLES, one_thread

# Functions for the workers, in a file that they can import and that logs each call
MODULE = """
import os, time
import numpy as np
import pandas as pd

def log(*words):
    with open(__file__ + ".calls", "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")

def simulate(rate, scheduler, seed):
    log(rate, scheduler, seed)
    time.sleep(float(os.environ.get("PAUSE", 0)))
    noise = np.random.default_rng(seed).normal(size=(64, 64))
    rows = seed + 1
    return pd.DataFrame({
        "request": range(rows),
        "ttft_s": (noise @ noise).ravel()[:rows] * rate,
        "kind": pd.Categorical(["short"] * rows, categories=["short", "long"]),
    })

def fail_at_two(rate, seed):
    log(rate, seed)
    if rate == 2:
        time.sleep(0.3)
        raise KeyError("no such request")
    return {"doubled": rate * 2}
"""
GRID = {"rate": [2.0, 1.0, 3.0], "scheduler": ["b", "a"]}


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "simulated.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield importlib.import_module("simulated")
    del sys.modules["simulated"]


def calls(folder):
    path = folder / "simulated.py.calls"
    return path.read_text().splitlines() if path.exists() else []


def points(store):
    return sorted(store.rglob("*.point"))


def as_bytes(table, folder):
    table.to_parquet(folder / "table")
    return (folder / "table").read_bytes()


def test_examples_in_docstrings(tmp_path, monkeypatch):
    assert doctest.testmod(importlib.import_module("schedlab.lab.sweep")).failed == 0


def test_result_is_in_the_order_of_grid_and_seeds(module, tmp_path):
    table = sweep(module.simulate, GRID, [1, 0], jobs=1, store=tmp_path / "store")
    assert list(table.columns) == ["rate", "scheduler", "seed", "request", "ttft_s", "kind"]
    rows = table.drop_duplicates(["rate", "scheduler", "seed"])
    expected = [(r, s, seed) for r in GRID["rate"] for s in GRID["scheduler"] for seed in (1, 0)]
    assert list(rows[["rate", "scheduler", "seed"]].itertuples(index=False, name=None)) == expected
    assert len(table) == 6 * (2 + 1)
    assert list(table.index) == list(range(len(table)))


def test_number_of_workers_does_not_change_a_byte(module, tmp_path):
    tables = [
        sweep(module.simulate, GRID, range(3), jobs=jobs, store=tmp_path / f"store-{jobs}")
        for jobs in (1, 2)
    ]
    assert as_bytes(tables[0], tmp_path) == as_bytes(tables[1], tmp_path)
    assert len(calls(tmp_path)) == 2 * 18


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_backend_is_one_setting(module, tmp_path, monkeypatch, backend):
    local = sweep(module.simulate, GRID, [0], jobs=1, store=tmp_path / "one")
    monkeypatch.setenv("SCHEDLAB_BACKEND", backend)
    other = sweep(module.simulate, GRID, [0], jobs=2, store=tmp_path / "two")
    pd.testing.assert_frame_equal(local, other)


def run_elsewhere(folder, pause, jobs):
    code = (
        "from pathlib import Path; import simulated; from schedlab.lab.sweep import sweep\n"
        f"table = sweep(simulated.simulate, {GRID!r}, [0, 1], jobs={jobs}, store=Path('store'))\n"
        "table.to_parquet('table')"
    )
    environment = {
        **os.environ,
        "PAUSE": str(pause),
        "PYTHONPATH": str(folder),
    }
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=environment, start_new_session=True
    )


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(group):
    """Tell whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_sweep_resumes_to_the_same_bytes(module, tmp_path, jobs):
    whole = sweep(module.simulate, GRID, [0, 1], jobs=1, store=tmp_path / "other")
    (tmp_path / "simulated.py.calls").unlink()
    process = run_elsewhere(tmp_path, pause=0.2, jobs=jobs)
    wait_until(lambda: len(points(tmp_path / "store")) >= 4)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept, begun = len(points(tmp_path / "store")), len(calls(tmp_path))
    assert 4 <= kept < 12
    assert not (tmp_path / "table").exists()

    assert run_elsewhere(tmp_path, pause=0, jobs=jobs).wait(timeout=60) == 0
    assert len(calls(tmp_path)) - begun == 12 - kept
    assert (tmp_path / "table").read_bytes() == as_bytes(whole, tmp_path / "other")
    assert points(tmp_path / "store") == []


def test_failing_point_is_named_and_finished_ones_are_kept(module, tmp_path):
    store = tmp_path / "store"
    with pytest.raises(RuntimeError, match=r"point rate=2, seed=0: KeyError: 'no such request'"):
        sweep(module.fail_at_two, {"rate": [1, 3, 2]}, [0], jobs=2, store=store)
    assert len(points(store)) == 2
    sweep(module.fail_at_two, {"rate": [1, 3]}, [0], jobs=1, store=store)
    assert len(calls(tmp_path)) == 3


def test_damaged_and_partial_points_are_measured_again(module, tmp_path):
    run = functools.partial(
        sweep, module.simulate, GRID, [0], jobs=1, store=tmp_path / "store", keep=True
    )
    whole = run()
    cut, flipped, empty = points(tmp_path / "store")[:3]
    cut.write_bytes(cut.read_bytes()[:-20])
    flipped.write_bytes(flipped.read_bytes()[:100] + b"?" + flipped.read_bytes()[101:])
    empty.write_bytes(b"")
    pd.testing.assert_frame_equal(run(), whole)
    assert len(calls(tmp_path)) == 6 + 3


def test_store_is_emptied_unless_kept(module, tmp_path):
    sweep(module.simulate, GRID, [0], jobs=1, store=tmp_path / "store", keep=True)
    assert len(points(tmp_path / "store")) == 6
    more = {**GRID, "rate": [*GRID["rate"], 4.0]}
    sweep(module.simulate, more, [0], jobs=1, store=tmp_path / "store")
    assert len(calls(tmp_path)) == 8
    assert list((tmp_path / "store").iterdir()) == []


def test_changed_code_makes_kept_points_worthless(module, tmp_path):
    run = functools.partial(
        sweep, module.fail_at_two, {"rate": [1]}, [0], jobs=1, store=tmp_path / "store", keep=True
    )
    run()
    (tmp_path / "simulated.py").write_text(MODULE + "\nx = 1\n")
    run()
    assert len(calls(tmp_path)) == 2
    assert len(points(tmp_path / "store")) == 1


def test_workers_notice_an_edit(module, tmp_path):
    run = functools.partial(
        sweep, grid={"rate": [1, 3]}, seeds=[0], jobs=2, store=tmp_path / "store"
    )
    assert list(run(module.fail_at_two)["doubled"]) == [2, 6]
    (tmp_path / "simulated.py").write_text(MODULE.replace("rate * 2", "rate * 20"))
    importlib.invalidate_caches()
    assert list(run(importlib.reload(module).fail_at_two)["doubled"]) == [20, 60]


def test_workers_end_with_a_killed_sweep(module, tmp_path):
    process = run_elsewhere(tmp_path, pause=30, jobs=2)
    wait_until(lambda: len(calls(tmp_path)) == 2)
    process.kill()
    process.wait()
    wait_until(lambda: not alive(process.pid))


def test_arguments_bound_to_a_function_tell_its_points_apart(tmp_path, monkeypatch):
    found = []
    for power in (1, 2):
        bound = functools.partial(lambda power, x, seed: {"y": x**power}, power)
        table = sweep(bound, {"x": [3]}, [0], jobs=1, store=tmp_path / "store", keep=True)
        found.append(table["y"].item())
    assert found == [3, 9]


def test_nested_values_reach_the_function_and_are_left_to_it(tmp_path, monkeypatch):

    def run(scheduler, rate, seed):
        scheduler = scheduler if isinstance(scheduler, dict) else {"use": scheduler}
        scheduler["options"] = "mine to change"
        return {"scheduler": scheduler["use"], "load": rate}

    entries = ["fcfs", {"use": "slai", "options": {"offset_s": 1}}]
    points = [{"scheduler": entry, "rate": rate} for entry in entries for rate in (1, 2)]
    table = sweep(run, points, [7], jobs=1, store=tmp_path / "store")
    assert list(table.columns) == ["rate", "seed", "scheduler", "load"]
    assert list(table["scheduler"]) == ["fcfs", "fcfs", "slai", "slai"]
    assert entries[1]["options"] == {"offset_s": 1}


def test_empty_tables_leave_the_types_of_columns_alone(tmp_path, monkeypatch):

    def run(size, seed):
        return pd.DataFrame({"value": np.arange(size, dtype=float)})

    table = sweep(run, {"size": [0, 2]}, [0], jobs=1, store=tmp_path / "store")
    assert list(map(str, table.dtypes)) == ["int64", "int64", "float64"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_workers_and_this_process_compute_with_one_thread(tmp_path, monkeypatch, jobs):

    def threads(point, seed):
        from threadpoolctl import threadpool_info

        return {"threads": max(pool["num_threads"] for pool in threadpool_info())}

    for name in VARIABLES:
        monkeypatch.setenv(name, "2")
    with threadpool_limits(2):
        assert threads(1, 0) == {"threads": 2}
        table = sweep(threads, {"point": [1, 2]}, [0], jobs=jobs, store=tmp_path / "store")
    assert list(table["threads"]) == [1, 1]


def test_threads_are_given_back(monkeypatch):
    import torch

    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with one_thread():
        assert (torch.get_num_threads(), os.environ["MKL_NUM_THREADS"]) == (1, "1")
    after = (torch.get_num_threads(), os.environ["OMP_NUM_THREADS"])
    torch.set_num_threads(before)
    assert after == (2, "2")
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(("setting", "shown"), [("", True), ("1", False)])
def test_progress_is_one_bar_that_can_be_switched_off(tmp_path, setting, shown):
    code = (
        "from pathlib import Path; from schedlab.lab.sweep import sweep\n"
        "sweep(lambda x, seed: {}, {'x': [1, 2]}, [0], jobs=1, store=Path(), label='sizes')"
    )
    environment = {**os.environ, "TQDM_DISABLE": setting}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0
    assert ("sizes:" in ended.stderr and "/2 " in ended.stderr) == shown
    assert shown or ended.stderr == ""


def test_default_store_lies_in_the_checkout(tmp_path, monkeypatch):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    sweep(lambda seed: {"x": seed}, [{}], [0], jobs=1, keep=True)
    assert len(points(Path(".schedlab/sweeps"))) == 1


@pytest.mark.parametrize(
    ("grid", "seeds", "message"),
    [
        ({}, [0], "grid is empty"),
        ([], [0], "grid is empty"),
        ({"rate": []}, [0], "rate: no values"),
        ({"rate": "fast"}, [0], "rate: expected a list"),
        ({"rate": 2}, [0], "rate: expected a list"),
        ({"rate": [1, 1]}, [0], "same point twice"),
        ({"speed": [1]}, [0], "does not take the grid's names"),
        ([{"rate": 1}, {"speed": 1}], [0], "differ in their names"),
        ({"rate": [1], "seed": [1]}, [0], "'seed' is no grid parameter"),
        ({"rate": [1]}, [], "at least one"),
        ({"rate": [1]}, [0, 0], "distinct"),
        ({"rate": [1]}, [-1], "non-negative integers, got -1"),
        ({"rate": [1]}, [0.5], "non-negative integers, got 0.5"),
        ({"rate": [1]}, [True], "non-negative integers, got True"),
    ],
)
def test_senseless_grids_and_seeds_are_refused(module, tmp_path, grid, seeds, message):
    with pytest.raises(ValueError, match=message):
        sweep(module.fail_at_two, grid, seeds, jobs=1, store=tmp_path / "store")
    assert calls(tmp_path) == []


@pytest.mark.parametrize("setting", ["0", "two", "-1"])
def test_wrong_number_of_workers_is_refused(tmp_path, monkeypatch, setting):
    monkeypatch.setenv("SCHEDLAB_JOBS", setting)
    with pytest.raises(ValueError, match="SCHEDLAB_JOBS"):
        sweep(lambda seed: {}, [{}], [0], store=tmp_path)
    with pytest.raises(ValueError, match="jobs"):
        sweep(lambda seed: {}, [{}], [0], store=tmp_path, jobs=0)


def test_other_results_than_tables_name_the_point(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="point seed=3: TypeError: returned float"):
        sweep(lambda seed: 0.5, [{}], [3], jobs=1, store=tmp_path)
