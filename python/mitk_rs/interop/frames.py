"""What the conversions share: images as records, one time step of them, and matrices in LPS and RAS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from mitk_rs._validation import RAS_FROM_LPS, existing_step, type_error
from mitk_rs.errors import GeometryError
from mitk_rs.geometry import Frame
from mitk_rs.image import Image
from mitk_rs.io import metadata
from mitk_rs.io.formats import ALL_TYPES
from mitk_rs.io.record import ImageHeader, ImageRecord
from mitk_rs.time_geometry import ProportionalTimeGeometry

__all__ = ["RAS_FROM_LPS", "image_from", "step_of"]


def step_of(image: Image, time_step: SupportsIndex, *, writeable: bool) -> ImageRecord:
    """Return one time step as a record that shares the image's voxels and keeps them alive.

    Raises
    ------
    TimeStepError
        The time step does not exist.
    """
    step = existing_step(time_step, image.time_steps)
    array = image.as_numpy(writeable=writeable, time_step=step)
    times = ProportionalTimeGeometry.from_geometry(image.time_geometry.geometries[step])
    return ImageRecord(array.shape, array.dtype, times, image.components, array=array)


def image_from(
    array: NDArray[Any],
    affine: NDArray[np.float64] | None = None,
    *,
    components: bool = False,
    what: str = "array",
) -> Image:
    """Make an image with voxels of its own.

    Parameters
    ----------
    array
        ``([t, ][z, ]y, x[, c])`` in any memory order.
    affine
        4x4 matrix from index (x, y, z) to LPS millimetres.
    components
        Whether the last axis counts components.
    what
        What messages call the source.

    Raises
    ------
    TypeError
        Voxels of a type that images do not have.
    GeometryError
        The matrix has no inverse, or numbers that are not finite.
    """
    if array.dtype.newbyteorder("=").str[1:] not in {*ALL_TYPES, "b1"}:
        raise type_error(f"the {what} has voxels of type {array.dtype}; cast them to a type that images have")
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if affine is None:
        return Image(native, components=components)
    spacing, origin, direction = split_affine(affine, what)
    return Image(native, spacing, origin, direction, components=components)


def split_affine(
    affine: NDArray[np.float64], what: str
) -> tuple[Sequence[float], Sequence[float], NDArray[np.float64]]:
    """Return spacing, origin and direction of a 4x4 matrix."""
    matrix = np.asarray(affine, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise GeometryError(f"the {what} has no finite 4x4 affine: {matrix.tolist()}")
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    if not (spacing > 0).all():
        raise GeometryError(f"the {what} has an axis of length 0 in its affine: {matrix.tolist()}")
    return spacing.tolist(), matrix[:3, 3].tolist(), matrix[:3, :3] / spacing


def record_from(array: NDArray[Any], frame: Frame, components: int = 1) -> ImageRecord:
    """Describe an array that lies at ``frame``."""
    lengths = array.shape[: array.ndim - (components > 1)]
    return ImageRecord.of(
        ImageHeader(array.shape, array.dtype, metadata.time_geometry({}, frame, lengths), components), array
    )
