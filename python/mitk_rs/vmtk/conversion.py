"""The images that scripts take and give back, where their voxels are, and their files.

Scripts work on ``vtkImageData`` in VMTK's frame; :func:`as_working` makes it of any accepted image and
:func:`give_back` returns a result as the kind of image that came in. VTK's images are used as they are; our own,
SimpleITK's and NumPy's share or copy their voxels once and keep their physical geometry. An array is ``(z, y, x)`` with
spacing 1 and origin 0; ``(array, spacing)`` and ``(array, spacing, origin)`` say more, in ``(x, y, z)`` order and mm.

VMTK reads files of ITK's formats with x and y of the origin negated and the direction dropped, so in its memory
voxel ``(i, j, k)`` is at ``(-ox + i sx, -oy + j sy, oz + k sz)``. Files of VTK's formats keep their frame. Scripts
work in that frame, as programs written for VMTK expect. What was dropped is kept beside the voxels (and beside
surfaces made of them) as a *frame*: ``physical = anchor + direction (point - memory)``, in LPS millimetres.

Files of VTK's formats keep their extent and all their arrays; all others are read and written through
:mod:`mitk_rs.io`, with their geometry in full. Two geometry modes say what a file gets:

``physical``
    the world positions of the input, whatever the formats;
``vmtk``
    what VMTK would write, so that VMTK reads it back to its own frame.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs._platform import vtk
from mitk_rs.errors import RequestError

__all__ = ["Frame", "as_image", "as_working", "attach", "frame_of", "fresh_like", "give_back"]

# Frames

_ARRAY = "mitk_rs.frame"
# From LPS to RAS, and from the origins of ITK's files to VMTK's.
RAS = np.array([-1.0, -1.0, 1.0])
Matrix = NDArray[np.float64]
# World position of the first voxel, and the direction matrix.
Placement = tuple[Matrix, Matrix]


@dataclass(frozen=True)
class Frame:
    """The way from memory to the world: ``physical = anchor + direction (point - memory)``."""

    memory: Matrix
    anchor: Matrix
    direction: Matrix

    @property
    def is_identity(self) -> bool:
        """Whether both frames are the same."""
        return bool(np.array_equal(self.direction, np.eye(3)) and np.array_equal(self.memory, self.anchor))

    @property
    def affine(self) -> Matrix:
        """The 4 x 4 matrix from memory to the world."""
        affine = np.eye(4)
        affine[:3, :3] = self.direction
        affine[:3, 3] = self.anchor - self.direction @ self.memory
        return affine


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
    values = np.concatenate((frame.memory, frame.anchor, frame.direction.ravel()))
    dataset.GetFieldData().AddArray(vtk_array(values.astype(np.float64), _ARRAY))


def twin(dataset: Any) -> Any:
    """A shallow copy."""
    made = dataset.NewInstance()
    made.ShallowCopy(dataset)
    return made


def filtered(data: Any, module: str, name: str, **settings: tuple[Any, ...]) -> Any:
    """What one of VTK's filters makes; ``SetValue=(0, 1.5)`` calls that method of it."""
    made = getattr(vtk(module), name)()
    made.SetInputData(data)
    for method, arguments in settings.items():
        getattr(made, method)(*arguments)
    made.Update()
    return made.GetOutput()


def vtk_array(values: NDArray[Any], name: str) -> Any:
    """A copy of numbers as an array of VTK's."""
    array = vtk("util.numpy_support").numpy_to_vtk(values, deep=True)
    array.SetName(name)
    return array


def detach(dataset: Any) -> Any:
    """A shallow copy without the frame, as files should have it."""
    bare = twin(dataset)
    attach(bare, None)
    return bare


def direction_of(image: Any) -> Matrix:
    """The direction matrix that VTK keeps with an image."""
    return np.array(image.GetDirectionMatrix().GetData()).reshape(3, 3)


def patient_axes(dataset: Any) -> Matrix:
    """Patient directions (LPS) of the axes of memory, as the columns of a matrix."""
    frame = frame_of(dataset)
    return np.eye(3) if frame is None else frame.direction


def placement(image: Any, *, physical: bool, itk_format: bool = True) -> Placement:
    """Origin (of the first voxel of the extent) and direction that a file has to get, of a format of ITK's or VTK's."""
    direction = direction_of(image)
    origin = image.GetOrigin() + direction @ (np.array(image.GetExtent()[::2]) * image.GetSpacing())
    frame = frame_of(image)
    if physical and frame is not None:
        return frame.anchor + frame.direction @ (origin - frame.memory), frame.direction @ direction
    if physical or not itk_format:
        return origin, direction
    return origin * RAS, np.diag(RAS) @ direction


# Kinds of image


def as_working(image: Any) -> Any:
    """Any accepted image of up to three dimensions as ``vtkImageData`` in VMTK's frame."""
    if _is_vtk(image):
        return image
    made = _to_vtk(_as_ours(image))
    origin = np.array(made.GetOrigin())
    frame = Frame(origin * RAS, origin, direction_of(made))
    made.SetOrigin(*frame.memory)
    made.SetDirectionMatrix(*np.eye(3).ravel())
    attach(made, frame)
    return made


def _is_vtk(image: Any) -> bool:
    return callable(getattr(image, "IsA", None)) and bool(image.IsA("vtkImageData"))


