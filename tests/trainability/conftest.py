import pytest


@pytest.fixture(autouse=True, scope="session")
def in_this_process():
    """Sweep without workers: at this size starting them takes longer than the work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCHEDLAB_JOBS", "1")
        patch.setenv("TQDM_DISABLE", "1")
        yield
