"""A process that ends when the one that wanted its work is gone."""

import os
import signal
import threading
import time


def follow_parent(*others: int) -> None:
    """End this process within a second once its parent, or one of ``others``, has ended.

    Without it a killed pipeline would leave its stage running, to write results beside those of
    the next run.

    Parameters
    ----------
    others
        Process numbers to follow as well.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent and all(map(is_alive, others)):
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def is_alive(process: int) -> bool:
    """Tell whether a process of this number exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
