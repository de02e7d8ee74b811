"""``itk.Image`` and ``itk.VectorImage``: copies, in the types that ITK's Python package wraps."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from mitk_rs._validation import type_error
from mitk_rs.errors import GeometryError, RequestError
from mitk_rs.image import Image
from mitk_rs.interop.frames import record_from
from mitk_rs.io import checks
from mitk_rs.io.formats import lies_in_plane
from mitk_rs.io.images import image_of, record_of
from mitk_rs.io.record import ImageRecord

__all__ = ["from_image", "to_image"]

# What the packages of ITK 5.4 wrap. Asking ITK itself makes it load all of its modules, which takes minutes.
_VECTORS = ("uint8", "uint16", "int16", "float32", "float64")
_SCALARS = (*_VECTORS, "uint32", "int32", "uint64")


def from_image(image: Image) -> Any:
    """Copy an image to ITK; see :meth:`mitk_rs.Image.to_itk`."""
    import itk

    with image.read():
        record = record_of(image)
        _check_wrapped(record)
        if record.dimension == 2 and not lies_in_plane(record):
            raise GeometryError("a 2-D ITK image lies in the plane z = 0; this image does not")
        checks.check_room(record.byte_count, "a copy of the voxels")
        peer = itk.image_from_array(record.array, is_vector=record.components > 1)
    dimension, axes = record.dimension, min(record.dimension, 3)
    direction = np.eye(dimension)
    direction[:axes, :axes] = record.frame.direction[:axes, :axes]
    peer.SetSpacing([*record.frame.spacing[:axes], 1.0][:dimension])
    peer.SetOrigin([*record.frame.origin[:axes], 0.0][:dimension])
    peer.SetDirection(itk.matrix_from_array(direction))
    return peer


def _check_wrapped(record: ImageRecord) -> None:
    known = _VECTORS if record.components > 1 else _SCALARS
    if record.dtype.name not in known:
        kind = "vectors" if record.components > 1 else "scalars"
        raise RequestError(f"ITK's Python package has no {kind} of {record.dtype.name}, only of {', '.join(known)}")


def to_image(peer: Any) -> Image:
    """Copy an ITK image of two to four dimensions."""
    itk: Any = sys.modules["itk"]
    dimension = peer.GetImageDimension()
    if not 2 <= dimension <= 4:
        raise type_error(f"an image has 2 to 4 dimensions, the ITK image has {dimension}")
    array, axes = itk.array_from_image(peer), min(dimension, 3)
    spacing, origin, direction = np.ones(3), np.zeros(3), np.eye(3)
    spacing[:axes] = list(peer.GetSpacing())[:axes]
    start = np.zeros(3)
    start[:axes] = list(peer.GetLargestPossibleRegion().GetIndex())[:axes]
    origin[:axes] = list(peer.GetOrigin())[:axes]
    direction[:axes, :axes] = itk.array_from_matrix(peer.GetDirection())[:axes, :axes]
    frame = checks.frame("ITK image", spacing, origin + direction @ (spacing * start), direction)
    return image_of(record_from(array, frame, peer.GetNumberOfComponentsPerPixel()))
