"""The long tables of ``docs/``, written from what they describe: ``make docs``.

A test compares each page with what this would write, so that none can go stale.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from schedlab.lab.claims import measured, show
from schedlab.lab.files import write_text
from schedlab.lab.paths import find_root, tool_environment
from schedlab.lab.report.sources import read_sources
from schedlab.lab.report.systems import SYSTEMS


def pipeline(root: Path) -> str:
    """Return the stages as ``dvc dag --md`` draws them, those of one system as one node."""
    command = [sys.executable, "-m", "dvc", "dag", "--md", "--collapse-foreach-matrix"]
    drawn = subprocess.run(
        command, cwd=root, env=tool_environment(), check=True, capture_output=True, text=True
    )
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    rows = [
        (name, key, _notebook(name, item))
        for name, stage in stages.items()
        for key, item in stage.get("foreach", {}).items()
    ]
    return (
        "# The stages\n\n"
        "Each stage is one notebook, run with its section of `params.yaml`; `dvc dag` draws each\n"
        "by itself.\n\n"
        f"{drawn.stdout.strip()}\n\n{_table(('system', 'stage', 'notebook'), rows)}"
    )


def _notebook(system: str, item: str | dict[str, str]) -> str:
    path = f"notebooks/{system}/{item if isinstance(item, str) else item['notebook']}.ipynb"
    return f"[{path}](../{path})"


def data(root: Path) -> str:
    """Return origin and licence of every data set, built or catalogued."""
    rows = [
        (f"`{source['name']}`", source.get("origin", ""), source.get("licence", ""))
        for source in read_sources(root)
    ]
    return (
        "# Data and their licences\n\n"
        "First what `data/` holds, then the catalogue, from which a stage takes what\n"
        "`params.yaml` names; `python -m schedlab.data list` says more of each.\n\n"
        + _table(("set", "origin", "licence"), rows)
    )


def not_reproduced(root: Path) -> str:
    """Return what the ledger holds against the papers, and why each verdict is what it is."""
    found = [finding for finding in findings(root) if finding["verdict"] == "not reproduced"]
    parts = []
    for system in SYSTEMS:
        rows = [
            (
                finding["sentence"],
                show(finding["published"]),
                measured(finding),
                finding["reason"] + "; our reconstruction" * finding["reconstruction"],
            )
            for finding in found
            if finding["system"] == system.name
        ]
        if rows:
            columns = ("claim", "published", "measured", "why")
            parts.append(f"## {system.heading}\n\n{_table(columns, rows)}")
    return (
        "# What is not reproduced\n\n"
        "The claims whose interval contradicts their direction or misses their limit. Those that\n"
        "are undecided, with what would decide them, are in the report.\n\n" + "\n".join(parts)
    )


def findings(root: Path) -> list[dict[str, Any]]:
    """Return every evaluated claim that git holds, system by system."""
    paths = sorted((root / "results").glob("*/*.json"))
    read = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [
        finding
        for metrics in read
        for finding in sorted(metrics.get("claims", {}).values(), key=lambda f: f["position"])
    ]


def citing(root: Path) -> str:
    """Return how to cite the lab and each work, as CITATION.cff has them."""
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    entries = [_bibtex(work) for work in cited["references"]]
    own = f"{cited['title']}, version {cited['version']}: {cited['abstract']}"
    return (
        f"# Citing\n\n{cited['message']}\n\n{own}\n\n```bibtex\n" + "\n\n".join(entries) + "\n```\n"
    )


def _bibtex(work: dict[str, Any]) -> str:
    names = [
        " ".join(filter(None, (a["given-names"], a.get("name-particle"), a["family-names"])))
        for a in work["authors"]
    ]
    number = work["identifiers"][0]["value"].removeprefix("arXiv:")
    where = {"booktitle": work.get("collection-title"), "journal": work.get("journal")}
    fields = {
        "title": f"{{{work['title']}}}",
        "author": " and ".join(names),
        **{key: value for key, value in where.items() if value},
        "year": work["year"],
        "eprint": number,
        "archivePrefix": "arXiv",
    }
    kind = {"conference-paper": "inproceedings"}.get(work["type"], "article")
    key = f"{work['authors'][0]['family-names'].lower()}{work['year']}"
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items()]
    return f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    cells = [[str(cell).replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


DRAWING = re.compile(r"```mermaid\n.*?```", re.DOTALL)

PAGES: dict[str, Callable[[Path], str]] = {
    "pipeline.md": pipeline,
    "data.md": data,
    "not-reproduced.md": not_reproduced,
    "citing.md": citing,
}
"""What is written to ``docs/``, by file name."""


def main() -> int:
    """Write every page; return the exit status."""
    root = find_root()
    for name, page in PAGES.items():
        print(write_text(root / "docs" / name, page(root)).relative_to(root))
    readme = root / "README.md"
    drawing = DRAWING.search((root / "docs" / "pipeline.md").read_text(encoding="utf-8"))[0]
    write_text(readme, DRAWING.sub(lambda _: drawing, readme.read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
