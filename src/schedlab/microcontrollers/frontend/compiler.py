"""Run IREE's compiler once per model, target and grid; later calls find what it wrote."""

import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from schedlab.lab.files import replace_folder
from schedlab.microcontrollers.frontend import importer, targets
from schedlab.microcontrollers.frontend.hal import read_program
from schedlab.microcontrollers.frontend.importer import ModelError, import_model
from schedlab.microcontrollers.frontend.program import Program

CACHE = "SCHEDLAB_COMPILE_CACHE"
PHASES = ("stream", "executable-configurations", "hal")
HOST_OUTPUT = ("--iree-hal-dump-executable-files-to=.", "-o", "model.vmfb")
STATIC_OUTPUT = (
    "--iree-llvmcpu-link-embedded=false",
    "--iree-llvmcpu-link-static",
    "--iree-llvmcpu-static-library-output-path=kernels.o",
    "--output-format=vm-c",
    "-o",
    "model.c",
)
KEPT = re.compile(rf".*\.({'|'.join(PHASES)})\.mlir|.*\.so|kernels\.[oh]|model\.vmfb")


@dataclass(frozen=True)
class Compiled:
    """A model as compiled for one target.

    Attributes
    ----------
    model
        Name of the model, without suffix.
    target, grid
        What for; see :mod:`~schedlab.microcontrollers.frontend.targets`.
    flags
        All options given to ``iree-compile``, without paths.
    folder
        What the compiler wrote.
    """

    model: str
    target: targets.Target
    grid: str
    flags: tuple[str, ...]
    folder: Path

    def phase(self, name: str) -> str:
        """Return the module's text after a phase of the compiler."""
        return (self.folder / f"{name}.mlir").read_text(encoding="utf-8")

    @property
    def kernels(self) -> Path:
        """The kernels: a shared object for the host, a relocatable one for other machines."""
        return self.folder / ("kernels.so" if self.target.triple is None else "kernels.o")

    @property
    def module(self) -> Path:
        """The whole module for IREE's own runtime; for the host only."""
        return self.folder / "model.vmfb"

    @property
    def query(self) -> str:
        """Name of the function that returns the table of kernels of a static library."""
        return re.search(r"\w+_library_query", (self.folder / "kernels.h").read_text())[0]

    @cached_property
    def program(self) -> Program:
        """The commands of the model."""
        try:
            return read_program(self.phase("hal"), self.phase("stream"))
        except ValueError as error:
            raise ModelError(self.model, "reading the commands", str(error)) from None


def compile_model(path: Path, target: str = "host", grid: str = "default") -> Compiled:
    """Compile a model, or take what an earlier call compiled.

    Parameters
    ----------
    path
        A model file; see :func:`~schedlab.microcontrollers.frontend.importer.import_model`.
    target, grid
        Names; see :mod:`~schedlab.microcontrollers.frontend.targets`.

    Raises
    ------
    ModelError
        If the compiler refuses the model, with the first line of its reason.
    FileNotFoundError
        If there is no such file or no compiler.
    ValueError
        If target or grid is unknown.
    """
    path, machine = Path(path), targets.target(target)
    if not path.is_file():
        raise FileNotFoundError(f"no model {path}")
    flags = (*targets.COMMON, *machine.flags, *targets.grid_flags(grid))
    folder = cache_folder() / _key(path, flags)
    if not folder.is_dir():
        _compile_into(folder, path, machine, flags)
    return Compiled(path.stem, machine, grid, flags, folder)


def cache_folder() -> Path:
    """Return where compiled models are kept: ``SCHEDLAB_COMPILE_CACHE`` or the data cache."""
    from schedlab.data.catalog import cache_folder as data_cache

    return Path(os.environ[CACHE]) if os.environ.get(CACHE) else data_cache() / "compiled"


def compiler_version() -> str:
    """Return the installed compiler as ``name==version``.

    Raises
    ------
    FileNotFoundError
        If it is not installed.
    """
    try:
        return f"iree-base-compiler=={version('iree-base-compiler')}"
    except PackageNotFoundError:
        raise FileNotFoundError(
            f"no IREE compiler in this environment (there is none for Python 3.14 yet): "
            f"pip install {targets.COMPILER} iree-base-runtime==3.8.0"
        ) from None


def _key(path: Path, flags: tuple[str, ...]) -> str:
    """Name a compilation by all that its result depends on, the importer's code included."""
    digest = hashlib.sha256(path.read_bytes() + Path(importer.__file__).read_bytes())
    digest.update("\0".join([path.name, compiler_version(), *flags]).encode())
    return f"{path.stem}-{digest.hexdigest()[:16]}"


def _compile_into(
    folder: Path, path: Path, machine: targets.Target, flags: tuple[str, ...]
) -> None:
    """Compile and put what later steps read into ``folder``, whole or not at all."""
    source = import_model(path)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".compiling-") as scratch:
        work, kept = Path(scratch, "work"), Path(scratch, "kept")
        work.mkdir(), kept.mkdir()
        model = work / "model.mlir"
        model.write_bytes(source)
        output = HOST_OUTPUT if machine.triple is None else STATIC_OUTPUT
        arguments = [model.name, *flags, "--dump-compilation-phases-to=.", *output]
        run_compiler(path.name, "compilation", arguments, work)
        for file in sorted(work.iterdir()):
            if KEPT.fullmatch(file.name):
                shutil.move(file, kept / _plain_name(file.name))
        replace_folder(kept, folder)


def _plain_name(name: str) -> str:
    """Drop the module's name and the phase's number: ``model.7.stream.mlir`` -> ``stream.mlir``."""
    if name.endswith(".so"):
        return "kernels.so"
    phase = re.fullmatch(r".*\.\d+\.([\w-]+\.mlir)", name)
    return phase[1] if phase else name


def run_compiler(model: str, stage: str, arguments: list[str], folder: Path) -> None:
    """Run ``iree-compile`` in a folder; a failure becomes one line with the compiler's first error.

    Objects carry the source's path as it was given, so it should be given relative.

    Raises
    ------
    ModelError
        If it fails.
    FileNotFoundError
        If it is not installed.
    """
    compiler_version()
    program = Path(sysconfig.get_path("scripts"), "iree-compile")
    linker = f"--iree-llvmcpu-embedded-linker-path=./{_link_to_linker(folder).name}"
    done = subprocess.run([program, *arguments, linker], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        errors = re.findall(r"error: (.*)", done.stderr) or [f"exit code {done.returncode}"]
        raise ModelError(model, stage, errors[0])


def _link_to_linker(folder: Path) -> Path:
    """Make the compiler's linker known by a name without spaces, for it is called unquoted."""
    package = files("iree.compiler")
    link = folder / "iree-lld"
    link.symlink_to(Path(str(package), "_mlir_libs", link.name))
    return link
