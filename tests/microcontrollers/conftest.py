"""Dispatches and boards by hand, the catalogued networks, and models compiled once for all."""

import fcntl
import os
from pathlib import Path

import pytest

from schedlab.data.catalog import MIRROR
from schedlab.microcontrollers import costs
from schedlab.microcontrollers.boards import Board, SystemCosts
from schedlab.microcontrollers.frontend.compiler import CACHE, Compiled, compile_model
from schedlab.microcontrollers.frontend.digits import shipped_model
from schedlab.microcontrollers.model import Dispatch, Model

FREE = SystemCosts(switch=0, send=0, receive=0, interrupt=0, spin=1e-6, dispatch=0, steal=0)
"""An operating system that costs nothing."""


@pytest.fixture(scope="session")
def make_board():
    """Return a function that builds a board of one cycle an instruction and no other cost."""

    def build(cores=2, *, speeds=None, beta=0.0, job=0.0, costs=FREE, **more):
        values = {
            "name": "toy",
            "target": "toy",
            "clock_hz": 1e6,
            "speeds": tuple(speeds or (1.0,) * cores),
            "cpi": 1.0,
            "beta": beta,
            "sram_bytes": 2**20,
            "flash_bytes": 2**22,
            "job_cycles": job,
            "costs": costs,
        }
        return Board(**values | more)

    return build


@pytest.fixture(scope="session")
def make_dispatch():
    """Return a function that builds a dispatch from the cycles of its workgroups."""
    return lambda *work, **more: Dispatch("toy", work, **more)


@pytest.fixture(scope="session")
def make_model():
    """Return a function that builds a network from dispatches."""
    return lambda *dispatches, **more: Model("toy", "toy", "default", dispatches, **more)


@pytest.fixture(scope="session")
def catalogued():
    """Return the 15 catalogued networks, or skip."""
    try:
        return costs.default_grids(costs.CATALOGUED)
    except FileNotFoundError:
        assert MIRROR not in os.environ, "the mirror lacks the counts"
        pytest.skip(f"needs the counts of MLPerf Tiny's networks; set {MIRROR} to a mirror")


@pytest.fixture(scope="session")
def compile_cache(tmp_path_factory):
    """A cache folder that the workers of one test run share and later runs do not."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    folder.mkdir(exist_ok=True)
    before = os.environ.get(CACHE)
    os.environ[CACHE] = str(folder)
    yield folder
    os.environ.pop(CACHE)
    if before is not None:
        os.environ[CACHE] = before


@pytest.fixture(scope="session")
def compiled(compile_cache: Path):
    """Return ``compiled(name, target)`` for the default models."""

    def compile_once(name: str, target: str = "host") -> Compiled:
        with (compile_cache / f"{name}-{target}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return compile_model(shipped_model(name), target)

    return compile_once
