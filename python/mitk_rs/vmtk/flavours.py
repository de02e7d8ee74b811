"""The kinds of image that scripts take: VTK's, ours, SimpleITK's, NumPy's. What came in as one goes out as one.

Scripts work on ``vtkImageData`` in VMTK's frame. VTK's images are used as they are; the others share or copy their
voxels once and keep their physical geometry (see :mod:`mitk_rs.vmtk.frames`). An array is ``(z, y, x)`` with spacing
1 and origin 0; ``(array, spacing)`` and ``(array, spacing, origin)`` say more, in ``(x, y, z)`` order and mm.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from mitk_rs.errors import RequestError
from mitk_rs.vmtk.frames import Placement, attach, frame_of, placement, to_vmtk_frame

__all__ = ["as_image", "as_working", "fresh_like", "give_back"]


def as_working(image: Any) -> Any:
    """Any accepted image as ``vtkImageData`` in VMTK's frame.

    Raises
    ------
    RequestError
        Of another type, or more than three-dimensional.
    """
    if _is_vtk(image):
        return image
    return to_vmtk_frame(_to_vtk(_as_ours(image)))


def _is_vtk(image: Any) -> bool:
    return callable(getattr(image, "IsA", None)) and bool(image.IsA("vtkImageData"))


def _is_simpleitk(image: Any) -> bool:
    module = sys.modules.get("SimpleITK")
    return module is not None and isinstance(image, module.Image)


def _as_ours(image: Any) -> Any:
    from mitk_rs.image import Image

    if isinstance(image, Image):
        return image
    if _is_simpleitk(image):
        return _from_simpleitk(image)
    if isinstance(image, np.ndarray):
        return Image(image)
    if isinstance(image, tuple) and len(image) in (2, 3) and isinstance(image[0], np.ndarray):
        return Image(image[0], **dict(zip(("spacing", "origin"), image[1:], strict=False)))
    raise RequestError(
        f"an image of type {type(image).__name__} is not understood; "
        "allowed: vtkImageData, mitk_rs.Image, SimpleITK.Image, NumPy array, (array, spacing[, origin])"
    )


def _from_simpleitk(image: Any) -> Any:
    from mitk_rs.io.convert import image_of
    from mitk_rs.io.simpleitk import sitk_to_record

    return image_of(sitk_to_record(image))


def _to_simpleitk(image: Any) -> Any:
    from mitk_rs.io.convert import record_of
    from mitk_rs.io.simpleitk import record_to_sitk

    return record_to_sitk(record_of(image))


def _to_vtk(image: Any) -> Any:
    from mitk_rs.io.convert import record_of
    from mitk_rs.io.vtk import record_to_image_data

    if image.time_steps > 1:
        raise RequestError(f"the image has {image.time_steps} time steps; scripts take one")
    return record_to_image_data(record_of(image))


def as_image(image: Any, place: Placement | None = None) -> Any:
    """A ``vtkImageData`` as :class:`mitk_rs.Image` that shares its voxels, in memory's frame or at ``place``."""
    from mitk_rs.io.convert import image_of
    from mitk_rs.io.vtk import image_data_to_record

    ours = image_of(image_data_to_record(image))
    if place is not None:
        ours.origin = tuple(place.origin)
        ours.direction = place.direction
    return ours


def fresh_like(image: Any, values: Any) -> Any:
    """A ``vtkImageData`` with the grid and frame of ``image`` and the voxels of our image ``values``."""
    made = _to_vtk(values)
    made.SetExtent(image.GetExtent())
    made.SetOrigin(image.GetOrigin())
    made.SetSpacing(image.GetSpacing())
    made.SetDirectionMatrix(image.GetDirectionMatrix())
    attach(made, frame_of(image))
    return made


def give_back(made: Any, like: Any) -> Any:
    """``made`` (``vtkImageData``) in the flavour of ``like``, with its physical geometry."""
    if _is_vtk(like):
        return made
    ours = as_image(made, placement(made, "physical", itk_format=True))
    if _is_simpleitk(like):
        return _to_simpleitk(ours)
    if isinstance(like, np.ndarray):
        return ours.as_numpy(time_step=0)
    if isinstance(like, tuple):
        return (ours.as_numpy(time_step=0), *like[1:])
    return ours
