"""Checks of what users hand in as spacing, origin, direction, bounds and coordinates."""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Iterable
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs.errors import GeometryError, RequestError

Triple = tuple[float, float, float]
FloatArray = NDArray[np.float64]

# From LPS to RAS and back.
RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Squares of spacings and the volume of a voxel stay exact enough in single precision between these (mm).
SMALLEST_SPACING, LARGEST_SPACING = 1e-12, 1e12
# Unit columns whose box has less volume than this lie in a plane as far as doubles can tell.
_SINGULAR_BELOW = 1e-12


def _float_list(value: Any, what: str, expected: str) -> list[float]:
    message = f"{what} must be {expected}, got {reprlib.repr(value)}"
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(message)
    items: list[SupportsFloat] = list(value)
    if any(isinstance(item, str | bytes) for item in items):
        raise TypeError(message)
    try:
        return [float(item) for item in items]
    except (TypeError, ValueError):
        raise TypeError(message) from None


def triple(value: Any, what: str) -> Triple:
    """Three finite numbers, from any sequence, point, vector or array."""
    numbers = _float_list(value, what, "three numbers")
    if len(numbers) != 3:
        raise TypeError(f"{what} must be three numbers, got {reprlib.repr(value)}")
    if not all(map(math.isfinite, numbers)):
        raise GeometryError(f"{what} must be finite, got {tuple(numbers)}")
    return numbers[0], numbers[1], numbers[2]


def spacing(value: Any) -> Triple:
    """Three positive lengths in mm."""
    numbers = _float_list(value, "spacing", "three numbers")
    if len(numbers) != 3:
        raise TypeError(f"spacing must be three numbers, got {reprlib.repr(value)}")
    if not all(0 < number < math.inf for number in numbers):
        raise GeometryError(f"spacing must be finite and greater than 0 mm on every axis, got {tuple(numbers)}")
    if min(numbers) < SMALLEST_SPACING or max(numbers) > LARGEST_SPACING:
        limits = f"{SMALLEST_SPACING:g} to {LARGEST_SPACING:g}"
        raise GeometryError(f"spacing must be {limits} mm on every axis, got {tuple(numbers)}")
    return numbers[0], numbers[1], numbers[2]


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
        raise RequestError(f'space must be "LPS" or "RAS", got {space!r}')


def _real_matrix(value: ArrayLike, what: str = "direction", size: str = "3x3") -> FloatArray:
    try:
        matrix = np.asarray(value)
    except ValueError:
        raise GeometryError(f"{what} must be a {size} matrix, got rows of different lengths") from None
    if matrix.dtype.kind not in "biuf":
        raise TypeError(f"{what} must be a matrix of real numbers, got {matrix.dtype.name}")
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
    numbers = _float_list(value, "bounds", "six numbers")
    if len(numbers) != 6:
        raise GeometryError(f"bounds must be six numbers (xmin, xmax, ymin, ymax, zmin, zmax), got {len(numbers)}")
    if not all(map(math.isfinite, numbers)):
        raise GeometryError(f"bounds must be finite, got {numbers}")
    if any(low > high for low, high in zip(numbers[::2], numbers[1::2], strict=True)):
        raise GeometryError(f"bounds must have each minimum before its maximum, got {numbers}")
    return tuple(numbers)


def axis(value: SupportsIndex) -> int:
    """An axis number 0 (x), 1 (y) or 2 (z)."""
    return _in_range(value, 3, "axis must be 0 (x), 1 (y) or 2 (z)")


def corner(value: SupportsIndex) -> int:
    """A corner number from 0 to 7."""
    return _in_range(value, 8, "corner id must be 0 to 7")


def _in_range(value: SupportsIndex, count: int, message: str) -> int:
    number = operator.index(value)
    if not 0 <= number < count:
        raise RequestError(f"{message}, got {number}")
    return number


def coordinates(value: Any, size: int = 3) -> FloatArray:
    """Coordinates as an array of shape ``(size,)`` or ``(..., size)``."""
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty(0)
    if array.dtype.kind not in "biuf" or array.ndim == 0 or array.shape[-1] != size:
        raise TypeError(f"coordinates must be {size} numbers or an array (N, {size}), got {reprlib.repr(value)}")
    return array.astype(np.float64)
