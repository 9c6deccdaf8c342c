"""The trace that the serving benchmarks share: the SLAI paper's own lengths at 2 requests/s."""

import pandas as pd

from schedlab.data.load import lengths
from schedlab.serving.workload import build_requests


def trace(requests: int, rate: float = 2.0) -> tuple[pd.DataFrame, str]:
    """Return a request table, and the name of the lengths that it was drawn from.

    Where the paper's trace (catalogue name ``sharegpt4-8k-llama2``) cannot be got, the fit to it
    that every checkout has stands in.
    """
    try:
        name, table = "sharegpt4-8k-llama2", lengths("sharegpt4-8k-llama2")
    except FileNotFoundError:
        name, table = "slai-fit", lengths("slai-fit")
    copies = -(-requests // len(table))
    table = pd.concat([table] * copies, ignore_index=True)
    return build_requests(table, requests, rate, seed=1), name
