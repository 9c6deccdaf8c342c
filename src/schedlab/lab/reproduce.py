"""Bring every result up to date: ``make reproduce``.

Checks the parameters, builds the data, runs what changed with a line per stage, independent
stages side by side, and ends with the path of the report and the ledger of claims. What is run,
and what is written to ``dvc.lock``, is what ``dvc repro`` would run and write.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from schedlab.data import build
from schedlab.lab import lifeline, parameters
from schedlab.lab.claims import text_table
from schedlab.lab.lock import at_work, only_one, wait_for_leftovers
from schedlab.lab.paths import find_root, tool_environment
from schedlab.lab.run import DRIVER

Graph = Mapping[str, set[str]]  # stage -> the stages it needs


def main(arguments: list[str] | None = None) -> int:
    """Reproduce everything; return the exit status."""
    parser = argparse.ArgumentParser(prog="schedlab.lab.reproduce", description=__doc__)
    cores = os.cpu_count() or 1
    parser.add_argument(
        "--jobs", type=_positive, default=cores, help="processes at most (default: all cores)"
    )
    jobs = parser.parse_args(arguments).jobs
    if "MAKELEVEL" in os.environ:
        lifeline.follow_parent()
    try:
        root = find_root()
        with only_one(root):
            wait_for_leftovers(root)
            parameters.check_all(root)
            print(build.build(root), flush=True)
            failed = bring_up_to_date(root, jobs)
            show_ledger(root)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; run the same command again to go on", file=sys.stderr)
        return 130
    return 1 if failed else 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def bring_up_to_date(root: Path, jobs: int) -> list[str]:
    """Run every stage that changed, and those after it; return the names of failed stages."""
    graph, changed = stages(root)
    todo = with_descendants(graph, changed)
    if not todo:
        print("Everything is up to date.")
        return []
    print(f"{len(todo)} of {len(graph)} stages to run, {jobs} at a time", flush=True)
    begun = time.monotonic()
    failed = run_stages(root, {name: graph[name] & todo for name in graph if name in todo}, jobs)
    spent = os.times()
    cpu = spent.children_user + spent.children_system
    print(f"{time.monotonic() - begun:.0f} s, with {cpu:.0f} s of CPU time", flush=True)
    for name in failed:
        print(f"failed: {name}; its output is in {_log(root, name).relative_to(root)}")
    return failed


def stages(root: Path) -> tuple[Graph, set[str]]:
    """Return the pipeline's graph, in the order of ``dvc.yaml``, and the stages that changed.

    Raises
    ------
    ValueError
        If a ``dvc repro`` is at work in the checkout.
    """
    from dvc.lock import LockError
    from dvc.repo import Repo

    try:
        with Repo(root) as repo:
            named = {s.addressing: s for s in repo.index.stages if not s.is_data_source}
            needs = {
                name: {n.addressing for n in repo.index.graph.successors(s)} & set(named)
                for name, s in named.items()
            }
            return needs, set(repo.status()) & set(named)
    except LockError as error:
        raise ValueError(
            f"dvc is already at work in {root}; wait for it, or stop it first "
            f"({' '.join(str(error).split())})"
        ) from None


def with_descendants(graph: Graph, changed: set[str]) -> set[str]:
    """Return the changed stages and all stages that need one of them, however indirectly."""
    reached = set(changed)
    while more := {name for name, needs in graph.items() if needs & reached} - reached:
        reached |= more
    return reached


def run_stages(root: Path, needs: Graph, jobs: int) -> list[str]:
    """Run stages side by side, each after those it needs; return the names that failed."""
    waiting, running, done, failed = dict(needs), {}, set(), []
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or running:
            ready = [name for name, before in waiting.items() if before <= done]
            lanes = min(jobs, len(running) + len(ready))
            for name in ready[: jobs - len(running)]:
                del waiting[name]
                running[pool.submit(run_stage, root, name, jobs // lanes)] = name
            if not running:  # the rest needs what failed
                failed += list(waiting)
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name = running.pop(future)
                (done.add if future.result() else failed.append)(name)
    return failed


def run_stage(root: Path, name: str, workers: int) -> bool:
    """Run one stage by ``dvc repro``, its output going to a log; tell whether it succeeded."""
    begun = time.monotonic()
    print(f"  {name} ...", flush=True)
    log = _log(root, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    own = {"SCHEDLAB_JOBS": str(workers), DRIVER: str(os.getpid())}
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "-s", name]
    with log.open("w") as output, at_work(root) as mark:
        status = subprocess.run(
            command,
            cwd=root,
            env=tool_environment() | own,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[mark],
        ).returncode
    verdict = "done" if status == 0 else "FAILED"
    print(f"  {name} {verdict} in {time.monotonic() - begun:.0f} s", flush=True)
    if status:
        print(log.read_text(), file=sys.stderr)
    return status == 0


def _log(root: Path, name: str) -> Path:
    return root / ".schedlab" / "logs" / f"{name.replace('@', '-')}.txt"


def show_ledger(root: Path) -> None:
    """Print the claims with their verdicts, and where the report lies."""
    reports = root / "reports"
    if (reports / "ledger.json").is_file():
        print(text_table(json.loads((reports / "ledger.json").read_text(encoding="utf-8"))))
        print(f"Report: {reports / 'index.html'}")


if __name__ == "__main__":
    sys.exit(main())
