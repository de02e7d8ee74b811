"""Points, vectors and colours, as MITK passes them around.

A *point* is a position, a *vector* a displacement: an affine map moves points and only turns and stretches
vectors. Both hold double precision numbers, in millimetres for world coordinates and in voxels for index
coordinates. MITK's classes have neither arithmetic nor length nor equality; ours have, and refuse what
makes no sense (adding two points). A colour holds three single precision numbers, usually from 0 to 1."""

from __future__ import annotations

import operator
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, SupportsFloat, SupportsIndex, TypeVar, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mitk_rs._validation import real_number, type_error
from mitk_rs.errors import brief

__all__ = ["Color", "Point2D", "Point3D", "Vector2D", "Vector3D"]


class _Coordinate(property):
    """One coordinate by its name."""

    def __init__(self, index: int, name: str, meaning: str = "") -> None:
        def read(point: _Coordinates) -> float:
            return point[index]

        def write(point: _Coordinates, value: SupportsFloat) -> None:
            point._values[index] = point._rounded(real_number(value, f"{type(point).__name__}.{name}"))

        super().__init__(read, write, doc=f"The {meaning or name} coordinate.")

    if TYPE_CHECKING:

        def __get__(self, point: Any, kind: type | None = None) -> float: ...  # type: ignore[override]
        def __set__(self, point: Any, value: SupportsFloat) -> None: ...


class _Coordinates:
    """A fixed number of floats that can be read and written by position."""

    __module__ = "mitk_rs"
    __slots__ = ("__weakref__", "_values")
    _size: ClassVar[int]
    _values: list[float]

    def __init__(self, *coordinates: SupportsFloat) -> None:
        if len(coordinates) not in (0, self._size):
            raise type_error(f"{type(self).__name__} takes no coordinates or {self._size}, got {len(coordinates)}")
        self._values = [0.0] * self._size
        for index, value in enumerate(coordinates):
            self[index] = value

    def _position(self, index: SupportsIndex) -> int:
        position = operator.index(index)
        if not 0 <= position < self._size:
            raise IndexError(f"{type(self).__name__} has elements 0 to {self._size - 1}, got {brief(position)}")
        return position

    def _rounded(self, value: SupportsFloat) -> float:
        return float(value)

    def __getitem__(self, index: SupportsIndex) -> float:
        return self._values[self._position(index)]

    def __setitem__(self, index: SupportsIndex, value: SupportsFloat) -> None:
        position = self._position(index)
        self._values[position] = self._rounded(real_number(value, f"an element of a {type(self).__name__}"))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[float]:
        return iter(tuple(self._values))

    def __eq__(self, other: object) -> bool:
        if type(other) is type(self):
            return self._values == other._values
        if isinstance(other, tuple | list):
            return tuple(self._values) == tuple(other)
        return NotImplemented

    # Mutable values: equal now, different later, so no hash.
    __hash__ = None  # type: ignore[assignment]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001
        if copy is False:
            raise ValueError(f"a {type(self).__name__} cannot be seen as an array without a copy")
        return np.array(self._values, dtype=np.float64 if dtype is None else dtype)

    def __reduce__(self) -> tuple[type[Self], tuple[float, ...]]:
        return type(self), tuple(self._values)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{', '.join(f'{value:.6f}' for value in self._values)}]>"


class _Vector(_Coordinates):
    __module__ = "mitk_rs"
    __slots__ = ()

    def __add__(self, other: Self) -> Self:
        return type(self)(*map(operator.add, self, other)) if type(other) is type(self) else NotImplemented

    def __sub__(self, other: Self) -> Self:
        return type(self)(*map(operator.sub, self, other)) if type(other) is type(self) else NotImplemented

    def __mul__(self, factor: float) -> Self:
        if not isinstance(factor, int | float | np.number):
            return NotImplemented
        return type(self)(*(value * float(factor) for value in self))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Self:
        if not isinstance(divisor, int | float | np.number):
            return NotImplemented
        return type(self)(*(value / float(divisor) for value in self))

    def __neg__(self) -> Self:
        return self * -1.0

    @property
    def length(self) -> float:
        """Euclidean length."""
        return float(np.hypot.reduce(self._values))


