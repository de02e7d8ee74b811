"""Resample images on another grid, with SimpleITK's interpolators (``itk::ResampleImageFilter``)."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs._core import get_num_threads
from mitk_rs._validation import Triple, finite, flag, one_of, real_number, wrong_type
from mitk_rs._validation import spacing as checked_spacing
from mitk_rs.errors import MemoryLimitError, RequestError, brief
from mitk_rs.geometry import BaseGeometry, SlicedGeometry3D
from mitk_rs.interop import as_image
from mitk_rs.io import checks
from mitk_rs.io.itk import library

if TYPE_CHECKING:
    from mitk_rs.image import Image

_INTERPOLATORS = {
    "linear": "sitkLinear",
    "nearest": "sitkNearestNeighbor",
    "bspline": "sitkBSpline",
    "lanczos": "sitkLanczosWindowedSinc",
}
_LONGEST_AXIS = 1 << 31
# Voxels in the world: how many along x, y and z, and where.
_Size = tuple[int, ...]
_Grid = tuple[_Size, BaseGeometry]


def resampled(
    image: Image,
    spacing: float | Sequence[float] | None,
    *,
    like: Any,
    orthogonal: bool,
    interpolation: str,
    fill: float | None,
) -> Image:
    """Do the work of :meth:`mitk_rs.Image.resample`."""
    one_of(interpolation, "interpolation", tuple(_INTERPOLATORS))
    if image.time_steps == 0:
        raise RequestError("the image is empty: it has no voxels to resample")
    orthogonal = flag(orthogonal, "orthogonal")
    given = [spacing is not None or orthogonal, like is not None]
    if given == [False, False]:
        raise RequestError("resample needs spacing=, like= or orthogonal=True")
    if all(given):
        raise RequestError("like= has a grid of its own: it does not go with spacing= and orthogonal=")
    grid = _covering(image, spacing, orthogonal=orthogonal) if like is None else _grid_of(image, like)
    voxels = _voxels(image, *grid, interpolation, fill)
    array = voxels if image.ndim == 4 else voxels[0, 0] if image.ndim == 2 else voxels[0]
    made = image._like(array, components=image.components > 1, properties=True)
    times = image.time_geometry.clone()
    times.replace_time_step_geometries(grid[1])
    made.time_geometry = times
    return made


def _size(image: Image) -> _Size:
    """Voxels along x, y and z; 1 along z for a picture."""
    return tuple(image.get_dimension(axis) for axis in range(3))


def _grid_of(image: Image, like: Any) -> _Grid:
    other = as_image(like)
    if not hasattr(other, "get_geometry"):
        raise wrong_type("like", "an Image", like)
    if other.time_steps == 0:
        raise RequestError("like is an empty image: it has no grid")
    if min(other.ndim, 3) != min(image.ndim, 3):
        raise RequestError(f"like has {min(other.ndim, 3)} dimensions, the image {min(image.ndim, 3)}")
    return _grid(_size(other), other.get_spacing(), other.get_origin(), other.get_direction())


def _grid(size: Sequence[int], spacing: ArrayLike, origin: ArrayLike, direction: ArrayLike) -> _Grid:
    return tuple(size), SlicedGeometry3D.for_image(size, spacing=spacing, origin=origin, direction=direction)


def _covering(image: Image, spacing: float | Sequence[float] | None, *, orthogonal: bool) -> _Grid:
    """The grid with this spacing that covers the voxels of the image, from the outer side of the first one on."""
    direction, own = image.get_direction(), np.asarray(image.get_spacing())
    matrix = direction * own
    if orthogonal:
        # The axes of the image made orthogonal one after the other: x stays, y stays in its plane with x.
        direction, across = np.linalg.qr(matrix)
        signs = np.sign(np.diag(across))
        direction, own = direction * signs, np.abs(np.diag(across))
    wanted = _spacing(spacing, tuple(own.tolist()), flat=image.ndim == 2)
    first, last = _extent(np.linalg.solve(direction, matrix), _size(image))
    ends = ((last - first) / wanted).tolist()
    # All voxels for other axes, else the nearest number with the centres of all voxels inside.
    counts = [max(1, math.ceil(end - (1e-6 if orthogonal else 0.5 + 1e-6))) for end in ends]
    if max(counts) >= _LONGEST_AXIS:
        raise RequestError(f"spacing {tuple(wanted)} mm would give {max(counts)} voxels along an axis: it is too small")
    origin = np.asarray(image.get_origin()) + direction @ (first + np.asarray(wanted) / 2)
    return _grid(counts, wanted, origin, direction)


def _spacing(value: float | Sequence[float] | None, own: Triple, *, flat: bool) -> Triple:
    if value is None:
        return checked_spacing(own)
    if np.ndim(value) == 0:
        step = real_number(value, "spacing")
        return checked_spacing([step, step, own[2]] if flat else [step] * 3)
    numbers = list(value)  # type: ignore[arg-type]
    return checked_spacing([*numbers, own[2]] if flat and len(numbers) == 2 else numbers)


def _extent(axes: NDArray[np.float64], size: _Size) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last position of the outer sides of all voxels along each new axis, from the first voxel's centre."""
    ends = [(-0.5, count - 0.5) for count in size]
    corners = np.array([[x, y, z] for x in ends[0] for y in ends[1] for z in ends[2]])
    places = corners @ axes.T
    return places.min(axis=0), places.max(axis=0)


