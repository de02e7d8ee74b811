"""Whatever NumPy can see as an array: DLPack, ``__array__``, ``__array_interface__``, the buffer protocol."""

from __future__ import annotations

from typing import Any

import numpy as np

from mitk_rs._validation import type_error
from mitk_rs.image import Image
from mitk_rs.interop.frames import image_from

__all__ = ["to_image"]

_PROTOCOLS = ("__array__", "__array_interface__", "__array_struct__", "__buffer__")


def to_image(source: Any) -> Image:
    """Copy the array of an object.

    Raises
    ------
    TypeError
        The object shows no array.
    """
    if isinstance(source, np.ndarray):
        return Image(source)
    if hasattr(source, "__dlpack__"):
        return image_from(np.from_dlpack(source), what=type(source).__name__)
    if any(hasattr(source, name) for name in _PROTOCOLS) or isinstance(source, memoryview | bytearray):
        return image_from(np.asarray(source), what=type(source).__name__)
    raise type_error(
        f"no image can be made of {type(source).__module__}.{type(source).__qualname__}; known are arrays, paths, and "
        "images of VTK, SimpleITK, ITK, nibabel, pyvista, xarray, torch"
    )