class Vector2D(_Vector):
    """A displacement in a plane: ``Vector2D()`` is zero, ``Vector2D(x, y)`` has coordinates.

    Examples
    --------
    >>> from mitk_rs import Vector2D
    >>> 2 * Vector2D(1, 0.5)
    <Vector2D [2.000000, 1.000000]>
    """

    __module__ = "mitk_rs"
    __slots__ = ()
    _size = 2
    x = _Coordinate(0, "x")
    y = _Coordinate(1, "y")


class Vector3D(_Vector):
    """A displacement in space: ``Vector3D()`` is zero, ``Vector3D(x, y, z)`` has coordinates.

    Examples
    --------
    >>> from mitk_rs import Vector3D
    >>> (Vector3D(1, 2, 3) - Vector3D(0, 2, 3)).length
    1.0
    """

    __module__ = "mitk_rs"
    __slots__ = ()
    _size = 3
    x = _Coordinate(0, "x")
    y = _Coordinate(1, "y")
    z = _Coordinate(2, "z")


_Displacement = TypeVar("_Displacement", bound=_Vector)


class _Point(_Coordinates, Generic[_Displacement]):
    __module__ = "mitk_rs"
    __slots__ = ()
    _displacement: type[_Displacement]

    def __add__(self, vector: _Displacement) -> Self:
        if not isinstance(vector, self._displacement):
            return NotImplemented
        return type(self)(*(self._displacement(*self) + vector))

    @overload
    def __sub__(self, other: Self) -> _Displacement: ...
    @overload
    def __sub__(self, other: _Displacement) -> Self: ...
    def __sub__(self, other: Self | _Displacement) -> _Displacement | Self:
        if isinstance(other, type(self)):
            return self._displacement(*self) - self._displacement(*other)
        return self + -other if isinstance(other, self._displacement) else NotImplemented


class Point2D(_Point[Vector2D]):
    """A position in a plane: ``Point2D()`` is the origin, ``Point2D(x, y)`` has coordinates.

    Point - point is a :class:`Vector2D`; point + vector and point - vector are points.
    """

    __module__ = "mitk_rs"
    __slots__ = ()
    _size = 2
    _displacement = Vector2D
    x = _Coordinate(0, "x")
    y = _Coordinate(1, "y")


class Point3D(_Point[Vector3D]):
    """A position in space: ``Point3D()`` is the origin, ``Point3D(x, y, z)`` has coordinates.

    Point - point is a :class:`Vector3D`; point + vector and point - vector are points.

    Examples
    --------
    >>> from mitk_rs import Point3D, Vector3D
    >>> Point3D(1, 2, 3)
    <Point3D [1.000000, 2.000000, 3.000000]>
    >>> Point3D(1, 2, 3) + Vector3D(0, 0, 1) == (1, 2, 4)
    True
    """

    __module__ = "mitk_rs"
    __slots__ = ()
    _size = 3
    _displacement = Vector3D
    x = _Coordinate(0, "x")
    y = _Coordinate(1, "y")
    z = _Coordinate(2, "z")


class Color(_Coordinates):
    """A colour of three single precision numbers: ``Color()`` is black, ``Color(r, g, b)`` has components.

    Examples
    --------
    >>> from mitk_rs import Color
    >>> Color(1, 0.5, 0)
    mitk.Color(1.000000, 0.500000, 0.000000)
    """

    __module__ = "mitk_rs"
    __slots__ = ()
    _size = 3
    r = _Coordinate(0, "r", "red")
    g = _Coordinate(1, "g", "green")
    b = _Coordinate(2, "b", "blue")

    def _rounded(self, value: SupportsFloat) -> float:
        rounded: float = struct.unpack("f", struct.pack("f", float(value)))[0]
        return rounded

    def __repr__(self) -> str:
        return f"mitk.Color({', '.join(f'{value:.6f}' for value in self._values)})"