def _voxels(image: Image, size: _Size, place: BaseGeometry, interpolation: str, fill: float | None) -> NDArray[Any]:
    """The voxels of all time steps on the grid, ``(t, z, y, x[, c])``."""
    shape = (image.time_steps, *size[::-1], *([image.components] if image.components > 1 else []))
    try:
        if math.prod(shape) * image.dtype.itemsize > sys.maxsize:
            raise MemoryError
        found = np.empty(shape, image.dtype)
    except MemoryError:
        counts = " x ".join(map(str, size))
        raise MemoryLimitError(f"there is not enough memory for {counts} voxels: give a larger spacing") from None
    sitk = library()
    work = sitk.ResampleImageFilter()
    work.SetNumberOfThreads(get_num_threads())
    work.SetSize(size)
    work.SetOutputSpacing(list(place.spacing))
    work.SetOutputOrigin(list(place.origin))
    work.SetOutputDirection(place.direction_cosines)
    work.SetInterpolator(getattr(sitk, _INTERPOLATORS[interpolation]))
    with image.read():
        voxels = image.array
        work.SetDefaultPixelValue(_background(voxels) if fill is None else finite(fill, "fill"))
        for step, frame in enumerate(voxels if image.ndim == 4 else voxels[np.newaxis]):
            found[step] = _resampled_step(image, step, frame, work, interpolation)
    return found


def _background(voxels: NDArray[Any]) -> float:
    """The least finite value."""
    known = voxels[np.isfinite(voxels)] if voxels.dtype.kind == "f" else voxels
    return float(known.min()) if known.size else 0.0


def _resampled_step(image: Image, step: int, frame: NDArray[Any], work: Any, interpolation: str) -> NDArray[Any]:
    sitk, voxels = library(), frame[np.newaxis] if image.ndim == 2 else frame
    # The image and the result as ITK's, and coefficients in double precision.
    result = math.prod(work.GetSize()) * image.components * image.dtype.itemsize
    checks.check_room(2 * voxels.nbytes + result + 8 * voxels.size, "resampling")
    source = sitk.GetImageFromArray(voxels, isVector=image.components > 1)
    source.SetSpacing(image.get_spacing(step))
    source.SetOrigin(image.get_origin(step))
    source.SetDirection(image.get_direction_cosines(step))
    try:
        made = work.Execute(source)
    except RuntimeError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise RequestError(
            f"the image cannot be resampled with interpolation {brief(interpolation)}: {reason}"
        ) from None
    # The view does not keep the image alive.
    found: NDArray[Any] = sitk.GetArrayViewFromImage(made).copy()
    return found
