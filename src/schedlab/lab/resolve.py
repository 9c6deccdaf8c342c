"""From a scheduler's entry in ``params.yaml`` to the scheduler, published or a user's own."""

import copy
import difflib
import importlib
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schedlab.lab.paths import find_root

Registry = Mapping[str, Callable[..., Any]]


class SchedulerEntry(BaseModel):
    """One entry of a list of schedulers: a bare name, or a mapping with these keys.

    Attributes
    ----------
    use
        Name in the system's registry, or ``module:Class`` for a class of the user's own.
    label
        What figures and tables call it; by default the name or the class's name.
    options
        Keyword arguments for the constructor.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    use: str = Field(min_length=1)
    label: str = Field(default="", min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, value: Any) -> Any:
        entry = {"use": value} if isinstance(value, str) else value
        if isinstance(entry, Mapping) and isinstance(entry.get("use"), str):
            return {"label": entry["use"].rpartition(":")[2], **entry}
        return entry


@dataclass(frozen=True)
class Choice:
    """A scheduler that was asked for and can be made; it travels to other processes.

    Attributes
    ----------
    entry
        The entry it was chosen by.
    registered
        The registry's class, or ``None`` for a class that is imported where it is made, since
        another process may not have the repository on its path yet.
    """

    entry: SchedulerEntry
    registered: Callable[..., Any] | None

    @property
    def label(self) -> str:
        """Name for figures and tables."""
        return self.entry.label

    def make(self, *given: Any) -> Any:
        """Return a fresh scheduler from what its system gives it and the entry's options."""
        build = self.registered or _imported(self.entry.use)
        return build(*given, **copy.deepcopy(self.entry.options))


def resolve(
    entry: SchedulerEntry | Mapping[str, Any] | str, registry: Registry, *, given: int = 0
) -> Choice:
    """Return the scheduler that an entry of ``params.yaml`` asks for.

    Parameters
    ----------
    entry
        A name, or a mapping with ``use`` and perhaps ``label`` and ``options``.
    registry
        The system's own schedulers by name.
    given
        How many arguments the system passes to :meth:`Choice.make`, for instance an optimizer.

    Raises
    ------
    ValueError
        In one line: an unknown name, with those allowed; a module or class that cannot be
        loaded; options that the constructor does not take.

    Examples
    --------
    >>> resolve({"use": "collections:Counter", "label": "mine"}, {}).make()
    Counter()
    """
    try:
        checked = SchedulerEntry.model_validate(entry)
    except ValidationError as error:
        problem = error.errors()[0]
        where = "".join(f"{part}: " for part in problem["loc"])
        raise ValueError(
            f"scheduler entry {entry!r}: {where}{problem['msg']}; "
            "expected a name or a mapping with use, label and options"
        ) from None
    if ":" not in checked.use and checked.use not in registry:
        raise ValueError(_unknown("scheduler", checked.use, registry, " or module:Class"))
    registered = registry.get(checked.use)
    _check_options(checked, registered or _imported(checked.use), given)
    return Choice(checked, registered)


def resolve_all(
    entries: Iterable[SchedulerEntry | Mapping[str, Any] | str],
    registry: Registry,
    *,
    given: int = 0,
) -> list[Choice]:
    """Return the schedulers of a whole list, which must not be empty and have distinct labels.

    Raises
    ------
    ValueError
        If the list is empty, a label occurs twice, or an entry is refused by :func:`resolve`.
    """
    if isinstance(entries, str):
        raise ValueError(f"schedulers: expected a list, got the single name {entries!r}")
    choices = [resolve(entry, registry, given=given) for entry in entries]
    if not choices:
        raise ValueError(f"schedulers: the list is empty; allowed are {', '.join(registry)}")
    counts = Counter(choice.label for choice in choices)
    if repeated := [label for label, count in counts.items() if count > 1]:
        raise ValueError(f"schedulers: {repeated[0]!r} occurs twice; give each its own label")
    return choices


def makeable(
    registry: Registry, *, given: int = 0
) -> Callable[[list[SchedulerEntry]], list[SchedulerEntry]]:
    """Return a check for parameters: every entry of a list can be made.

    Where the system gives nothing to a constructor it is called; otherwise only its options are
    looked at.

    Parameters
    ----------
    registry, given
        As :func:`resolve` takes them.

    Examples
    --------
    >>> makeable({"counter": Counter})([SchedulerEntry.model_validate("counter")])[0].label
    'counter'
    """

    def check(entries: list[SchedulerEntry]) -> list[SchedulerEntry]:
        for choice in resolve_all(entries, registry, given=given):
            if given:
                continue
            try:
                choice.make()
            except ValueError as error:
                raise ValueError(f"{choice.label}: {error}") from None
        return entries

    return check


def _unknown(kind: str, name: str, allowed: Iterable[str], also: str = "") -> str:
    names = list(allowed)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown {kind} {name!r}; {hint}allowed are {', '.join(names)}{also}"


def _imported(use: str) -> Callable[..., Any]:
    """Return what ``module:Class`` names, looking in the repository as well."""
    module_name, _, attribute = use.partition(":")
    root = str(find_root())
    if root not in sys.path:
        sys.path.append(root)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ValueError(_import_problem(use, module_name, root, error)) from error
    if not hasattr(module, attribute):
        own = [name for name, value in vars(module).items() if _is_own(value, module_name)]
        raise ValueError(f"scheduler {use!r}: " + _unknown("class", attribute, own))
    found = getattr(module, attribute)
    if not callable(found):
        raise ValueError(f"scheduler {use!r}: {attribute} is not a class or a function")
    return found


def _is_own(value: Any, module_name: str) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module_name


def _import_problem(use: str, module_name: str, root: str, error: Exception) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and f"{module_name}.".startswith(f"{missing}."):
        path = f"{module_name.replace('.', '/')}.py"
        return f"scheduler {use!r}: no module {module_name}; expected {path} in {root}"
    return f"scheduler {use!r}: importing {module_name} failed: {type(error).__name__}: {error}"


def _check_options(entry: SchedulerEntry, build: Callable[..., Any], given: int) -> None:
    try:
        signature = inspect.signature(build)
    except ValueError:  # some built-in callables have none to inspect
        return
    try:
        signature.bind(*[None] * given, **entry.options)
    except TypeError as error:
        takes = ", ".join(str(parameter) for parameter in signature.parameters.values())
        raise ValueError(
            f"scheduler {entry.label!r}: options: {error}; it takes {takes or 'none'}"
        ) from None
