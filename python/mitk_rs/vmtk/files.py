"""Image files as scripts see them: ``vtkImageData`` in VMTK's frame.

Files of VTK's formats keep their extent and all their arrays; all others are read and written through
:mod:`mitk_rs.io`, with their geometry in full.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mitk_rs.io.atomic import atomic_output, atomic_outputs, full_suffix
from mitk_rs.vmtk.flavours import as_image, as_working
from mitk_rs.vmtk.frames import Placement, detach, frame_of, placement

__all__ = ["is_vtk_format", "read_image", "resolved_geometry", "write_image"]

_VTK_SUFFIXES = (".vti", ".vtkxml", ".vtk")


def is_vtk_format(name: str) -> bool:
    """Whether a file name is one of VTK's own image formats."""
    return full_suffix(name).lower() in _VTK_SUFFIXES


def read_image(name: str) -> Any:
    """Read a file (or a folder with a DICOM series) as ``vtkImageData``.

    Raises
    ------
    FileMissingError, FileError
        It is missing, damaged, or in no known format.
    """
    if is_vtk_format(name):
        from mitk_rs.io import checks
        from mitk_rs.io.vtk import read_image_data

        return read_image_data(checks.check_path(name))
    from mitk_rs.io import read_image as read

    return as_working(read(name))


def resolved_geometry(geometry: str, *, itk_format: bool) -> str:
    """The mode of a file: what was asked for, or the default of its format."""
    return geometry or ("physical" if itk_format else "vmtk")


def write_image(image: Any, name: str, geometry: str, suffix: str = "") -> None:
    """Write a ``vtkImageData``.

    Parameters
    ----------
    image
        In VMTK's frame.
    name
        The file.
    geometry
        ``physical``, ``vmtk`` or empty for the default of the format.
    suffix
        Write in the format of this ending whatever the name ends with.

    Raises
    ------
    FileWriteError
        It cannot be written, or its format cannot hold the image.
    """
    itk_format = not is_vtk_format(f"image{suffix}" if suffix else name)
    place = placement(image, resolved_geometry(geometry, itk_format=itk_format), itk_format=itk_format)
    if suffix and full_suffix(name).lower() != suffix:
        with atomic_output(name) as temporary:
            other = temporary.with_name(temporary.name + suffix)
            with atomic_outputs(apart=True):
                _write(image, str(other), place, itk_format=itk_format)
            other.replace(temporary)
    else:
        _write(image, name, place, itk_format=itk_format)


def _write(image: Any, name: str, place: Placement, *, itk_format: bool) -> None:
    if itk_format:
        from mitk_rs.io import write_image as write

        write(as_image(image, place), name)
        return
    from mitk_rs.io.vtk import write_image_data

    write_image_data(_placed(image, place), name)


def _placed(image: Any, place: Placement) -> Any:
    """A shallow copy without its frame, whose first voxel is at ``place``; the extent stays."""
    copy = detach(image)
    start = np.array(image.GetExtent()[::2]) * image.GetSpacing()
    copy.SetOrigin(*(place.origin - place.direction @ start))
    copy.SetDirectionMatrix(*place.direction.ravel())
    return copy


def geometry_note(image: Any, name: str, geometry: str) -> str:
    """What to tell when the chosen mode is a default and the other one would give another file; else empty."""
    if geometry:
        return ""
    if is_vtk_format(name):
        frame = frame_of(image)
        if frame is None or frame.is_identity:
            return ""
        return f"{name} is in VMTK's frame; -geometry physical writes the world positions of the input"
    if frame_of(image) is not None or not np.any(image.GetOrigin()[:2]):
        return ""
    return f"{name} keeps the positions of the input; -geometry vmtk writes what VMTK reads back to its own frame"
