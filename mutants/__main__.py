"""`python -m mutants [core ...]`: try a sample of faults in each core and say which survive.

A mutant that the tests once noticed is not tried again; survivors are, so that after a new test
only they cost time. `--baseline` only times the tests on the code as it is.
"""

import argparse
import difflib
import json
from collections.abc import Iterator
from pathlib import Path

import yaml
from tqdm import tqdm

from mutants.sample import Mutant, sample
from mutants.trial import preload, trial

HERE = Path(__file__).parent
KEPT = Path(".schedlab/mutants")


def modules_of(core: dict[str, list[str]]) -> list[str]:
    """Return the files that a core's patterns name."""
    found = [str(path) for pattern in core["modules"] for path in sorted(Path().glob(pattern))]
    if not found:
        raise FileNotFoundError(f"no file matches {core['modules']}; run this from the repository")
    return found


def diff(mutant: Mutant) -> str:
    """Return the changed lines of a mutant."""
    before, after = Path(mutant.module).read_text(), mutant.source
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def verdicts(
    tests: list[str], drawn: list[Mutant], known: dict[str, str], timeout_s: float, log: Path
) -> Iterator[tuple[Mutant, str]]:
    """Try mutants one after the other; those killed before stay killed."""
    for mutant in tqdm(drawn, desc=log.stem, mininterval=5):
        verdict = known.get(mutant.key, "passed")
        if verdict == "passed":
            verdict, _ = trial(tests, mutant, timeout_s, log)
        yield mutant, verdict


def examine(name: str, settings: dict[str, object], baseline_only: bool) -> None:
    """Try the sample of one core, and keep each verdict as it comes."""
    core = settings["cores"][name]
    KEPT.mkdir(parents=True, exist_ok=True)
    log, file = KEPT / f"{name}.log", KEPT / f"{name}.json"
    preload(core["preload"])
    outcome, seconds = trial(core["tests"], None, 900, log)
    if outcome != "passed":
        raise RuntimeError(f"the tests of {name} fail without any mutant, see {log}")
    print(f"{name}: the tests take {seconds:.0f} s")
    if baseline_only:
        return
    drawn = sample(modules_of(core), settings["operators"], core["sample"], settings["seed"])
    timeout_s = max(settings["timeout_least_s"], settings["timeout_factor"] * seconds)
    known = json.loads(file.read_text()) if file.is_file() else {}
    for mutant, verdict in verdicts(core["tests"], drawn, known, timeout_s, log):
        known[mutant.key] = verdict
        file.write_text(json.dumps(known, indent=1))
    report(name, drawn, known)


def report(name: str, drawn: list[Mutant], known: dict[str, str]) -> None:
    """Print the row of a core's table and its survivors."""
    living = [mutant for mutant in drawn if known[mutant.key] == "passed"]
    killed, share = len(drawn) - len(living), len(living) / len(drawn)
    print(f"| {name} | {len(drawn)} | {killed} | {len(living)} | {share:.0%} |")
    for mutant in living:
        print(f"\n{mutant.key} {mutant.module}:{mutant.line} {mutant.operator}\n{diff(mutant)}")


def main() -> None:
    """Read the settings and examine the cores named on the command line, or all."""
    settings = yaml.safe_load((HERE / "settings.yaml").read_text())
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("core", nargs="*", help="|".join(settings["cores"]))
    parser.add_argument("--baseline", action="store_true", help="only time the unmutated tests")
    given = parser.parse_args()
    if unknown := set(given.core) - set(settings["cores"]):
        parser.error(f"no core is called {sorted(unknown)[0]}")
    for name in given.core or settings["cores"]:
        examine(name, settings, given.baseline)


if __name__ == "__main__":
    main()
