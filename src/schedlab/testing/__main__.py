"""Hold a class to its contract: ``python -m schedlab.testing serving module:Class``."""

import argparse
import functools
import importlib
import json
import pkgutil
import sys
from typing import Any

from schedlab.lab.paths import find_root

CHECKS = {
    "diffusion": ("diffusion", "check_scheduler", "diffusion.schedulers:SCHEDULERS"),
    "estimation": ("estimation", "check_policy", "estimation.schedulers:SCHEDULERS"),
    "estimation.estimator": ("estimation", "check_estimator", ""),
    "estimation.plant": ("estimation", "check_plant", ""),
    "metalearning": ("metalearning", "check_sampler", "metalearning.schedulers:SCHEDULERS"),
    "microcontrollers": (
        "microcontrollers",
        "check_scheduler",
        "microcontrollers.schedulers:SCHEDULERS",
    ),
    "ranking": ("ranking", "check_ranker", "ranking.rankers:RANKERS"),
    "serving": ("serving", "check_policy", "serving.schedulers:SCHEDULERS"),
    "trainability": ("trainability", "check_scheduler", "trainability.schedulers:SCHEDULERS"),
}
"""Module with the rules, its check, and the published classes by name, for each kind."""


def main(arguments: list[str] | None = None) -> int:
    """Check the class named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="schedlab.testing", description=__doc__)
    parser.add_argument("kind", choices=CHECKS)
    parser.add_argument("use", help="module:Class, or a name as in params.yaml")
    parser.add_argument("--options", default="{}", help="keyword arguments, as JSON")
    chosen = parser.parse_args(arguments)
    module, check, registry = CHECKS[chosen.kind]
    try:
        make = functools.partial(_found(chosen.use, registry), **json.loads(chosen.options))
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        print(f"error: {chosen.use} {chosen.options}: {error}", file=sys.stderr)
        return 2
    try:
        getattr(importlib.import_module(f"schedlab.testing.{module}"), check)(make)
    except AssertionError as broken:
        print(broken, file=sys.stderr)
        return 1
    print(f"{chosen.use} keeps its contract")
    return 0


def _found(use: str, registry: str) -> Any:
    """Return what ``module:Class`` or a published name stands for; a checkout is looked in too."""
    published = pkgutil.resolve_name(f"schedlab.{registry}") if registry else {}
    if ":" not in use and use not in published:
        raise ValueError(f"unknown; expected one of {', '.join(published)} or module:Class")
    sys.path.append(str(find_root()))
    return published.get(use) or pkgutil.resolve_name(use)


if __name__ == "__main__":
    sys.exit(main())
