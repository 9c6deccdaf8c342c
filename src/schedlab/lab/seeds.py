"""Random streams that depend on names, never on time, order or worker."""

import hashlib

import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return the random stream that belongs to a seed and a list of names.

    Streams with the same seed and names are equal in every process; any other pair is
    independent. Two schedulers compared under one seed draw their arrivals from
    ``generator(seed, "arrivals")`` and so see common random numbers.

    Parameters
    ----------
    seed
        Root seed of the run, a non-negative integer.
    names
        What the stream is for, for instance ``"arrivals", 3``.

    Raises
    ------
    ValueError
        If the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"seed must be a non-negative integer, got {seed}")
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
