"""pyvista's ``ImageData``, which is a ``vtkImageData``."""

from __future__ import annotations

from typing import Any, SupportsIndex

from mitk_rs.image import Image
from mitk_rs.interop import vtk

__all__ = ["from_image"]


def from_image(image: Image, time_step: SupportsIndex = 0) -> Any:
    """Show a time step as ``pyvista.ImageData``; see :meth:`mitk_rs.Image.to_pyvista`."""
    import pyvista

    return pyvista.ImageData(vtk.from_image(image, time_step))
