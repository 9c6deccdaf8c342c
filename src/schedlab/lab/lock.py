"""One run at a time: what two of them would write over each other."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_one(root: Path, name: str = "reproduce") -> Iterator[None]:
    """Hold one of the checkout's locks, so that a second run of the same kind is refused.

    The system lets go of it when the process ends, however it does.

    Parameters
    ----------
    root
        The checkout.
    name
        What is locked: ``.schedlab/<name>.lock``.

    Raises
    ------
    ValueError
        If another run holds it; that run is left alone.
    """
    path = root / ".schedlab" / f"{name}.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"another run is already at work in {root} ({path.name}); "
                "wait for it, or stop it first"
            ) from None
        yield