def _as_ours(image: Any) -> Any:
    from mitk_rs.image import Image
    from mitk_rs.interop import from_any

    if isinstance(image, Image):
        return image
    if isinstance(image, tuple) and len(image) in (2, 3) and isinstance(image[0], np.ndarray):
        return Image(image[0], **dict(zip(("spacing", "origin"), image[1:], strict=False)))
    try:
        # A file is read by a reader script, which knows its frame.
        return from_any(object() if isinstance(image, str | bytes | os.PathLike) else image)
    except TypeError:
        raise RequestError(
            f"an image of type {type(image).__name__} is not understood; allowed: vtkImageData, mitk_rs.Image, "
            "SimpleITK.Image, NumPy array, (array, spacing[, origin]), and what mitk_rs.Image.from_any takes"
        ) from None


def _to_vtk(image: Any) -> Any:
    if image.time_steps > 1:
        raise RequestError(f"the image has {image.time_steps} time steps; scripts take one")
    return image.to_vtk()


def as_image(image: Any, place: Placement | None = None) -> Any:
    """A ``vtkImageData`` as :class:`mitk_rs.Image` that shares its voxels, in memory's frame or at ``place``."""
    from mitk_rs.io import image_of
    from mitk_rs.io.vtk import image_data_to_record

    ours = image_of(image_data_to_record(image))
    if place is not None:
        ours.origin, ours.direction = tuple(place[0]), place[1]
    return ours


def voxels_of(image: Any) -> NDArray[Any]:
    """The voxels of any accepted image, ``(z, y, x)``."""
    values: NDArray[Any] = as_image(as_working(image)).as_numpy(time_step=0)
    return values


def fresh_like(image: Any, values: Any) -> Any:
    """A ``vtkImageData`` with the grid and frame of ``image`` and the voxels of ``values``, our image or an array."""
    made = _to_vtk(_as_ours(values))
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
    ours = as_image(made, placement(made, physical=True))
    sitk = sys.modules.get("SimpleITK")
    if sitk is not None and isinstance(like, sitk.Image):
        return ours.to_simpleitk()
    if isinstance(like, np.ndarray):
        return ours.as_numpy(time_step=0)
    return (ours.as_numpy(time_step=0), *like[1:]) if isinstance(like, tuple) else ours


def arrays_of(data: Any) -> list[tuple[str | None, Any]]:
    """Names and arrays of points or cells."""
    return [(data.GetArrayName(position), data.GetArray(position)) for position in range(data.GetNumberOfArrays())]


def select_array(image: Any, name: str) -> Any:
    """The image with the point array ``name`` active; the image itself for an empty name."""
    data = image.GetPointData()
    names = [array_name or "ImageScalars" for array_name, _ in arrays_of(data)]
    if not name or (len(names) == 1 and name == "ImageScalars" and name not in names):
        return image
    if name not in names:
        raise RequestError(f"-array {name}: no such array; the image has {', '.join(names) or 'none'}")
    if names.index(name) == 0 and data.GetArrayName(0) is None:
        return image
    copy = twin(image)
    copy.GetPointData().SetActiveScalars(name)
    return copy


# Points as voxel indices, with the checks that VMTK does not make

Index = tuple[int, int, int]


def triples(flat: Sequence[int]) -> list[Index]:
    """``[1, 2, 3, 4, 5, 6]`` as ``[(1, 2, 3), (4, 5, 6)]``."""
    return [(int(i), int(j), int(k)) for i, j, k in zip(flat[::3], flat[1::3], flat[2::3], strict=True)]


def inside(image: Any, flat: Sequence[int]) -> list[Index]:
    """Indices counted from the first voxel, from ones counted as in the image's extent."""
    first, last = image.GetExtent()[::2], image.GetExtent()[1::2]
    for point in triples(flat):
        if any(not low <= value <= high for value, low, high in zip(point, first, last, strict=True)):
            ranges = ", ".join(f"{axis} {low}..{high}" for axis, low, high in zip("ijk", first, last, strict=True))
            raise RequestError(f"point ({point[0]},{point[1]},{point[2]}) is outside of the image; allowed: {ranges}")
    return [(i - first[0], j - first[1], k - first[2]) for i, j, k in triples(flat)]


def indices_of(image: Any, points: Any, role: str) -> list[int]:
    """Extent indices, flat, of indices, files of points, :class:`~mitk_rs.seeds.Seeds`, or a list of these."""
    from mitk_rs.seeds import Seeds, read_seeds

    given = [points] if isinstance(points, str | os.PathLike | Seeds) else list(points)
    flat: list[int] = []
    for point in given:
        if not isinstance(point, str | os.PathLike | Seeds):
            flat.append(point)
            continue
        seeds = point if isinstance(point, Seeds) else read_seeds(point)
        first = image.GetExtent()[::2]
        for voxel in seeds.indices(as_image(image, placement(image, physical=True)), role=role):
            flat += [int(index + start) for index, start in zip(voxel, first, strict=True)]
    return flat


def to_indices(image: Any, flat: Sequence[float]) -> list[int]:
    """Extent indices, flat, of physical points x y z (LPS, mm)."""
    frame = frame_of(image)
    world = np.asarray(flat, dtype=float).reshape(-1, 3)
    if frame is not None:
        world = frame.memory + np.linalg.solve(frame.direction, (world - frame.anchor).T).T
    local = np.linalg.solve(direction_of(image), (world - image.GetOrigin()).T).T / image.GetSpacing()
    return [int(value) for value in np.rint(local).ravel()]
