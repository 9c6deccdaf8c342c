import os
import shutil
import signal
import time
from pathlib import Path

import libfaketime

from tests.pipeline.conftest import Copy


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


def test_a_forced_second_run_elsewhere_leaves_the_same_bytes(copy: Copy, tmp_path: Path):
    first = copy.run("dvc", "repro")
    assert first.returncode == 0, first.stderr
    before = copy.outputs()
    moved = Copy(tmp_path / "b" / "another copy")
    shutil.copytree(copy.root, moved.root)
    again = moved.run("dvc", "repro", "-f", env=elsewhere(moved, tmp_path / "home"))
    assert again.returncode == 0, again.stderr
    assert moved.outputs() == before


def test_a_killed_run_goes_on_to_the_same_bytes(copy: Copy, tmp_path: Path):
    whole = Copy(tmp_path / "whole")
    shutil.copytree(copy.root, whole.root)
    assert whole.run("schedlab.lab.reproduce", "--jobs", "1").returncode == 0
    for moment in (3.0, 7.0):
        process = copy.start("schedlab.lab.reproduce", "--jobs", "2")
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finished = copy.run("schedlab.lab.reproduce", "--jobs", "2")
    assert finished.returncode == 0, finished.stderr
    assert copy.outputs() == whole.outputs()
    again = copy.run("schedlab.lab.reproduce")
    assert "Everything is up to date." in again.stdout
