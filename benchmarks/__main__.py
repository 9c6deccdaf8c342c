"""Measure every subject, or those named, and print one table."""

import argparse
from importlib import import_module

from benchmarks.table import render

SUBJECTS = (
    "serving_engine",
    "serving_scaling",
    "serving_vidur",
    "ranking_engine",
    "diffusion_schedulers",
    "estimation_learning",
    "metalearning",
    "microcontrollers_engine",
    "microcontrollers_kernels",
    "trainability",
    "million_points",
    "pipeline",
)


def main() -> None:
    """Run the chosen subjects one after the other."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("subject", nargs="*", default=SUBJECTS, help=", ".join(SUBJECTS))
    chosen = parser.parse_args().subject
    if unknown := sorted(set(chosen) - set(SUBJECTS)):
        parser.error(f"unknown subject {unknown[0]!r}; there are {', '.join(SUBJECTS)}")
    for name in chosen:
        print(f"measuring {name} ...", flush=True)
        print(render(import_module(f"benchmarks.{name}").measure()), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
