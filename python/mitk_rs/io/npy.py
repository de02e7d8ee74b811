"""Arrays in NumPy's own file format: voxels without any geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import MemoryLimitError
from mitk_rs.geometry.frame import Frame
from mitk_rs.io import checks, metadata
from mitk_rs.io.atomic import atomic_output
from mitk_rs.io.formats import ALL_TYPES, Format, unreadable
from mitk_rs.io.record import ImageHeader, ImageRecord

__all__ = ["read", "read_header", "write"]


def read_header(path: str, **_: Any) -> ImageHeader:
    """Read shape and type without the voxels."""
    return _header(_load(path, mapped=True), path)


def read(path: str, **_: Any) -> ImageRecord:
    """Read an array of two, three or four axes (``y x``, ``z y x``, ``t z y x``).

    Raises
    ------
    FileError
        The file is damaged, holds Python objects, or has other axes or another type.
    """
    header = _header(_load(path, mapped=True), path)
    array = np.ascontiguousarray(_load(path, mapped=False), dtype=header.dtype)
    return ImageRecord.of(header, array)


def _load(path: str, *, mapped: bool) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except MemoryError as error:
        raise MemoryLimitError(f"cannot read {path}: {error}") from error
    except (OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError) as error:
        raise checks.as_file_error(path, error) from error
    if not isinstance(array, np.ndarray):
        raise unreadable(path, "it holds several arrays, not one")
    return array


def _header(array: NDArray[Any], path: str) -> ImageHeader:
    if array.ndim not in (2, 3, 4):
        raise unreadable(path, f"field shape has {array.ndim} axes, 2 to 4 are possible")
    if min(array.shape) < 1:
        raise unreadable(path, f"field shape is {array.shape}, every axis must have at least one voxel")
    native = np.dtype("u1") if array.dtype == np.bool_ else array.dtype.newbyteorder("=")
    if native.str[1:] not in ALL_TYPES:
        raise unreadable(path, f"field descr is {array.dtype}, no type of voxels")
    return ImageHeader(array.shape, native, metadata.time_geometry({}, Frame(), array.shape), reader="NumPy npy")


def write(record: ImageRecord, path: str, format_: Format, **_: Any) -> None:
    """Write the voxels alone."""
    with atomic_output(path) as temporary, temporary.open("wb") as file:
        np.save(file, record.array, allow_pickle=False)
