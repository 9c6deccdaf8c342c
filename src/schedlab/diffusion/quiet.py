"""Notices of diffusers that say nothing of a result."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from diffusers.utils import logging


@contextmanager
def without_notices() -> Iterator[None]:
    """Silence diffusers' deprecations and hints, which concern its future, for a while."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
