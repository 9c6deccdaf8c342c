"""One run at a time: what two of them would write over each other."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

STAGES = "stages"  # held by every stage that runs, together


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
    with _opened(root, name) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"another run is already at work in {root} ({name}.lock); "
                "wait for it, or stop it first"
            ) from None
        yield


@contextmanager
def at_work(root: Path) -> Iterator[int]:
    """Mark the checkout as one in which a stage is being run.

    Yields
    ------
    The descriptor of the mark, to be passed on to the process that runs the stage: the mark then
    stays until that process has ended as well, even if this one is killed before it.
    """
    with _opened(root, STAGES) as mark:
        fcntl.flock(mark, fcntl.LOCK_SH)
        yield mark.fileno()


def wait_for_leftovers(root: Path) -> None:
    """Wait until the stages of an earlier run that was killed have ended as well.

    They end by themselves, within seconds, and hold DVC's locks until then. Call it inside
    :func:`only_one`, which makes sure that no living run is waited for.
    """
    with _opened(root, STAGES) as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for the stages of a run that was killed to end", flush=True)
            fcntl.flock(mark, fcntl.LOCK_EX)


def _opened(root: Path, name: str) -> IO[str]:
    path = root / ".schedlab" / f"{name}.lock"
    path.parent.mkdir(exist_ok=True)
    return path.open("a+")
