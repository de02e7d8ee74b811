"""Between :class:`mitk_rs.Image` and the records of the file adapters."""

from __future__ import annotations

import logging

from mitk_rs.errors import RequestError
from mitk_rs.image import Image
from mitk_rs.io.record import ImageRecord
from mitk_rs.properties import BaseProperty, property_from_dict

__all__ = ["image_of", "record_of"]

_log = logging.getLogger(__name__)

# MITK's identifier of an object has no place of its own in Python; it travels as a property.
_UID = "org.mitk.uid"


def image_of(record: ImageRecord) -> Image:
    """Return an image that takes over the voxels of a record nobody else uses."""
    image = Image(record.array, copy=None, components=record.components > 1)
    image.time_geometry = record.time_geometry
    for name, content in record.properties.items():
        try:
            image.set_property(name, property_from_dict(content))
        except (RequestError, TypeError, ValueError) as error:
            _log.error("property %s of the file ignored: %s", name, error)
    if record.uid:
        image.set_property(_UID, record.uid)
    return image


def record_of(image: Image) -> ImageRecord:
    """Describe an image; the record shows its voxels, unprotected, so hold an accessor meanwhile."""
    stored: dict[str, BaseProperty] = {name: image.get_property(name, raw=True) for name in image.property_keys}
    uid = image.get_property(_UID)
    return ImageRecord(
        shape=image.shape,
        dtype=image.dtype,
        time_geometry=image.time_geometry,
        components=image.components,
        properties={name: one.to_dict() for name, one in stored.items() if one is not None},
        uid=None if uid is None else str(uid),
        array=image.array,
    )
