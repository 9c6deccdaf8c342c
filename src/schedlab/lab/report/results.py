"""What the pipeline left behind, read from ``results/`` for the report."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from markupsafe import Markup
from pydantic import ValidationError

from schedlab.lab import parameters
from schedlab.lab.report import notebooks
from schedlab.lab.report.findings import Finding

REMEDY = "bring it back with: dvc checkout, or dvc repro"


@dataclass(frozen=True)
class Figure:
    """A saved figure with the words that go with it."""

    name: str
    alt: str
    caption: str
    cell: int | None


@dataclass(frozen=True)
class Stage:
    """One executed notebook and all that it saved.

    Where several stages execute the same notebook, ``twin`` names the first of them on the pages of
    the others, and ``own`` holds the parameters that tell a stage from the rest.
    """

    system: str
    name: str
    folder: Path
    notebook: nbformat.NotebookNode
    title: str
    summary: Markup
    parameters: dict[str, Any]
    figures: tuple[Figure, ...]
    findings: tuple[Finding, ...]
    numbers: dict[str, float | int | str]
    twin: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """Address of the notebook's page within the report."""
        return f"{self.system}/{self.name}.html"

    def figure(self, name: str | None) -> Figure | None:
        """Return the figure of this name, if there is one."""
        return next((figure for figure in self.figures if figure.name == name), None)

    def cell(self, finding: Finding) -> int | None:
        """Return the number of the notebook cell that computed a finding."""
        return notebooks.cell_of_claim(self.notebook, finding.id)


def read_stages(root: Path, system: str) -> tuple[Stage, ...]:
    """Read all finished stages of a system, in the order of ``params.yaml``.

    Parameters
    ----------
    root
        The checkout.
    system
        Name of the system.

    Raises
    ------
    ValueError
        If a file does not hold what it should; the message names file and key.
    FileNotFoundError
        If metrics lie there without the executed notebook.
    """
    order = parameters.names(parameters.read(root))
    found = sorted((root / "results" / system).glob("*.json"))
    stages = [_stage(system, path) for path in found]
    _refuse_repeats(stages)
    rank = {name: position for position, name in enumerate(order)}
    stages.sort(key=lambda s: (rank.get(f"{system}.{s.name}", len(rank)), s.name))
    return _told_apart(stages)


def _told_apart(stages: list[Stage]) -> tuple[Stage, ...]:
    """Give stages that share a notebook, so also its title, what tells them apart."""
    alike = defaultdict(list)
    for stage in stages:
        alike[stage.title].append(stage)
    return tuple(
        _among(stage, alike[stage.title]) if len(alike[stage.title]) > 1 else stage
        for stage in stages
    )


def _among(stage: Stage, twins: list[Stage]) -> Stage:
    own = {}
    for name, value in stage.parameters.items():
        values = [twin.parameters.get(name) for twin in twins]
        if any(v != value for v in values) and not any(map(_has_mappings, values)):
            own[name] = value
    twin = "" if stage is twins[0] else twins[0].name
    return replace(stage, title=f"{stage.title} ({stage.name})", twin=twin, own=own)


def _has_mappings(value: Any) -> bool:
    """Tell whether a parameter is a list such as that of schedulers, which fills lines."""
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _refuse_repeats(stages: list[Stage]) -> None:
    owners: dict[str, str] = {}
    for stage in stages:
        for finding in stage.findings:
            if earlier := owners.get(finding.id):
                raise ValueError(
                    f"claim {finding.id} is evaluated by {earlier} and by {stage.name}; "
                    "give each its own id"
                )
            owners[finding.id] = stage.name


def _stage(system: str, path: Path) -> Stage:
    metrics = read_json(path, dict)
    folder = path.with_suffix("")
    notebook = _notebook(folder / "notebook.ipynb")
    title, summary = notebooks.opening(notebook, path.stem)
    figures = [_figure(file, notebook) for file in sorted(folder.glob("*.figure.json"))]
    findings = _findings(metrics, path, system, {figure.name for figure in figures})
    given = notebooks.parameters_of(notebook)
    given.pop("output_folder", None)
    numbers = dict(flatten({key: value for key, value in metrics.items() if key != "claims"}))
    return Stage(
        system,
        path.stem,
        folder,
        notebook,
        title,
        summary,
        given,
        # Figures as the notebook draws them, claims as it lists them.
        tuple(sorted(figures, key=lambda figure: (figure.cell or math.inf, figure.name))),
        tuple(sorted(findings, key=lambda finding: (finding.position, finding.id))),
        numbers,
    )


def _notebook(path: Path) -> nbformat.NotebookNode:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; {REMEDY}")
    try:
        return nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError):
        raise ValueError(f"{path}: not a notebook; {REMEDY}") from None


def _figure(path: Path, notebook: nbformat.NotebookNode) -> Figure:
    name = path.name.removesuffix(".figure.json")
    words = read_json(path, dict)
    if missing := {"alt", "caption"} - set(words):
        raise ValueError(f"{path}: no {' and no '.join(sorted(missing))}; {REMEDY}")
    for kind in ("svg", "png"):
        if not path.with_name(f"{name}.{kind}").is_file():
            raise FileNotFoundError(f"{path.with_name(name)}.{kind} is missing; {REMEDY}")
    return Figure(name, words["alt"], words["caption"], notebooks.cell_of_figure(notebook, name))


def _findings(
    metrics: Mapping[str, Any], path: Path, system: str, figures: set[str]
) -> Iterator[Finding]:
    for key, value in metrics.get("claims", {}).items():
        try:
            finding = Finding.model_validate(value)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, ("claims", key, *problem["loc"])))
            raise ValueError(f"{path}: {where}: {problem['msg'].lower()}") from None
        if finding.system != system or not finding.id.startswith(f"{system}/"):
            raise ValueError(f"{path}: claims.{key}: belongs to {finding.system}, not to {system}")
        if finding.figure is not None and finding.figure not in figures:
            known = ", ".join(sorted(figures)) or "none"
            raise ValueError(f"{path}: claims.{key}: no figure {finding.figure}; there are {known}")
        yield finding


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings, each under its whole path."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name} · ")
        else:
            yield name, value


def read_json(path: Path, kind: type[Any]) -> Any:
    """Read a JSON file of the pipeline's.

    Parameters
    ----------
    path
        The file.
    kind
        What it must hold: ``dict`` or ``list``.

    Raises
    ------
    ValueError
        If it is damaged or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: unreadable JSON ({error}); {REMEDY}") from None
    if not isinstance(value, kind):
        raise ValueError(f"{path}: expected a {kind.__name__}, found {value!r:.60}; {REMEDY}")
    return value
