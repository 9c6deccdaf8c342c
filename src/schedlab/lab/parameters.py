"""``params.yaml``: read, narrowed to one stage at one scale, and checked before anything runs."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

try:
    from yaml import CSafeLoader as SafeLoader  # five times faster; PyYAML's wheels have it
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

SCALES = ("smoke", "laptop", "paper")
SHARED = "all"
FILE = "params.yaml"


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed occurs twice, which would count one run as two")
    return seeds


Seeds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(_distinct)]


class Parameters(BaseModel):
    """Base of every stage's parameters: typed, immutable, and closed to unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


@dataclass(frozen=True)
class Section:
    """One stage's parameters at the chosen scale.

    Attributes
    ----------
    name
        ``system.stage``, for instance ``serving.load_fit``.
    scale
        ``smoke``, ``laptop`` or ``paper``.
    values
        What the stage's notebook receives, by parameter name.
    """

    name: str
    scale: str
    values: dict[str, Any]

    @property
    def system(self) -> str:
        """Name of the system the stage belongs to."""
        return self.name.split(".")[0]

    @property
    def stage(self) -> str:
        """Name of the stage within its system."""
        return self.name.split(".")[1]


def read(root: Path) -> dict[str, Any]:
    """Read ``params.yaml`` below ``root``.

    Raises
    ------
    ValueError
        If it is not valid YAML, not a mapping, or names an unknown scale or thread count.
    FileNotFoundError
        If there is none.
    """
    path = root / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; restore it with: git checkout {FILE}")
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=SafeLoader)
    except UnicodeDecodeError as error:
        raise ValueError(f"{FILE}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{FILE}: {_yaml_problem(error)}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{FILE}: expected a mapping of sections, found {type(values).__name__}")
    if values.get("scale") not in SCALES:
        raise ValueError(
            f"{FILE}: scale: {values.get('scale')!r} is not one of {', '.join(SCALES)}"
        )
    threads = values.get("threads")
    if type(threads) is not int or threads < 1:
        raise ValueError(f"{FILE}: threads: expected a whole number of at least 1, got {threads!r}")
    return values


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"unreadable YAML, {where}{getattr(error, 'problem', None) or 'syntax error'}"


def section(name: str, root: Path, *, checked: bool = False) -> Section:
    """Return one stage's checked parameters at the scale that ``params.yaml`` chooses.

    Parameters
    ----------
    name
        ``system.stage``.
    root
        Folder of ``params.yaml``.
    checked
        Whether the stage's model has seen them before; it imports the whole system.

    Raises
    ------
    ValueError
        If the section is unknown or malformed, or a value is refused by the stage's model; the
        message names file, key and what would be allowed.
    """
    return _section(read(root), name, checked=checked)


def _section(everything: Mapping[str, Any], name: str, *, checked: bool = False) -> Section:
    scale = everything["scale"]
    parts = _parts(everything, name)
    values = {**parts[SHARED], **parts[scale]}
    origin = dict.fromkeys(parts[SHARED], SHARED) | dict.fromkeys(parts[scale], scale)
    if not checked:
        check(name, values, origin)
    return Section(name, scale, values)


def names(values: Mapping[str, Any]) -> list[str]:
    """Return the names of all stage sections, in the order of the file."""
    return [
        f"{system}.{stage}"
        for system, stages in values.items()
        if isinstance(stages, dict)
        for stage in stages
    ]


def _parts(everything: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    system, _, stage = name.partition(".")
    stages = everything.get(system)
    if not isinstance(stages, dict) or not isinstance(stages.get(stage), dict):
        known = ", ".join(names(everything))
        raise ValueError(f"{FILE}: no section {name}; there are {known}")
    parts = stages[stage]
    if unknown := set(parts) - {SHARED, *SCALES}:
        raise ValueError(
            f"{FILE}: {name}.{min(map(str, unknown))}: unknown key; a section holds "
            f"{SHARED}, {', '.join(SCALES)}"
        )
    filled = {key: parts.get(key) or {} for key in (SHARED, *SCALES)}
    for key, part in filled.items():
        if not isinstance(part, dict):
            raise ValueError(f"{FILE}: {name}.{key}: expected a mapping, got {part!r}")
    return filled


def check(name: str, values: Mapping[str, Any], origin: Mapping[str, str] | None = None) -> None:
    """Check a stage's parameters against the model its system declares.

    Parameters
    ----------
    name
        ``system.stage``.
    values
        Parameters by name.
    origin
        For each parameter the part of the section it was written in, for the message.

    Raises
    ------
    ValueError
        Naming the key, what was found and what is allowed.
    """
    system, _, stage = name.partition(".")
    try:
        model(system, stage).model_validate(dict(values))
    except ValidationError as error:
        problem = error.errors()[0]
        first = str(problem["loc"][0]) if problem["loc"] else ""
        part = (origin or {}).get(first)
        key = ".".join(str(p) for p in (name, part, *problem["loc"]) if p is not None)
        raise ValueError(f"{FILE}: {key}: {_explain(problem, model(system, stage))}") from None


def _explain(problem: Mapping[str, Any], expected: type[Parameters]) -> str:
    match problem["type"]:
        case "extra_forbidden" if len(problem["loc"]) == 1:
            return f"unknown parameter; allowed are {', '.join(sorted(expected.model_fields))}"
        case "missing":
            return "missing"
        case _:
            message = problem["msg"].removeprefix("Value error, ")
            plain = f"{message[0].lower()}{message[1:]}"
            # What concerns several values names them itself; the whole section would drown it
            return f"{plain} (got {problem['input']!r})" if problem["loc"] else plain


def model(system: str, stage: str) -> type[Parameters]:
    """Return the parameter model of a stage, from ``schedlab.<system>.parameters.MODELS``.

    Raises
    ------
    ValueError
        If the system or the stage has none.
    """
    module = f"schedlab.{system}.parameters"
    try:
        models = importlib.import_module(module).MODELS
    except ModuleNotFoundError as error:
        if error.name not in (module, f"schedlab.{system}"):
            raise
        raise ValueError(f"{FILE}: {system}: no such system") from None
    if stage not in models:
        raise ValueError(f"{FILE}: {system}.{stage}: unknown; allowed are {', '.join(models)}")
    return models[stage]


def check_all(root: Path) -> None:
    """Check every section of ``params.yaml`` at the chosen scale.

    Raises
    ------
    ValueError
        For the first value that is refused.
    """
    everything = read(root)
    for name in names(everything):
        _section(everything, name)
