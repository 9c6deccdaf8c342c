"""Run one stage: a notebook, with its section of ``params.yaml``, into its results folder.

``python -m schedlab.lab.run serving.load_fit notebooks/serving/02-….ipynb`` fills
``results/serving/load_fit/`` and ``results/serving/load_fit.json``, both whole or not at all.
"""

import argparse
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schedlab.lab import lifeline, parameters
from schedlab.lab.files import replace_folder, write_text
from schedlab.lab.lock import only_one
from schedlab.lab.paths import find_root

DRIVER = "SCHEDLAB_DRIVER"  # process number of `make reproduce`, when it started this stage


def main(arguments: list[str] | None = None) -> int:
    """Run the stage named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="schedlab.lab.run", description=__doc__)
    parser.add_argument("section", help="system.stage in params.yaml, e.g. serving.load_fit")
    parser.add_argument("notebook", type=Path, help="notebook to execute")
    chosen = parser.parse_args(arguments)
    lifeline.follow_parent(*map(int, filter(None, [os.environ.get(DRIVER)])))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        root = find_root()
        with only_one(root, chosen.section):
            run(chosen.section, chosen.notebook, root)
    except (ValueError, OSError, NotebookFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


class NotebookFailed(Exception):
    """A cell of a stage's notebook raised; the message holds cell and error."""


def run(name: str, notebook: Path, root: Path) -> Path:
    """Execute a stage's notebook and put its outputs in place.

    Parameters
    ----------
    name
        ``system.stage``.
    notebook
        Path of the notebook, relative to ``root``.
    root
        The checkout.

    Returns
    -------
    The folder ``results/<system>/<stage>``.

    Raises
    ------
    ValueError
        If parameters and the notebook's ``parameters`` cell do not agree.
    FileNotFoundError
        If the notebook does not exist.
    NotebookFailed
        If a cell raises; earlier results are untouched then.
    """
    # `make reproduce` has checked all sections; to do so again would import the system twice
    section = parameters.section(name, root, checked=DRIVER in os.environ)
    if not (root / notebook).is_file():
        raise FileNotFoundError(f"{notebook}: no such notebook in {root}")
    set_environment(parameters.read(root)["threads"], root)
    staged = Path(".schedlab", "staging", section.system, section.stage)
    values = {**section.values, "scale": section.scale, "output_folder": staged.as_posix()}
    shutil.rmtree(root / staged, ignore_errors=True)
    (root / staged).mkdir(parents=True)
    _execute(root / notebook, root / staged / "notebook.ipynb", values, name, root)
    _finish(root / staged, root / "results" / section.system / section.stage)
    return root / "results" / section.system / section.stage


def set_environment(threads: int, root: Path) -> None:
    """Fix, for this process and the kernel it starts, all that could change a result.

    Also keeps Jupyter's and matplotlib's own files in the checkout or a temporary folder, so that
    a run neither depends on a user's home nor leaves anything in it.
    """
    scratch = tempfile.mkdtemp(prefix="schedlab-")  # short: sockets allow 107 characters
    fixed = {
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "0",
        "HF_HUB_OFFLINE": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
        "JUPYTER_RUNTIME_DIR": scratch,
        "IPYTHONDIR": scratch,
        "MPLCONFIGDIR": str(root / ".schedlab" / "matplotlib"),
        "TZ": "UTC",
        "COLUMNS": "100",
    }
    pools = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")
    os.environ.update(fixed | {f"{pool}_NUM_THREADS": str(threads) for pool in pools})
    if not any((root / ".schedlab" / "matplotlib").glob("fontlist-*")):
        # Otherwise the first notebook of a fresh checkout reports that fonts are being listed.
        subprocess.run([sys.executable, "-c", "import matplotlib.font_manager"], check=True)


def _execute(source: Path, target: Path, values: Mapping[str, Any], name: str, root: Path) -> None:
    # jsonschema compiles dozens of grammars for formats that notebooks never use, which takes
    # longer than everything else papermill imports.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    from schedlab.lab.canonical import canonicalise

    check_names(papermill.inspect_notebook(str(source)), values, source)
    _stream_to_terminal()
    own = Config()  # sockets of this run alone; by default they lie in the working directory,
    own.KernelManager.transport = "ipc"  # where two stages at once would take the same
    own.KernelManager.ip = str(Path(os.environ["JUPYTER_RUNTIME_DIR"], "kernel"))
    try:
        executed = papermill.execute_notebook(
            str(source),
            str(target),
            parameters=dict(values),
            kernel_name="python3",
            cwd=str(root),
            progress_bar=False,
            log_output=True,
            config=own,
        )
    except PapermillExecutionError as error:
        raise NotebookFailed(_describe(error, source, target, name, root)) from None
    except OSError as error:  # a full disk, where papermill saves as it goes without naming it
        raise OSError(error.errno, error.strerror, error.filename or str(target)) from error
    finally:
        shutil.rmtree(os.environ["JUPYTER_RUNTIME_DIR"], ignore_errors=True)
    canonicalise(executed)
    write_text(target, nbformat.writes(executed) + "\n")


def check_names(declared: Mapping[str, Any], values: Mapping[str, Any], source: Path) -> None:
    """Refuse a notebook whose ``parameters`` cell names other parameters than it would get.

    Raises
    ------
    ValueError
        Naming what is missing on either side; papermill alone would warn and use defaults.
    """
    unknown = sorted(set(values) - set(declared))
    unset = sorted(set(declared) - set(values))
    if unknown:
        raise ValueError(f"{source.name}: its parameters cell lacks {', '.join(unknown)}")
    if unset:
        raise ValueError(f"{parameters.FILE}: {source.name} also needs {', '.join(unset)}")


def _stream_to_terminal() -> None:
    """Show the cells' streams as they come, progress bars included."""
    handler = logging.StreamHandler(sys.stderr)
    handler.terminator = ""
    handler.addFilter(lambda record: record.name == "papermill" and record.levelno < logging.ERROR)
    logger = logging.getLogger("papermill")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.WARNING)


def _describe(error: Any, source: Path, partial: Path, name: str, root: Path) -> str:
    kept = root / ".schedlab" / "failed" / f"{name}.ipynb"
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial.replace(kept)
    return (
        f"{source.relative_to(root)}, cell {error.cell_index}:\n\n{error.source}\n\n"
        f"{error.ename}: {error.evalue}\n\npartly run notebook: {kept.relative_to(root)}"
    )


def _finish(staged: Path, final: Path) -> None:
    """Put the metrics beside the folder, for git, and the folder itself into the results."""
    metrics = staged / "metrics.json"
    if not metrics.is_file():
        raise ValueError(f"the notebook of {final.name} wrote no metrics; end it with save_metrics")
    final.parent.mkdir(parents=True, exist_ok=True)
    metrics.replace(final.with_suffix(".json"))
    replace_folder(staged, final)


if __name__ == "__main__":
    sys.exit(main())
