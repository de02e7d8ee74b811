"""Between :class:`mitk_rs.Image` and the records of the file adapters."""

from __future__ import annotations

import logging
from functools import partial

from mitk_rs.errors import RequestError
from mitk_rs.image import Image
from mitk_rs.io.record import ImageRecord
from mitk_rs.properties import BaseProperty, property_from_dict

__all__ = ["image_of", "record_of"]

_log = logging.getLogger(__name__)


def image_of(record: ImageRecord, *, shared: bool = False) -> Image:
    """Return an image that takes over the voxels of a record: nobody else writes them, unless they are ``shared``."""
    take = partial(Image, copy=None) if shared else Image._taking_over
    image = take(record.array, components=record.components > 1)
    image.time_geometry = record.time_geometry
    for name, content in record.properties.items():
        try:
            image.set_property(name, property_from_dict(content))
        except (RequestError, TypeError, ValueError) as error:
            _log.error("property %s of the file ignored: %s", name, error)
    image._uid = record.uid
    return image


def record_of(image: Image) -> ImageRecord:
    """Describe an image; the record shows its voxels, unprotected, so hold an accessor meanwhile."""
    stored: dict[str, BaseProperty] = {name: image.get_property(name, raw=True) for name in image.property_keys}
    return ImageRecord(
        shape=image.shape,
        dtype=image.dtype,
        time_geometry=image.time_geometry,
        components=image.components,
        properties={name: one.to_dict() for name, one in stored.items() if one is not None},
        uid=image._uid,
        array=image.array,
    )
