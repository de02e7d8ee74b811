"""Where voxels are: VMTK's frame, the physical one, and the way from one to the other.

VMTK reads files of ITK's formats with x and y of the origin negated and the direction dropped, so in its memory
voxel ``(i, j, k)`` sits at ``(-ox + i sx, -oy + j sy, oz + k sz)``. Files of VTK's formats keep their frame. Scripts
work in that frame, as programs written for VMTK expect. What was dropped is kept beside the voxels (and beside
surfaces made of them) as a *frame*: ``physical = anchor + direction (point - memory)``, in LPS millimetres.

Two geometry modes say what a file gets:

``physical``
    the world positions of the input, whatever the formats;
``vmtk``
    what VMTK would write, so that VMTK reads it back to its own frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs._vtk import vtk

__all__ = ["Frame", "Placement", "attach", "detach", "frame_of", "placement", "to_vmtk_frame"]

_ARRAY = "mitk_rs.frame"
_LPI = np.diag([-1.0, -1.0, 1.0])

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """The way from memory to the world: ``physical = anchor + direction (point - memory)``."""

    memory: Matrix
    anchor: Matrix
    direction: Matrix

    def physical(self, point: Any) -> Matrix:
        """The world position of a point in memory."""
        return np.asarray(self.anchor + self.direction @ (np.asarray(point, dtype=float) - self.memory))

    @property
    def is_identity(self) -> bool:
        """Whether both frames are the same."""
        return bool(np.array_equal(self.direction, np.eye(3)) and np.array_equal(self.memory, self.anchor))


@dataclass(frozen=True)
class Placement:
    """Where a grid's first voxel is and how its axes point."""

    origin: Matrix
    direction: Matrix


def frame_of(dataset: Any) -> Frame | None:
    """The frame kept with a ``vtkDataSet``; ``None`` where memory is the world."""
    array = dataset.GetFieldData().GetArray(_ARRAY)
    if array is None or array.GetNumberOfTuples() != 15:
        return None
    values = np.array([array.GetValue(position) for position in range(15)])
    return Frame(values[:3], values[3:6], values[6:].reshape(3, 3))


def attach(dataset: Any, frame: Frame | None) -> None:
    """Keep a frame with a data set, or take the old one away."""
    dataset.GetFieldData().RemoveArray(_ARRAY)
    if frame is None:
        return
    array = vtk("vtkCommonCore").vtkDoubleArray()
    array.SetName(_ARRAY)
    for value in (*frame.memory, *frame.anchor, *frame.direction.ravel()):
        array.InsertNextValue(float(value))
    dataset.GetFieldData().AddArray(array)


def detach(dataset: Any) -> Any:
    """A shallow copy without the frame, as files should have it."""
    bare = dataset.NewInstance()
    bare.ShallowCopy(dataset)
    bare.GetFieldData().RemoveArray(_ARRAY)
    return bare


def to_vmtk_frame(image: Any) -> Any:
    """Put a ``vtkImageData`` with physical geometry into VMTK's frame, in place, and keep the physical one."""
    origin = np.array(image.GetOrigin())
    memory = origin * (-1.0, -1.0, 1.0)
    frame = Frame(memory, origin, direction_of(image))
    image.SetOrigin(*memory)
    image.SetDirectionMatrix(*np.eye(3).ravel())
    attach(image, frame)
    return image


def direction_of(image: Any) -> Matrix:
    """The direction matrix that VTK keeps with an image."""
    matrix = image.GetDirectionMatrix()
    return np.array([[matrix.GetElement(row, column) for column in range(3)] for row in range(3)])


def first_point(image: Any) -> Matrix:
    """Where the first voxel of the extent is, in memory."""
    start = np.array(image.GetExtent()[::2]) * image.GetSpacing()
    return np.asarray(image.GetOrigin() + direction_of(image) @ start)


def placement(image: Any, geometry: str, *, itk_format: bool) -> Placement:
    """Origin (of the first voxel) and direction that a file has to get.

    Parameters
    ----------
    image
        A ``vtkImageData`` in memory.
    geometry
        ``physical`` or ``vmtk``.
    itk_format
        Whether the file is of a format that VMTK writes through ITK.
    """
    origin, direction = first_point(image), direction_of(image)
    if geometry == "physical":
        frame = frame_of(image)
        if frame is None:
            return Placement(origin, direction)
        return Placement(frame.physical(origin), frame.direction @ direction)
    if not itk_format:
        return Placement(origin, direction)
    return Placement(origin * (-1.0, -1.0, 1.0), _LPI @ direction)


def differ(dataset: Any) -> bool:
    """Whether memory and world are different for this data set."""
    frame = frame_of(dataset)
    return frame is not None and not frame.is_identity
