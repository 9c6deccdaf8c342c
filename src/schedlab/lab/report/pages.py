"""Pages as text: results in, HTML out; nothing here reads or writes results."""

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from schedlab.lab.report import notebooks
from schedlab.lab.report.findings import VERDICTS, number, true_minus
from schedlab.lab.report.marks import interval_mark
from schedlab.lab.report.results import Stage
from schedlab.lab.report.systems import SYSTEMS, System

if TYPE_CHECKING:
    from schedlab.lab.report.changes import Changes

Built = Sequence[tuple[System, Sequence[Stage]]]


def index_page(built: Built) -> str:
    """Return the first page: what compares the systems, then the ledger of all their claims.

    Parameters
    ----------
    built
        Every system and comparison with its finished stages; a system without stages is shown as
        not built.
    """
    # Systems with results first; what is still missing is listed after them.
    systems = sorted((pair for pair in built if pair[0].paper), key=lambda pair: not pair[1])
    across = [pair for pair in built if not pair[0].paper]
    counts = Counter(f.verdict for _, stages in built for stage in stages for f in stage.findings)
    return _render("index.html", built=systems, across=across, counts=counts, pages=_pages(built))


def system_page(system: System, built: Built, sources: Sequence[Mapping[str, Any]]) -> str:
    """Return the page of one system: its story, figures, claims, parameters and data.

    Parameters
    ----------
    system
        The system.
    built
        Every system with its finished stages.
    sources
        Where the input data come from.
    """
    stages = next(stages for other, stages in built if other == system)
    return _render(
        "system.html", system=system, stages=stages, sources=sources, pages=_pages(built)
    )


def notebook_page(stage: Stage, home: System) -> str:
    """Return an executed notebook as one page of the report, its figures as files beside it.

    Parameters
    ----------
    stage
        The stage whose notebook it is.
    home
        System whose report page is one folder up.
    """
    figures = {f.name: (f"{stage.name}/{f.name}.svg", f.alt) for f in stage.figures}
    first = (cell for cell in stage.notebook.cells if cell.cell_type == "markdown")
    return _render(
        "notebook.html",
        stage=stage,
        body=notebooks.body(stage.notebook, figures),
        headed=any(line.startswith("# ") for cell in first for line in cell.source.split("\n")),
        home=home,
        up="../",
    )


KINDS = {
    "verdict": "Verdicts changed",
    "estimate": "Estimates moved",
    "new": "New claims",
    "removed": "Claims removed",
}


def changes_page(changes: "Changes", known: Collection[str]) -> str:
    """Return the page of what changed between two revisions, which needs no file beside it.

    Parameters
    ----------
    changes
        What changed.
    known
        Claims that the report has a row for.
    """
    style = Markup((notebooks.TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return _render("changes.html", changes=changes, known=known, kinds=KINDS, style=style)


def as_yaml(value: Any) -> str:
    """Write a parameter as it stands in ``params.yaml``, entries of a list of mappings in lines."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "\n".join(f"- {as_yaml(item)}" for item in value)
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf
    )
    return text.removesuffix("...\n").strip()


def _pages(built: Built) -> list[System]:
    return [system for system, stages in built if stages]


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values).strip() + "\n"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("schedlab.lab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (notebooks.TEMPLATES / "filter.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.filters["true_minus"] = true_minus
    environment.globals.update(
        up="",
        script=Markup(script),
        # The policy makes the browser itself refuse every request that would leave the report.
        policy="default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' file: "
        f"data:; style-src 'self' file: 'unsafe-inline'; script-src 'sha256-{digest}'",
        mark=interval_mark,
        number=number,
        as_yaml=as_yaml,
        verdicts=VERDICTS,
        total=len(SYSTEMS),
    )
    return environment
