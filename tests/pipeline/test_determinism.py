"""The same bytes again: elsewhere, on another date, and however often the run is killed."""

import os
import random
import signal
import subprocess
from pathlib import Path

import libfaketime
import pytest

from schedlab.lab import scratch
from tests.pipeline.conftest import Copy

SMOKE = os.environ.get("SCHEDLAB_SMOKE")


def elsewhere(copy: Copy, home: Path) -> dict[str, str]:
    """Return the environment of another user, in another time zone, on another date."""
    home.mkdir()
    _, preload = libfaketime.get_reload_information()
    return {
        **copy.environment,
        **preload,
        "FAKETIME": "+400d",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "HOME": str(home),
        "USER": "someone-else",
        "LOGNAME": "someone-else",
        "TZ": "Pacific/Kiritimati",
        "LANG": "C",
    }


def kill_at_random(copy: Copy, times: int, longest_s: float, chance: random.Random) -> None:
    """Start ``make reproduce``'s command again and again, and kill it each time.

    Every second kill takes the driver alone and leaves its stages behind, as they lie when the
    machine runs out of memory; the others take the whole process group.
    """
    for number in range(times):
        process = copy.start("schedlab.lab.reproduce", "--jobs", "2")
        try:
            process.wait(chance.uniform(0.5, longest_s))
        except subprocess.TimeoutExpired:
            (os.kill if number % 2 else os.killpg)(process.pid, signal.SIGKILL)
            process.wait()
        else:
            pytest.fail(f"finished before kill {number + 1} of {times}")


def test_a_run_killed_elsewhere_goes_on_to_the_same_bytes(
    template: Copy, reproduced: Copy, tmp_path: Path
):
    moved = template.at(tmp_path / "b" / "another copy")
    moved.environment = elsewhere(moved, tmp_path / "home")
    kill_at_random(moved, times=2, longest_s=7, chance=random.Random(3))
    finished = moved.run("schedlab.lab.reproduce", "--jobs", "2")
    assert finished.returncode == 0, finished.stderr
    assert moved.outputs() == reproduced.outputs()
    assert "up to date" in moved.run("dvc", "status").stdout


@pytest.mark.skipif(not SMOKE, reason="SCHEDLAB_SMOKE names no folder that `make smoke` has filled")
def test_the_whole_pipeline_killed_twenty_times_elsewhere_leaves_the_same_bytes(tmp_path: Path):
    smoke = Copy(Path(SMOKE))
    copy = Copy(scratch.copy_checkout(smoke.root, tmp_path / "a copy"))
    for metrics in (copy.root / "results").glob("*/*.json"):
        metrics.unlink()
    lock = subprocess.run(["git", "show", ":dvc.lock"], cwd=smoke.root, capture_output=True)
    (copy.root / "dvc.lock").write_bytes(lock.stdout)  # as it was before the first run
    copy.environment = elsewhere(copy, tmp_path / "home")
    copy.environment.pop("SCHEDLAB_JOBS")
    kill_at_random(copy, times=20, longest_s=20, chance=random.Random(20))
    finished = copy.run("schedlab.lab.reproduce", "--jobs", "2")
    assert finished.returncode == 0, finished.stderr
    before, after = smoke.outputs(), copy.outputs()
    assert sorted(after) == sorted(before)
    assert [name for name in before if after[name] != before[name]] == []
