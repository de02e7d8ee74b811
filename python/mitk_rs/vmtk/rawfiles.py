"""Files that say nothing of themselves: raw voxels, and series of pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mitk_rs._vtk import vtk
from mitk_rs.errors import FileError, FileMissingError, RequestError

__all__ = ["SCALAR_TYPES", "read_raw", "read_series"]

SCALAR_TYPES = {"float": "f4", "double": "f8", "int": "i4", "short": "i2", "ushort": "u2", "uchar": "u1"}
_PATTERN = re.compile(r"[^%]*(%s)?[^%]*%0?\d{0,2}d[^%]*")


def read_raw(
    name: str,
    *,
    extent: Sequence[int],
    spacing: Sequence[float],
    origin: Sequence[float],
    scalar_type: str,
    big_endian: bool,
    header_size: int,
) -> Any:
    """Read voxels, x fastest, as ``vtkImageData``.

    Raises
    ------
    FileMissingError, FileError
        The file is missing or has another size than the extent needs.
    RequestError
        There is no extent.
    """
    lengths = _lengths(extent)
    kind = np.dtype(SCALAR_TYPES[scalar_type]).newbyteorder(">" if big_endian else "<")
    path = Path(name)
    if not path.is_file():
        raise FileMissingError(f"no such file: {name}")
    needed, present = math.prod(lengths) * kind.itemsize, path.stat().st_size - header_size
    if present < needed:
        text = f"{lengths[0]} x {lengths[1]} x {lengths[2]} {scalar_type}"
        raise FileError(f"cannot read {name}: {text} need {needed} bytes, the file has {max(present, 0)}")
    voxels = np.fromfile(path, kind, math.prod(lengths), offset=header_size)
    native = voxels.astype(kind.newbyteorder("="), copy=False)
    return _image(native.reshape(lengths[::-1]), extent, spacing, origin)


def read_series(
    prefix: str, pattern: str, extent: Sequence[int], spacing: Sequence[float], origin: Sequence[float]
) -> Any:
    """Read pictures with numbered names as the slices of one image.

    Raises
    ------
    RequestError
        There is no extent, or the pattern is not one of a number and perhaps ``%s``.
    FileMissingError, FileError
        A picture is missing or of another size.
    """
    from mitk_rs.io import read_record

    _lengths(extent)
    if not _PATTERN.fullmatch(pattern):
        raise RequestError(f"-pattern {pattern}: it needs one number such as %04d, and may have %s for the prefix")
    slices = []
    for number in range(extent[4], extent[5] + 1):
        values = (prefix, number) if "%s" in pattern else (number,)
        slices.append(read_record(pattern % values).array)
    if len({array.shape for array in slices}) > 1:
        raise FileError(f"the pictures {prefix}... have different sizes")
    stack = np.stack(slices)
    full = [0, stack.shape[2] - 1, 0, stack.shape[1] - 1, extent[4], extent[5]]
    return _image(stack, full, spacing, origin)


def _lengths(extent: Sequence[int]) -> list[int]:
    lengths = [last - first + 1 for first, last in zip(extent[::2], extent[1::2], strict=True)]
    if min(extent) < 0 or min(lengths) < 1:
        raise RequestError("-extent i0 i1 j0 j1 k0 k1 is needed: this format does not say its size")
    return lengths


def _image(voxels: Any, extent: Sequence[int], spacing: Sequence[float], origin: Sequence[float]) -> Any:
    image = vtk("vtkCommonDataModel").vtkImageData()
    image.SetExtent(*extent)
    image.SetSpacing(*spacing)
    image.SetOrigin(*origin)
    components = voxels.shape[3] if voxels.ndim == 4 else 1
    scalars = vtk("util.numpy_support").numpy_to_vtk(np.ascontiguousarray(voxels).reshape(-1, components), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image
