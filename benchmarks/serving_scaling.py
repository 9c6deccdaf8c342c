"""Memory and seconds a request of the compiled engine from a thousand requests to a million.

Every size runs in a process of its own, compact (one row a request, histograms of TBT), under
SLAI with shortest prompts first. The trace is repeated where it is too short. Peak memory is what
the operating system counted for the process, its libraries included (about 0.2 GB).
"""

import json
import subprocess
import sys

from benchmarks.memory import peak_memory
from benchmarks.table import Row

SIZES = (1_000, 10_000, 100_000, 1_000_000)


def measure() -> list[Row]:
    """Return one row: cost per request and peak memory at every size."""
    runs = {size: _run(size) for size in SIZES}
    per_request = [run["seconds"] / size * 1e6 for size, run in runs.items()]
    cells = [
        f"{size:,}: {us:.0f} us a request, {run['gigabytes']:.2f} GB"
        for (size, run), us in zip(runs.items(), per_request, strict=True)
    ]
    return [
        Row(
            "compiled engine from 10^3 to 10^6 requests",
            "; ".join(cells),
            "",
            None,
            "flat cost, below 1 GB at a million",
            "SLAI (SPF, dynamic) at 1.8 requests/s, compact; a process for each size, simulate() "
            "only, after a first small run",
        )
    ]


def _run(size: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.serving_scaling", str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def _serve(size: int) -> dict[str, float]:
    import time

    from benchmarks.serving_trace import trace
    from schedlab.serving import compiled
    from schedlab.serving.costs import ADA_MISTRAL7B
    from schedlab.serving.schedulers import SLAI

    def serve(requests: int) -> float:
        table, _ = trace(requests, rate=1.8)
        start = time.perf_counter()
        compiled.simulate(table, SLAI(), ADA_MISTRAL7B, compact=True)
        return time.perf_counter() - start

    serve(10)
    seconds = serve(size)
    return {"seconds": seconds, "gigabytes": peak_memory() / 1e9}


if __name__ == "__main__":
    print(json.dumps(_serve(int(sys.argv[1]))))
