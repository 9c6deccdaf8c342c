"""Stage ``report``: ``python -m schedlab.lab.report`` writes ``reports/`` from ``results/``."""

import sys

from schedlab.lab.paths import find_root

# Otherwise jsonschema, behind nbformat, spends seconds on grammars that notebooks never use.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def main() -> int:
    """Build the report of the checkout in the working directory; return the exit status."""
    from schedlab.lab.report.build import build

    try:
        root = find_root()
        index = build(root)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"report: {index.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
