"""Early checks of scheduler options, with one-line errors."""

from collections.abc import Collection
from numbers import Integral, Real


def one_of(option: str, got: object, allowed: Collection[object]) -> None:
    """Raise ValueError unless an option has one of the allowed values."""
    if got not in allowed:
        raise ValueError(f"{option} must be one of {', '.join(map(repr, allowed))}, got {got!r}")


def count(option: str, got: object) -> None:
    """Raise ValueError unless an option is an integer of at least 1."""
    if not isinstance(got, Integral) or isinstance(got, bool) or got < 1:
        raise ValueError(f"{option} must be an integer >= 1, got {got!r}")


def real(option: str, got: object, low: float = 0.0, high: float = float("inf")) -> None:
    """Raise ValueError unless an option is a number in ``[low, high]``."""
    if not isinstance(got, Real) or isinstance(got, bool) or not low <= got <= high:
        raise ValueError(f"{option} must be a number in [{low:g}, {high:g}], got {got!r}")


def flag(option: str, got: object) -> None:
    """Raise ValueError unless an option is True or False."""
    if not isinstance(got, bool):
        raise ValueError(f"{option} must be True or False, got {got!r}")
