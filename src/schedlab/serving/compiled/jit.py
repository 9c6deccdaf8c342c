"""How steps are compiled.

No step allocates, so none needs to count references to arrays; that alone, which numba would do
at every call, takes more time than all the rest.
"""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from numba import config, njit

inlined = partial(njit, _nrt=False, forceinline=True)
"""For what happens in every batch."""
called = partial(njit, _nrt=False)
"""For what is rare: it compiles faster."""


def cached(function: Callable) -> Callable:
    """Compile a function once for all processes to come.

    For changes numba looks into the file of the function only, not into those of the functions
    that it calls. So the cache lies in a folder that is named after all sources of this package.
    """
    here, folder = Path(__file__).parent, config.CACHE_DIR
    sources = b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))
    name = f"compiled-{hashlib.sha256(sources).hexdigest()[:12]}"
    config.CACHE_DIR = str(Path(folder or here / "__pycache__") / name)
    try:
        return called(function, cache=True)
    finally:
        config.CACHE_DIR = folder
