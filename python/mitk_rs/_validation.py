"""Check arguments: one wording for each mistake."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, TypeVar

from mitk_rs.errors import RequestError

if TYPE_CHECKING:
    from mitk_rs.marching import Cancel, Progress

_Value = TypeVar("_Value")


class RunOptions(TypedDict, total=False):
    """How a long call runs. Nothing here changes the result."""

    threads: int | None
    progress: Progress | None
    cancel: Cancel | None
    timeout: float | None


def check_names(function: str, given: Mapping[str, object], known: Sequence[str]) -> None:
    """Refuse keyword arguments that the function does not have, as Python does.

    Raises
    ------
    TypeError
        Naming the first unknown one.
    """
    for name in given:
        if name not in known:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}: known are {', '.join(known)}")


def number(value: float | None, name: str) -> float | None:
    """A number, infinite ones included, or nothing."""
    if value is None:
        return None
    if math.isnan(value):
        raise RequestError(f"{name} is nan: it must be a number")
    return float(value)


def finite(value: float, name: str) -> float:
    """A finite number."""
    if not math.isfinite(value):
        raise RequestError(f"{name} is {value}: it must be finite")
    return float(value)


def positive(value: float | None, name: str, *, zero: bool = False) -> float | None:
    """A finite number above 0 (or 0 where ``zero``), or nothing."""
    if value is None:
        return None
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise RequestError(f"{name} is {value}: it must be finite and {'>= 0' if zero else '> 0'}")
    return float(value)


def not_negative(value: float, name: str) -> float:
    """A finite number of at least 0."""
    positive(value, name, zero=True)
    return float(value)


def one_of(value: _Value, name: str, allowed: Sequence[_Value]) -> _Value:
    """One of the values that are allowed."""
    if value not in allowed:
        raise RequestError(f"{name} is {value!r}: it must be one of {', '.join(map(repr, allowed))}")
    return value
