"""Nothing that is read can run, and nothing listens beyond this machine.

Unsafe deserialisation, shells and evaluated text are ruff's rules S, see ``pyproject.toml``.
"""

import json
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
import yaml

from schedlab.lab.paths import find_root

ROOT = find_root()
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
ACTIVE = re.compile(r"<(script|iframe|object|embed|link)\b|\bon\w+=|javascript:")
PLAIN = re.compile(r"[\w./-]+")


def commands() -> list[tuple[str, list[str]]]:
    """Return each stage's command with the words that are put into it."""
    found = []
    for stage in STAGES.values():
        items = stage.get("foreach", {})
        values = [v for i in items.values() for v in (i.values() if isinstance(i, dict) else [i])]
        found.append((stage.get("do", stage)["cmd"], [*items, *values]))
    return found


def test_no_parameter_reaches_a_shell():
    for command, words in commands():
        put_in = re.findall(r"\$\{(.*?)\}", command)
        assert all(name == "key" or name.split(".")[0] == "item" for name in put_in), command
        assert not re.search(r"[;&|<>`\n]|\$\(", command), command
        assert all(PLAIN.fullmatch(word) for word in words), words


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").rglob("*.ipynb")), ids=lambda path: path.name
)
def test_notebooks_start_no_shell_and_load_nothing_from_elsewhere(path: Path):
    for cell in json.loads(path.read_text())["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            assert not re.search(r"^\s*[!%]", text, re.M), f"{path.name}: a shell or magic command"
        assert not re.search(r"<(script|iframe|object|embed|link)\b|\bon\w+=|javascript:", text), (
            text
        )
        assert not re.search(r"!\[.*?\]\(\w+:", text), f"{path.name}: a picture from elsewhere"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer(address: str) -> int:
    """Return the status of a request, once something listens there."""
    for _ in range(150):
        try:
            with urllib.request.urlopen(address, timeout=5) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing answers at {address}")


def test_jupyterlab_keeps_its_token_and_listens_on_this_machine_only():
    line = re.search(r"/jupyter (lab .*)", (ROOT / "Makefile").read_text())
    assert line, "the Makefile no longer starts JupyterLab"
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", *shlex.split(line.group(1))[1:]]
    server = subprocess.Popen(
        [*command, "--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert answer(f"http://localhost:{port}/api/contents") == 403
        (host,) = set(listening(port))
        assert host in ("127.0.0.1", "::1")
    finally:
        server.terminate()
        server.wait(20)


def listening(port: int) -> list[str]:
    """Return the addresses at which something listens on a port of this machine."""
    found = psutil.net_connections("tcp")
    return [c.laddr.ip for c in found if c.status == "LISTEN" and c.laddr.port == port]
