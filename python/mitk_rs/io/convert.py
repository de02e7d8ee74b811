"""Between :class:`mitk_rs.Image` and the records of the file adapters."""

from __future__ import annotations

from mitk_rs.image import Image
from mitk_rs.io.record import ImageRecord

__all__ = ["image_of", "record_of"]


def image_of(record: ImageRecord) -> Image:
    """Return an image that takes over the voxels of a record nobody else uses."""
    image = Image(record.array, copy=None, components=record.components > 1)
    image.time_geometry = record.time_geometry
    return image


def record_of(image: Image) -> ImageRecord:
    """Describe an image; the record shows its voxels, unprotected, so hold an accessor meanwhile."""
    return ImageRecord(
        shape=image.shape,
        dtype=image.dtype,
        time_geometry=image.time_geometry,
        components=image.components,
        array=image.array,
    )
