"""``vtkImageData``: the same voxels in VTK, with the direction matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

from mitk_rs.image import Image
from mitk_rs.interop.frames import step_of
from mitk_rs.io.convert import image_of
from mitk_rs.io.vtk import image_data_to_record, record_to_image_data

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkImageData

__all__ = ["from_image", "to_image"]


def from_image(image: Image, time_step: SupportsIndex = 0) -> vtkImageData:
    """Show a time step as ``vtkImageData``; see :meth:`mitk_rs.Image.to_vtk`."""
    data: vtkImageData = record_to_image_data(step_of(image, time_step, writeable=True))
    return data


def to_image(data: Any) -> Image:
    """Copy a ``vtkImageData`` with its direction matrix; its extent may begin anywhere."""
    record = image_data_to_record(data)
    return image_of(record.with_array(record.array.copy()))
