"""``SimpleITK.Image``: a copy, since SimpleITK cannot borrow memory."""

from __future__ import annotations

from typing import Any

from mitk_rs.errors import GeometryError
from mitk_rs.image import Image
from mitk_rs.io.formats import lies_in_plane
from mitk_rs.io.images import image_of, record_of
from mitk_rs.io.itk import describe, library, record_to_sitk, sitk_to_record

__all__ = ["from_image", "oriented", "to_image"]


def from_image(image: Image) -> Any:
    """Copy an image to SimpleITK; see :meth:`mitk_rs.Image.to_simpleitk`."""
    with image.read():
        record = record_of(image)
        if record.dimension == 2 and not lies_in_plane(record):
            raise GeometryError("a 2-D SimpleITK image lies in the plane z = 0; this image does not")
        peer = record_to_sitk(record)
    describe(peer, record)
    return peer


def to_image(peer: Any) -> Image:
    """Copy a SimpleITK image with geometry and text entries."""
    return image_of(sitk_to_record(peer))


def oriented(image: Image, code: str) -> Image:
    """Permute and reverse the axes so that they point as near as can be to ``code``; each voxel keeps its place.

    Parameters
    ----------
    image
        A 3-D image.
    code
        Three letters such as ``LPS``: x to the left, y to the back, z to the head.
    """
    sitk = library()
    return to_image(sitk.DICOMOrient(from_image(image), code))
