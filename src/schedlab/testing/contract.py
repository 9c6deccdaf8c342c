"""How a rule fails, and how the rules of one kind are run together."""

from __future__ import annotations

import textwrap
import traceback
from collections.abc import Callable, Iterable
from typing import Any

Make = Callable[..., Any]
Rule = Callable[[Make], None]


class Broken(AssertionError):
    """A rule that does not hold; the message says what, where, and what would be right."""


def require(holds: object, problem: str) -> None:
    """Raise :class:`Broken` with the problem unless something holds."""
    if not holds:
        raise Broken(problem)


def name_of(make: Any) -> str:
    """Return the name of a rule, a class, or whatever else makes a scheduler."""
    made = getattr(make, "func", make)  # of a functools.partial
    return getattr(made, "__qualname__", type(made).__name__)


def check(make: Make, rules: Iterable[Rule]) -> None:
    """Hold a scheduler to all rules and report every one that it breaks.

    Parameters
    ----------
    make
        Returns a fresh scheduler: a class, a ``functools.partial`` with options, a function.
    rules
        Rules of one kind.

    Raises
    ------
    AssertionError
        With a line for each broken rule.
    """
    broken = {}
    for rule in rules:
        try:
            rule(make)
        except Exception as error:
            broken[name_of(rule)] = describe(error)
    if broken:
        lines = [f"  {rule}: {problem}" for rule, problem in broken.items()]
        raise Broken(f"{name_of(make)} breaks {len(broken)} of its rules\n" + "\n".join(lines))


def describe(error: Exception) -> str:
    """Return an error in one line; one that is no broken rule with the line it came from."""
    if isinstance(error, Broken):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    what = textwrap.shorten(f"{type(error).__name__}: {error}", 300)
    return f"{what} (line {last.lineno} of {last.filename})"


def require_method(scheduler: Any, *names: str) -> None:
    """Require methods by name."""
    for name in names:
        require(
            callable(getattr(scheduler, name, None)),
            f"{type(scheduler).__name__} has no method {name}",
        )
