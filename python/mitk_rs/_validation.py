"""Check arguments: one wording for each mistake.

An argument of a wrong type is a ``TypeError`` that names the function, the argument and both types; a value that is not
allowed is a ``RequestError``.
"""

from __future__ import annotations

import itertools
import math
import operator
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex, TypedDict, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs.errors import GeometryError, RequestError, TimeStepError, brief, one_line

if TYPE_CHECKING:
    from mitk_rs.marching import Cancel, Progress

_Value = TypeVar("_Value")
Triple = tuple[float, float, float]
FloatArray = NDArray[np.float64]


class RunOptions(TypedDict, total=False):
    """How a long call runs, as users say it. Nothing here changes the result."""

    threads: int | None
    progress: Progress | bool | None
    cancel: Cancel | None
    timeout: float | None


class Run(TypedDict, total=False):
    """The same, checked and as the core takes it."""

    threads: int | None
    progress: Progress | None
    cancel: Cancel | None
    timeout: float | None


RUN_OPTIONS = tuple(RunOptions.__annotations__)


def run_options(given: Mapping[str, Any]) -> Run:
    """How a call runs, out of all of its options."""
    for name, check in (("threads", whole_number), ("timeout", real_number)):
        if given.get(name) is not None:
            check(given[name], name)
    cancel, progress = given.get("cancel"), given.get("progress")
    if cancel is not None and not hasattr(cancel, "is_set"):
        raise wrong_type("cancel", "an object with is_set(), such as threading.Event", cancel)
    if progress is not None and not callable(progress):
        raise wrong_type("progress", "True or a function of the fraction done", progress)
    return cast(Run, {name: given[name] for name in RUN_OPTIONS if name in given})


def check_names(function: str, given: Mapping[str, object], options: type[Mapping[str, Any]]) -> None:
    """Refuse keyword arguments that the function does not have, as Python does."""
    known = options.__annotations__
    for name in given:
        if name not in known:
            message = f"{function}() got an unexpected keyword argument {brief(name)}"
            raise TypeError(f"{message}: known are {', '.join(known)}")


def number(value: float | None, name: str) -> float | None:
    """A number, infinite ones included, or nothing."""
    if value is None:
        return None
    if math.isnan(real_number(value, name)):
        raise RequestError(f"{name} is nan: it must be a number")
    return float(value)


def finite(value: float, name: str) -> float:
    """A finite number."""
    if not math.isfinite(real_number(value, name)):
        raise RequestError(f"{name} is {value}: it must be finite")
    return float(value)


def positive(value: float | None, name: str, *, zero: bool = False) -> float | None:
    """A finite number above 0 (or 0 where ``zero``), or nothing."""
    if value is None:
        return None
    if not math.isfinite(real_number(value, name)) or value < 0 or (value == 0 and not zero):
        raise RequestError(f"{name} is {value}: it must be finite and {'>= 0' if zero else '> 0'}")
    return float(value)


def not_negative(value: float, name: str) -> float:
    """A finite number of at least 0."""
    real_number(value, name)
    positive(value, name, zero=True)
    return float(value)


def one_of(value: _Value, name: str, allowed: Sequence[_Value]) -> _Value:
    """One of the values that are allowed."""
    # An array would be compared element by element.
    if not isinstance(value, str | int | None) or value not in allowed:
        raise RequestError(f"{name} is {brief(value)}: it must be one of {', '.join(map(repr, allowed))}")
    return value


def flag(value: bool, name: str) -> bool:  # noqa: FBT001
    """True or False; also 0, 1 and NumPy's booleans."""
    check_kind(value, (bool, int, np.bool_), name, "True or False")
    return bool(value)


