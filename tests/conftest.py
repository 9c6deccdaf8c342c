"""What several systems test with."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def real_mirror() -> Path:
    """The folder of real public files, where the caller's environment names one."""
    folder = os.environ.get("SCHEDLAB_DATA_MIRROR")
    if not folder:
        pytest.skip("SCHEDLAB_DATA_MIRROR is not set: no folder with the public data sets")
    return Path(folder)
