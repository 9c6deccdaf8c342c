"""Writing ``reports/``, whole or not at all."""

import shutil
import tempfile
from pathlib import Path

from schedlab.lab.files import replace_folder, write_json, write_text
from schedlab.lab.report import pages
from schedlab.lab.report.notebooks import TEMPLATES
from schedlab.lab.report.results import Stage, read_stages
from schedlab.lab.report.sources import read_sources, sources_of
from schedlab.lab.report.systems import ACROSS, SYSTEMS, System


def build(root: Path) -> Path:
    """Write the report of all results in a checkout.

    Parameters
    ----------
    root
        The checkout, with ``params.yaml`` and ``results/``.

    Returns
    -------
    The path of ``reports/index.html``.

    Raises
    ------
    ValueError, FileNotFoundError
        If results are damaged or incomplete; an earlier report is untouched then.
    """
    built = [(system, read_stages(root, system.name)) for system in (*ACROSS, *SYSTEMS)]
    known = read_sources(root)
    staged = Path(tempfile.mkdtemp(prefix=".reports-", dir=root))
    try:
        staged.chmod(0o755)
        shutil.copyfile(TEMPLATES / "report.css", staged / "report.css")
        write_text(staged / "index.html", pages.index_page(built))
        write_json(staged / "ledger.json", _ledger(built))
        for system, stages in built:
            if stages:
                sources = sources_of(system.name, stages, known)
                page = pages.system_page(system, built, sources)
                write_text(staged / f"{system.name}.html", page)
            for stage in stages:
                _write_stage(staged, system, stage)
        return replace_folder(staged, root / "reports") / "index.html"
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _write_stage(folder: Path, system: System, stage: Stage) -> None:
    write_text(folder / stage.page, pages.notebook_page(stage, system))
    target = folder / system.name / stage.name
    target.mkdir()
    for figure in stage.figures:
        for kind in ("svg", "png"):
            shutil.copyfile(
                stage.folder / f"{figure.name}.{kind}", target / f"{figure.name}.{kind}"
            )


def _ledger(built: pages.Built) -> list[dict[str, object]]:
    return [
        {**finding.model_dump(), "stage": f"{stage.system}.{stage.name}"}
        for _, stages in built
        for stage in stages
        for finding in stage.findings
    ]