def public_function() -> str:
    """The function or class of this package that the user called."""
    frame, name = sys._getframe(1), ""
    while frame is not None and frame.f_globals.get("__name__", "").startswith("mitk_rs."):
        inner = "<" in _called_name(frame) or frame.f_globals["__name__"] == __name__
        name = name if inner else _called_name(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return name


def _called_name(frame: FrameType) -> str:
    """The name of a function as users write it: that of the class, also of a derived one, where an object is made."""
    code = frame.f_code
    if code.co_name in ("__init__", "__post_init__"):
        return type(frame.f_locals[code.co_varnames[0]]).__name__
    # What comes bit by bit is computed when the function has returned.
    name = code.co_qualname.removesuffix(".<locals>.<genexpr>")
    owner, _, method = name.rpartition(".")
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    bases = (first if isinstance(first, type) else type(first)).__mro__
    part = next((base for base in bases if base.__name__ == owner), object)
    # The part of a class is named as the class that users know.
    known = [base.__name__ for base in bases if base.__module__ == "mitk_rs" and issubclass(base, part)]
    return f"{known[-1]}.{method}" if known and part is not object else name


def wrong_type(what: str, expected: str, value: object) -> TypeError:
    """The error for an argument of a wrong type: ``raise wrong_type("level_set", "an Image", value)``."""
    return type_error(f"{what} must be {expected}, got {_described(value)}")


def type_error(text: str) -> TypeError:
    """A ``TypeError`` that names the function that the user called."""
    function = public_function()
    return TypeError(one_line(f"{function}: {text}" if function else text))


def _described(value: object) -> str:
    kind = type(value)
    if kind.__module__ == "builtins":
        return f"{kind.__name__} {brief(value)}" if isinstance(value, str | int | float) else kind.__name__
    # Classes called Image are many.
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def check_kind(value: Any, kinds: type | tuple[type, ...], what: str, expected: str) -> None:
    """Refuse what is not an instance of one of these classes."""
    # An array without axes calls itself iterable.
    if not isinstance(value, kinds) or (kinds is Iterable and getattr(value, "ndim", 1) == 0):
        raise wrong_type(what, expected, value)


def text(value: Any, what: str) -> str:
    """Text; ``TypeError`` for anything else."""
    check_kind(value, str, what, "text")
    return str(value)


def real_number(value: Any, what: str) -> float:
    """A number as float; ``TypeError`` for text and anything that is not a single number."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise wrong_type(what, "a number", value) from None
    except OverflowError:
        raise RequestError(f"{what} is {brief(value)}: it is too large for a number of 64 bits") from None


def path_name(value: Any) -> str:
    """The name of a file as text; ``TypeError`` for anything else."""
    check_kind(value, (str, bytes, os.PathLike), "path", "the name of a file")
    return os.fsdecode(value)


def whole_number(value: Any, what: str) -> int:
    """An int; ``TypeError`` for anything that is not a whole number."""
    try:
        return operator.index(value)
    except TypeError:
        raise wrong_type(what, "a whole number", value) from None


def step_number(value: Any, what: str = "time_step") -> int:
    """The number of a time step, or of steps; ``TypeError`` for anything else. Others say whether the step exists."""
    step = whole_number(value, what)
    if step < 0:
        raise type_error(f"{what} must not be negative, got {step}")
    return step


def existing_step(value: Any, steps: int, what: str = "the image") -> int:
    """The number of a time step that something with ``steps`` of them has."""
    step = whole_number(value, "time_step")
    if not 0 <= step < steps:
        raise TimeStepError(f"time step {step} does not exist: {what} has {steps}")
    return step


def is_masked(array: NDArray[Any]) -> bool:
    """Whether an array has a mask. ``numpy.ma`` alone makes those, so it is not loaded for the question."""
    # Another thread may be in the middle of loading it; then nobody has a masked array yet.
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    return masked is not None and isinstance(array, masked)


def check_unmasked(array: NDArray[Any], what: str) -> None:
    """Refuse masked arrays: nothing here would heed the mask."""
    if is_masked(array):
        raise type_error(f"{what} is a masked array, whose mask would be lost: use array.filled(value)")


def whole_or_none(value: Any, what: str) -> int | None:
    """A whole number from 0 on that 64 bits with a sign hold, or nothing."""
    if value is None:
        return None
    number = whole_number(value, what)
    if not 0 <= number < 2**63:
        raise RequestError(f"{what} is {number}: it must be from 0 to {2**63 - 1}")
    return number


def numbers(value: Any, what: str) -> NDArray[np.float64]:
    """Numbers as an array of float64; ``TypeError`` for anything else, ragged lists included."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        given = np.asarray(value)
        if given.dtype.kind not in "biufO":
            raise TypeError
        return given.astype(np.float64)
    except (TypeError, ValueError):
        raise wrong_type(what, "numbers", value) from None
    except OverflowError:
        raise RequestError(f"{what} is {brief(value)}: it is too large for numbers of 64 bits") from None


# --- places in the world ------------------------------------------------------------------------------------------

# From LPS to RAS and back.
RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Squares of spacings and the volume of a voxel stay exact enough in single precision between these (mm).
SMALLEST_SPACING, LARGEST_SPACING = 1e-12, 1e12
# Unit columns whose box has less volume than this lie in a plane as far as doubles can tell.
_SINGULAR_BELOW = 1e-12


def _float_list(value: Any, what: str, expected: str = "three numbers", count: int | None = 3) -> list[float]:
    message = f"{what} must be {expected}, got {brief(value)}"
    try:
        if isinstance(value, str | bytes) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
            raise TypeError
        # No argument has more of them; arrays may pretend to have any number.
        items: list[SupportsFloat] = list(itertools.islice(value, 100))
        if any(isinstance(item, str | bytes) for item in items):
            raise TypeError
        found = [float(item) for item in items]
        if count is not None and len(found) != count:
            raise TypeError
        return found
    except (TypeError, ValueError):
        raise type_error(message) from None
    except OverflowError:
        raise GeometryError(f"{message}: a number is too large") from None


def triple(value: Any, what: str) -> Triple:
    """Three finite numbers, from any sequence, point, vector or array."""
    x, y, z = _float_list(value, what)
    if not all(map(math.isfinite, (x, y, z))):
        raise GeometryError(f"{what} must be finite, got {(x, y, z)}")
    return x, y, z


def spacing(value: Any) -> Triple:
    """Three positive lengths in mm."""
    x, y, z = _float_list(value, "spacing")
    if not all(0 < length < math.inf for length in (x, y, z)):
        raise GeometryError(f"spacing must be finite and greater than 0 mm on every axis, got {(x, y, z)}")
    if min(x, y, z) < SMALLEST_SPACING or max(x, y, z) > LARGEST_SPACING:
        limits = f"{SMALLEST_SPACING:g} to {LARGEST_SPACING:g}"
        raise GeometryError(f"spacing must be {limits} mm on every axis, got {(x, y, z)}")
    return x, y, z


def direction(value: ArrayLike) -> FloatArray:
    """A finite, invertible 3x3 matrix; axes need not be orthogonal, of unit length or right-handed."""
    matrix = _real_matrix(value)
    if matrix.shape != (3, 3):
        raise GeometryError(f"direction must be a 3x3 matrix, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise GeometryError(f"direction must be finite, got {matrix.tolist()}")
    if _is_singular(matrix):
        raise GeometryError(f"direction must be invertible, its axes lie in one plane: {matrix.tolist()}")
    return matrix


def affine(value: ArrayLike, space: str) -> FloatArray:
    """A 4x4 matrix to millimetres whose last row is (0, 0, 0, 1), turned to LPS; its 3x3 part is not looked at."""
    check_space(space)
    matrix = _real_matrix(value, "affine", "4x4")
    if matrix.shape != (4, 4) or not np.array_equal(matrix[3], (0, 0, 0, 1)):
        raise GeometryError(f"affine must be a 4x4 matrix with the last row (0, 0, 0, 1), got {matrix.tolist()}")
    return matrix if space == "LPS" else RAS_FROM_LPS @ matrix


def check_space(space: str) -> None:
    """Whether affine matrices are known in it."""
    if not isinstance(space, str) or space not in ("LPS", "RAS"):
        raise RequestError(f'space must be "LPS" or "RAS", got {brief(space)}')


def _real_matrix(value: ArrayLike, what: str = "direction", size: str = "3x3") -> FloatArray:
    try:
        matrix = np.asarray(value)
        if matrix.size > 100:
            raise GeometryError(f"{what} must be a {size} matrix, got shape {matrix.shape}")
    except ValueError:
        raise GeometryError(f"{what} must be a {size} matrix, got rows of different lengths") from None
    if matrix.dtype.kind not in "biuf":
        raise type_error(f"{what} must be a matrix of real numbers, got {matrix.dtype.name}")
    return matrix.astype(np.float64)


def _is_singular(matrix: FloatArray) -> bool:
    lengths = column_lengths(matrix)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        return True
    return bool(abs(np.linalg.det(matrix / lengths)) < _SINGULAR_BELOW)


def column_lengths(matrix: FloatArray) -> FloatArray:
    """Length of each column, safe against overflow of the squares."""
    return np.array([math.hypot(*column) for column in matrix.T])


def bounds(value: Any) -> tuple[float, ...]:
    """Six finite numbers xmin, xmax, ymin, ymax, zmin, zmax with min <= max."""
    numbers = _float_list(value, "bounds", "six numbers", count=None)
    if len(numbers) != 6:
        raise GeometryError(f"bounds must be six numbers (xmin, xmax, ymin, ymax, zmin, zmax), got {len(numbers)}")
    if not all(map(math.isfinite, numbers)):
        raise GeometryError(f"bounds must be finite, got {numbers}")
    if any(low > high for low, high in zip(numbers[::2], numbers[1::2], strict=True)):
        raise GeometryError(f"bounds must have each minimum before its maximum, got {numbers}")
    return tuple(numbers)


def axis(value: SupportsIndex) -> int:
    """An axis number 0 (x), 1 (y) or 2 (z)."""
    number = whole_number(value, "axis")
    if not 0 <= number < 3:
        raise RequestError(f"axis must be 0 (x), 1 (y) or 2 (z), got {number}")
    return number


def coordinates(value: Any, size: int = 3) -> FloatArray:
    """Coordinates as an array of shape ``(size,)`` or ``(..., size)``."""
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty(0)
    if array.dtype.kind not in "biuf" or array.ndim == 0 or array.shape[-1] != size:
        raise type_error(f"coordinates must be {size} numbers or an array (N, {size}), got {brief(value)}")
    return array.astype(np.float64)
