"""What several systems test with."""

import os
from pathlib import Path

import pytest

from schedlab.lab.threads import VARIABLES

# Each worker of pytest has a core of its own: with more threads than cores, those that wait at the
# end of a parallel loop keep the others from finishing it. Read when a library is loaded, and
# handed on to workers, stages and notebooks.
os.environ.update(dict.fromkeys(VARIABLES, "1"))


@pytest.fixture
def real_mirror() -> Path:
    """The folder of real public files, where the caller's environment names one."""
    folder = os.environ.get("SCHEDLAB_DATA_MIRROR")
    if not folder:
        pytest.skip("SCHEDLAB_DATA_MIRROR is not set: no folder with the public data sets")
    return Path(folder)
