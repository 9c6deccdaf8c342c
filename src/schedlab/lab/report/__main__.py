"""Stage ``report``: ``python -m schedlab.lab.report`` writes ``reports/`` from ``results/``.

``python -m schedlab.lab.report changes [FROM [TO]]`` writes ``changes.html`` instead: what changed
between two revisions, by default since the last commit.
"""

import argparse
import sys
from pathlib import Path

from schedlab.lab.paths import find_root

# Otherwise jsonschema, behind nbformat, spends seconds on grammars that notebooks never use.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def main(arguments: list[str] | None = None) -> int:
    """Write the pages of the checkout in the working directory; return the exit status."""
    parser = argparse.ArgumentParser(prog="schedlab.lab.report", description=__doc__)
    changes = parser.add_subparsers(dest="command").add_parser("changes", help="what changed")
    changes.add_argument("before", nargs="?", default="HEAD", metavar="FROM", help="HEAD")
    changes.add_argument("after", nargs="?", metavar="TO", help="the working tree")
    chosen = parser.parse_args(arguments)
    try:
        root = find_root()
        page = _write(root, chosen)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"report: {page.relative_to(root)}")
    return 0


def _write(root: Path, chosen: argparse.Namespace) -> Path:
    from schedlab.lab.report.build import build
    from schedlab.lab.report.changes import write_changes

    return write_changes(root, chosen.before, chosen.after) if chosen.command else build(root)


if __name__ == "__main__":
    sys.exit(main())
