"""The fast engine against the thread-by-thread model, and how long all schedules take."""

import time

from benchmarks.table import Row, in_turns
from schedlab.microcontrollers import ariel, costs
from schedlab.microcontrollers.boards import boards
from schedlab.microcontrollers.experiment.runs import pairs
from schedlab.microcontrollers.inference import infer
from schedlab.microcontrollers.schedulers import SCHEDULERS, ArielFIFO

TIMES = 20  # the fast engine runs this often a turn, to be measurable
MULTICORE = [name for name, board in boards().items() if board.cores > 1]


def measure() -> list[Row]:
    """Measure on the shipped networks, and on the catalogued ones where they are to be had."""
    return [row for counts in _at_hand() for row in _rows(counts)]


def _at_hand() -> list[str]:
    try:
        costs.read(costs.CATALOGUED)
    except FileNotFoundError:
        return [costs.OWN]
    return [costs.OWN, costs.CATALOGUED]


def _rows(counts: str) -> list[Row]:
    found = pairs(counts, MULTICORE)
    infer(*found[0], ArielFIFO())  # compiled
    fast, threads = in_turns([lambda: _fast(found), lambda: _threads(found)])
    fast /= TIMES
    how = f"Ariel's queue, one inference of {len(found)} networks on boards; one thread"
    start = time.perf_counter()
    schedules = _everything(counts)
    seconds = time.perf_counter() - start
    return [
        Row(
            f"fast engine, {costs.NETWORKS[counts]}",
            f"{1e3 * fast / len(found):.3f} ms an inference",
            f"the SimPy model's {1e3 * threads / len(found):.2f} ms",
            threads / fast,
            "50 times",
            how,
        ),
        Row(
            f"all schedules, {costs.NETWORKS[counts]}",
            f"{schedules} inferences in {seconds:.2f} s",
            "",
            None,
            "under 10 s",
            "every network and grid on every board under every scheduler, the optimum included",
        ),
    ]


def _fast(found: list) -> None:
    for _ in range(TIMES):
        for model, board in found:
            infer(model, board, ArielFIFO())


def _threads(found: list) -> None:
    for model, board in found:
        ariel.run(model, board)


def _everything(counts: str) -> int:
    done = 0
    for model in costs.read(counts):
        for board in boards().values():
            if board.target == model.target:
                for make in SCHEDULERS.values():
                    infer(model, board, make())
                    done += 1
    return done
