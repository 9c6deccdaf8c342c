"""Two runs at once: the second says so, or does its own work, and leaves the first alone."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pandas as pd
import pytest

from schedlab.data import build
from schedlab.lab import reproduce, scratch
from schedlab.lab.lock import only_one, wait_for_leftovers
from schedlab.lab.sweep import sweep


@contextmanager
def held_elsewhere(root, name):
    """Another process at work in the checkout."""
    code = (
        "import sys; from pathlib import Path; from schedlab.lab.lock import only_one\n"
        "with only_one(Path(sys.argv[1]), sys.argv[2]): print('in', flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(root), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    first.stdout.readline()
    yield
    first.communicate()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in ("params.yaml", "dvc.yaml", "data.sha256"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_second_run_is_refused_until_the_first_has_ended(tmp_path):
    with (
        held_elsewhere(tmp_path, "reproduce"),
        pytest.raises(ValueError, match="another run"),
        only_one(tmp_path),
    ):
        pass
    with only_one(tmp_path):
        pass


@pytest.mark.parametrize(
    ("command", "name"),
    [(reproduce.main, "reproduce"), (lambda _: scratch.main(["smoke"]), "smoke")],
)
def test_make_reproduce_and_smoke_say_so_in_one_line(checkout, capsys, command, name):
    mine = checkout / ".schedlab" / name / "result"
    mine.parent.mkdir(parents=True)
    mine.touch()
    with held_elsewhere(checkout, name):
        assert command([]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"error: another run is already at work in {checkout} ({name}.lock); "
        "wait for it, or stop it first"
    ]
    assert mine.exists()


def test_a_stage_that_is_being_run_is_not_begun_again(checkout):
    command = [sys.executable, "-m", "schedlab.lab.run", "serving.batch", "none.ipynb"]
    with held_elsewhere(checkout, "serving.batch"):
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: another run is already at work")
    assert len(done.stderr.splitlines()) == 1


def test_make_reproduce_leaves_a_running_dvc_alone(checkout):
    (checkout / "dvc.yaml").write_text(
        "stages:\n  slow:\n"
        "    cmd: touch begun; while [ ! -f go ]; do sleep 0.05; done; echo done > result\n"
        "    outs: [result]\n"
    )
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--quiet", "--no-scm"], cwd=checkout, check=True)
    first = subprocess.Popen([*dvc, "repro", "--quiet"], cwd=checkout)
    while not (checkout / "begun").exists():
        assert first.poll() is None
        time.sleep(0.05)
    try:
        with pytest.raises(ValueError, match=r"^dvc is already at work in .*; wait for it"):
            reproduce.stages(checkout)
    finally:
        (checkout / "go").touch()
        assert first.wait(timeout=60) == 0
    assert (checkout / "result").read_text() == "done\n"
    assert reproduce.stages(checkout) == ({"slow": set()}, set())


def test_what_a_killed_run_left_behind_is_waited_for(tmp_path):
    code = (
        "import subprocess, sys; from pathlib import Path\n"
        "from schedlab.lab.lock import at_work\n"
        "stage = [sys.executable, '-c', 'import sys; print(1, flush=True); sys.stdin.read()']\n"
        "with at_work(Path(sys.argv[1])) as mark: subprocess.run(stage, pass_fds=[mark])"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    driver.stdout.readline()  # its stage has begun
    driver.kill()
    driver.wait()
    waiting = threading.Thread(target=wait_for_leftovers, args=[tmp_path])
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    driver.stdin.close()  # the stage ends
    waiting.join(60)
    assert not waiting.is_alive()
    driver.stdout.close()
    wait_for_leftovers(tmp_path)


def test_data_is_built_by_one_at_a_time(checkout, monkeypatch):
    (checkout / "data.sha256").write_text(f"{'0' * 64}  SOURCES.json\n")
    monkeypatch.setattr(build, "fill", lambda folder: pytest.fail("built beside another"))
    for run in (build.build, build.pin):
        with held_elsewhere(checkout, "data"), pytest.raises(ValueError, match="another run"):
            run(checkout)


def test_two_sweeps_of_one_store_end_with_the_same_table(tmp_path):
    (tmp_path / "simulated.py").write_text(
        "import time\n"
        "def simulate(x, seed):\n    time.sleep(0.01 * x)\n    return {'y': x + seed}\n"
    )
    code = (
        "import sys; from pathlib import Path\n"
        "from simulated import simulate; from schedlab.lab.sweep import sweep\n"
        "print('in', flush=True); sys.stdin.read()\n"
        "table = sweep(simulate, {'x': range(8)}, range(10), jobs=1, store=Path('store'))\n"
        "table.to_parquet(sys.argv[1])"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, name],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in ("one", "two")
    ]
    for process in both:
        process.stdout.readline()  # imported all it needs
    for process in both:
        process.stdin.close()
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    for process in both:
        process.stdout.close()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert list((tmp_path / "store").iterdir()) == []
    alone = sweep(lambda x, seed: {"y": x + seed}, {"x": range(8)}, range(10), jobs=1)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "one"), alone)
