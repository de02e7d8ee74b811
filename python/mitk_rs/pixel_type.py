"""Pixel types: a numeric type and a number of components (``mitk::PixelType``)."""

from __future__ import annotations

from typing import Any, Self, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike

from mitk_rs._validation import whole_number, wrong_type
from mitk_rs.errors import RequestError

__all__ = ["PixelType", "make_pixel_type"]

# NumPy's names and ITK's, which the representation uses as MITK does.
_ITK_NAMES = {
    "uint8": "unsigned_char",
    "int8": "char",
    "uint16": "unsigned_short",
    "int16": "short",
    "uint32": "unsigned_int",
    "int32": "int",
    "uint64": "unsigned_long",
    "int64": "long",
    "float32": "float",
    "float64": "double",
}


class PixelType:
    """What a voxel consists of. Made by :func:`make_pixel_type`; immutable.

    Examples
    --------
    >>> from mitk_rs import make_pixel_type
    >>> make_pixel_type("uint8", components=4)
    <PixelType: 4 * unsigned_char>
    >>> make_pixel_type("float32").dtype
    dtype('float32')
    """

    __module__ = "mitk_rs"
    __slots__ = ("_components", "_dtype", "_kind")
    _dtype: np.dtype[Any]
    _components: int
    _kind: str | None

    def __new__(cls) -> Self:
        raise TypeError("PixelType has no constructor; use make_pixel_type(dtype, components)")

    @classmethod
    def _make(cls, dtype: np.dtype[Any], components: int, kind: str | None = None) -> Self:
        made = object.__new__(cls)
        made._dtype, made._components, made._kind = dtype, components, kind
        return made

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's type of a component."""
        return self._dtype

    @property
    def components(self) -> int:
        """Number of components of a voxel."""
        return self._components

    @property
    def bits_per_component(self) -> int:
        """Bits of a component."""
        return self._dtype.itemsize * 8

    @property
    def size(self) -> int:
        """Bytes of a voxel."""
        return self._dtype.itemsize * self._components

    @property
    def kind(self) -> str | None:
        """``"scalar"``, ``"rgb"``, ``"rgba"`` or ``"vector"`` where a file said so."""
        return self._kind

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PixelType):
            return NotImplemented
        return (self._dtype, self._components) == (other._dtype, other._components)

    def __hash__(self) -> int:
        return hash((self._dtype, self._components))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._make, (self._dtype, self._components, self._kind)

    def __repr__(self) -> str:
        name = _ITK_NAMES[self._dtype.name]
        text = name if self._components == 1 else f"{self._components} * {name}"
        return f"<PixelType: {self._kind} ({text})>" if self._kind else f"<PixelType: {text}>"


def make_pixel_type(dtype: DTypeLike | PixelType, components: SupportsIndex = 1) -> PixelType:
    """The pixel type with components of ``dtype``.

    Parameters
    ----------
    dtype
        Anything ``numpy.dtype`` takes: 8, 16, 32 or 64 bit integers, float32, float64; bool counts as uint8.
    components
        Number of components of a voxel, at least 1.

    Raises
    ------
    RequestError
        Another numeric type, a byte order that is not this machine's, or no components.
    TypeError
        No dtype at all, or a number of components that is not a whole number.

    Examples
    --------
    >>> from mitk_rs import make_pixel_type
    >>> make_pixel_type("int16").bits_per_component
    16
    """
    count = whole_number(components, "components")
    if count < 1:
        raise RequestError(f"components must be at least 1, got {count}")
    if isinstance(dtype, PixelType):
        return PixelType._make(dtype.dtype, count)
    return PixelType._make(component_type(dtype), count)


def component_type(dtype: DTypeLike) -> np.dtype[Any]:
    """The supported NumPy type for ``dtype``, which may also be bool."""
    try:
        asked = np.dtype(dtype)
    except (TypeError, ValueError):
        raise wrong_type("dtype", "a type of numbers, such as 'float32'", dtype) from None
    if asked == np.bool_:
        return np.dtype(np.uint8)
    if asked.name not in _ITK_NAMES:
        raise RequestError(
            f"dtype {asked.name} is not supported: use uint8 to uint64, int8 to int64, float32 or float64"
        )
    if not asked.isnative:
        raise RequestError(
            f"dtype {asked.str} is not in this machine's byte order: "
            f"convert with array.astype(array.dtype.newbyteorder('='))"
        )
    return asked
