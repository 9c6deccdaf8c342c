"""How steps are compiled.

No step allocates, so none needs to count references to arrays; that alone, which numba would do
at every call, takes more time than all the rest.
"""

import hashlib
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from numba import config, njit

called = partial(njit, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For what is rare: it compiles faster. Without wrappers it can only be called by other steps."""
inlined = partial(called, forceinline=True)
"""For what happens in every batch."""


def cached(function: Callable) -> Callable:
    """Compile a function once for all processes to come.

    For changes numba looks into the file of the function only, not into those of the functions
    that it calls. So the cache lies in a folder that is named after all sources of this package;
    those of earlier sources are removed.
    """
    here, usual = Path(__file__).parent, config.CACHE_DIR
    sources = b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))
    caches = Path(usual or here / "__pycache__")
    folder = caches / f"compiled-{hashlib.sha256(sources).hexdigest()[:12]}"
    for other in set(caches.glob("compiled-*")) - {folder}:
        shutil.rmtree(other, ignore_errors=True)
    config.CACHE_DIR = str(folder)
    try:
        return njit(function, _nrt=False, no_cfunc_wrapper=True, cache=True)
    finally:
        config.CACHE_DIR = usual
