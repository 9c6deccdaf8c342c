"""Full disks and read-only folders: said in one line with the place, and nothing is lost.

Each test has a disk of its own, two megabytes large, mounted where only its processes see it.
"""

import json
import subprocess
import sys

import pytest

NAMESPACE = ["unshare", "--mount", "--map-root-user"]
PREPARE = """
import ctypes, json, os, subprocess, sys
import numpy as np, pandas as pd
from pathlib import Path
disk = Path(sys.argv[1])

def mount(*options):
    subprocess.run(["mount", *options, str(disk)], check=True)

def fill():
    with open(disk / "ballast", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass

def said(call):
    try:
        call()
    except OSError as error:
        return str(error)
    return "nothing"

mount("-t", "tmpfs", "-o", "size=2m", "none")
"""


def possible() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not possible(), reason="may not mount a small disk here")


@pytest.fixture
def on_disk(tmp_path):
    """Run code on the small disk; return what it printed, one JSON value."""

    def run(code: str):
        (tmp_path / "disk").mkdir(exist_ok=True)
        command = [*NAMESPACE, sys.executable, "-c", PREPARE + code, str(tmp_path / "disk")]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


SWEEP = """
from schedlab.lab.sweep import sweep
def calls():
    return os.path.getsize("calls")
def simulate(x, seed):
    with open("calls", "a") as file:
        file.write("x")
    return pd.DataFrame({"y": np.random.default_rng(x).random(20_000)})  # 160 kB each
def run():
    return sweep(simulate, {"x": range(20)}, [0], jobs=1, store=disk / "store")
"""


def test_a_sweep_on_a_full_disk_keeps_what_it_has_and_goes_on_later(on_disk):
    words, kept, more, equal = on_disk(
        SWEEP
        + """
words = said(run)
kept = len(list(disk.rglob("*.point")))
begun = calls()
left = [p.name for p in disk.rglob(".*")]
assert not left, left
mount("-o", "remount,size=20m")
table = run()
again = sweep(simulate, {"x": range(20)}, [0], jobs=1, store=disk / "other")
print(json.dumps([words, kept, calls() - begun - 20, table.equals(again)]))
"""
    )
    assert words.startswith("[Errno 28] No space left on device: '")
    assert words.endswith(".point'")
    assert len(words.splitlines()) == 1
    assert 5 < kept < 20
    assert more == 20 - kept
    assert equal


def test_a_sweep_into_a_read_only_folder_says_so_after_one_point(on_disk):
    words, begun = on_disk(
        SWEEP + 'mount("-o", "remount,ro")\nprint(json.dumps([said(run), calls()]))'
    )
    assert words.startswith("[Errno 30] Read-only file system: '")
    assert begun == 1


OUTPUTS = """
(disk / "params.yaml").touch(); (disk / "dvc.yaml").touch(); os.chdir(disk)
import matplotlib.pyplot as plt
from schedlab.lab.outputs import save_figure, save_metrics, save_table
table = pd.DataFrame({"y": np.random.default_rng(0).random(50_000)})
figure = plt.figure(); figure.add_subplot().plot([1, 2])
calls = {
    "table.parquet": lambda: save_table(table, "out", "table"),
    "figure.svg": lambda: save_figure(figure, "out", "figure", alt="a line", caption="a line"),
    "metrics.json": lambda: save_metrics("out", words={"long": "x" * 5000}),
}
for call in calls.values():
    call()
before = {p.name: p.read_bytes() for p in (disk / "out").iterdir()}
BREAK
found = {name: said(call) for name, call in calls.items()}
assert {p.name: p.read_bytes() for p in (disk / "out").iterdir()} == before
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    ("broken", "words"),
    [("fill()", "o space left on device"), ('mount("-o", "remount,ro")', "Read-only file system")],
)
def test_outputs_are_left_as_they_were_and_named(on_disk, broken, words):
    for name, said in on_disk(OUTPUTS.replace("BREAK", broken)).items():
        assert words in said
        assert said.endswith(f"/out/{name}'")
        assert len(said.splitlines()) == 1


COMMANDS = """
import shutil
from schedlab.lab.paths import find_root
real = find_root()
for name in ("params.yaml", "dvc.yaml", "constraints.txt"):
    shutil.copy(real / name, disk)
(disk / "data.sha256").touch()
(disk / ".schedlab").mkdir()
(disk / "data").mkdir()
(disk / "reports").mkdir()
(disk / "reports" / "index.html").write_text("an earlier report")
(disk / "notebooks").mkdir()
notebook = "notebooks/serving/01-how-a-batch-is-built.ipynb"
(disk / notebook).parent.mkdir()
shutil.copy(real / notebook, disk / notebook)
BREAK
def run(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=disk, capture_output=True, text=True
    )
    return done.returncode, done.stderr.strip().splitlines()[-1:]
found = [run(*command) for command in COMMANDS]
assert (disk / "reports" / "index.html").read_text() == "an earlier report"
print(json.dumps(found))
"""
REPORT = '["schedlab.lab.report"], ["schedlab.lab.run", "serving.batch", notebook]'
ALL = f'{REPORT}, ["schedlab.lab.reproduce"], ["schedlab.data", "build", "--force"]'


@pytest.mark.parametrize(
    ("broken", "commands", "words"),
    [
        ("fill()", REPORT, "o space left on device"),
        ('mount("-o", "remount,ro")', ALL, "Read-only file system"),
    ],
)
def test_commands_end_with_one_line(on_disk, broken, commands, words):
    code = COMMANDS.replace("BREAK", broken).replace("in COMMANDS", f"in [{commands}]")
    for status, last in on_disk(code):
        assert status == 1
        assert last
        assert last[0].startswith("error: ")
        assert words in last[0]
        assert "/" in last[0]


def test_data_that_does_not_fit_is_not_put_in_place(on_disk):
    said, left = on_disk(
        """
from schedlab.data import build
import pyarrow as pa
(disk / "data").mkdir()
(disk / "data" / "earlier").touch()
(disk / "data.sha256").touch()
large = pa.table({"x": np.random.default_rng(0).random(500_000)})
build.fill = lambda folder: build._write_plain_parquet(folder / "large.parquet", large)
words = said(lambda: build.build(disk, force=True))
left = [str(p.relative_to(disk)) for p in disk.rglob("*") if p.is_file()]
print(json.dumps([words, left]))
"""
    )
    assert "o space left on device" in said
    assert said.endswith("/data/large.parquet'")
    assert sorted(left) == [".schedlab/data.lock", "data.sha256", "data/earlier"]
