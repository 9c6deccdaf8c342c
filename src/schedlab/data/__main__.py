"""Command line of the data sets: ``python -m schedlab.data list | fetch | build | verify``."""

import argparse
import sys
from pathlib import Path

from schedlab.data import build, catalog, guard, load
from schedlab.lab.paths import find_root


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status."""
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m schedlab.data", description=__doc__)
    commands = parser.add_subparsers(required=True)

    listing = commands.add_parser("list", help="every set with size, licence, origin")
    listing.set_defaults(run=_list)

    fetching = commands.add_parser("fetch", help="get a catalogued set and print its path")
    fetching.add_argument("name")
    fetching.set_defaults(run=_fetch)

    building = commands.add_parser("build", help="fill data/ and verify it")
    how = building.add_mutually_exclusive_group()
    how.add_argument("--force", action="store_true", help="replace data/ whatever it holds")
    how.add_argument("--pin", action="store_true", help="build, then rewrite the pinned hashes")
    building.set_defaults(run=_build)

    verifying = commands.add_parser("verify", help="compare data/ with data.sha256")
    verifying.add_argument("output", type=Path, help="folder for the hashes, one file per system")
    verifying.set_defaults(run=_verify)
    return parser


def _list(_: argparse.Namespace) -> int:
    for name, file in load.BUILT.items():
        print(f"{name:34} built      see data/SOURCES.json  data/{file}")
    for entry in catalog.datasets().values():
        where = "public" if entry.url else "mirror"
        print(
            f"{entry.name:34} {where} {entry.size / 1e6:6.2f} MB  {entry.licence}; {entry.origin}"
        )
    return 0


def _fetch(chosen: argparse.Namespace) -> int:
    print(catalog.fetch(chosen.name))
    return 0


def _build(chosen: argparse.Namespace) -> int:
    root = find_root()
    print(build.pin(root) if chosen.pin else build.build(root, chosen.force))
    return 0


def _verify(chosen: argparse.Namespace) -> int:
    root = find_root()
    damages = guard.damages(root)
    for damage in damages:
        print(f"error: {damage}", file=sys.stderr)
    if not damages:
        guard.write_hashes(guard.expected_hashes(root), chosen.output)
    return 1 if damages else 0


if __name__ == "__main__":
    sys.exit(main())
