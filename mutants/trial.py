"""Run tests against a fault that exists in memory only: no file is ever changed."""

import importlib
import os
import signal
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path

import pytest

from mutants.sample import Mutant

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

OPTIONS = ["-x", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--durations=8"]


class _Loader(SourceFileLoader):
    """Loads a module from given text in place of its file."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self.text = text

    def get_code(self, fullname: str) -> object:
        return compile(self.text, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Puts a mutant in the place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self.mutant.name:
            return None
        spec = PathFinder.find_spec(name, path, target)
        spec.loader = _Loader(name, spec.origin, self.mutant.source)
        return spec


def preload(libraries: list[str]) -> None:
    """Import what the tests need, once, so that each trial starts in a fork that has it."""
    os.environ.update(ONE_THREAD)
    for library in libraries:
        importlib.import_module(library)
    if early := [name for name in sys.modules if name.split(".")[0] == "schedlab"]:
        raise RuntimeError(f"preloading imported {early[0]}, which a mutant could not replace")


def trial(
    tests: list[str], mutant: Mutant | None, timeout_s: float, log: Path
) -> tuple[str, float]:
    """Return ``passed``, ``failed`` or ``timeout``, and the seconds it took.

    Parameters
    ----------
    tests
        What pytest is to run, and its options.
    mutant
        The fault, or None for the code as it is.
    timeout_s
        Limit in seconds; a fault may loop for ever.
    log
        Where the output of pytest goes.
    """
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _run(tests, mutant, log)
    while time.monotonic() - start < timeout_s:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            passed = os.waitstatus_to_exitcode(status) == 0
            return "passed" if passed else "failed", time.monotonic() - start
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout", timeout_s


def _run(tests: list[str], mutant: Mutant | None, log: Path) -> None:
    code = 70
    try:
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        if mutant:
            sys.meta_path.insert(0, _Finder(mutant))
        code = pytest.main([*OPTIONS, *tests])
        if mutant and mutant.name not in sys.modules:
            code = 0  # never imported: nothing could have noticed
        sys.stdout.flush()
    finally:
        os._exit(int(code))
