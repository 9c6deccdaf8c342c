"""One thread per computation, since the last bits of a result depend on the number."""

import contextlib
import os
import sys
from collections.abc import Iterator

from threadpoolctl import threadpool_limits

VARIABLES = tuple(f"{pool}_NUM_THREADS" for pool in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA"))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold the numerical libraries of this process to one thread within the block.

    Libraries loaded already are told so and get their threads back afterwards; those loaded
    within the block read it from their environment variables, and stay at one.
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    try:
        with threadpool_limits(1):
            if torch:  # MKL is linked into torch, out of sight of threadpoolctl
                torch.set_num_threads(1)
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        if torch:
            torch.set_num_threads(threads)
