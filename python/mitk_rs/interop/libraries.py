"""Images to and from each library: ``to_x(image)`` does the work of ``Image.to_x``, ``from_x(source)`` that of
``Image.from_x``.

VTK, pyvista, nibabel, xarray and torch show the voxels of the image; SimpleITK and ITK cannot borrow memory and get a
copy. A library is imported when an image goes to it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from mitk_rs._platform import vtk
from mitk_rs._validation import RAS_FROM_LPS, existing_step, flag, type_error
from mitk_rs.errors import GeometryError, RequestError
from mitk_rs.image import Image
from mitk_rs.io import checks, image_of, record_of
from mitk_rs.io.formats import ALL_TYPES, ImageRecord, header, lies_in_plane
from mitk_rs.io.itk import describe, library, record_to_sitk, sitk_to_record
from mitk_rs.io.vtk import image_data_to_record, point_scalars, record_to_image_data
from mitk_rs.time_geometry import ArbitraryTimeGeometry, ProportionalTimeGeometry

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkImageData

_PROTOCOLS = ("__array__", "__array_interface__", "__array_struct__", "__buffer__")


# --- arrays: DLPack, __array__, __array_interface__, the buffer protocol; torch through DLPack -----------------------


def from_arrays(source: Any) -> Image:
    """Copy whatever NumPy can see as an array."""
    if isinstance(source, np.ndarray):
        return Image(source)
    if hasattr(source, "__dlpack__"):
        return _image_from(np.from_dlpack(source), what=type(source).__name__)
    if any(hasattr(source, name) for name in _PROTOCOLS) or isinstance(source, memoryview | bytearray):
        return _image_from(np.asarray(source), what=type(source).__name__)
    raise type_error(
        f"no image can be made of {type(source).__module__}.{type(source).__qualname__}; known are arrays, paths, and "
        "images of VTK, SimpleITK, ITK, nibabel, pyvista, xarray, torch"
    )


def _image_from(
    array: NDArray[Any], affine: NDArray[np.float64] | None = None, *, components: bool = False, what: str
) -> Image:
    """Make an image with voxels of its own of an array in any memory order; ``affine`` leads to LPS millimetres."""
    if array.dtype.newbyteorder("=").str[1:] not in {*ALL_TYPES, "b1"}:
        raise type_error(f"the {what} has voxels of type {array.dtype}; cast them to a type that images have")
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if affine is None:
        return Image(native, components=components)
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise GeometryError(f"the {what} has no finite 4x4 affine: {affine.tolist()}")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not (spacing > 0).all():
        raise GeometryError(f"the {what} has an axis of length 0 in its affine: {affine.tolist()}")
    return Image(native, spacing.tolist(), affine[:3, 3].tolist(), affine[:3, :3] / spacing, components=components)


def to_torch(image: Image) -> Any:
    import torch

    return torch.from_dlpack(image.as_numpy(writeable=True))


def from_torch(tensor: Any) -> Image:
    """Copy a tensor, detached from its gradient and brought to the CPU."""
    return from_arrays(tensor.detach().cpu())


# --- SimpleITK and ITK ------------------------------------------------------------------------------------------------


def to_simpleitk(image: Image) -> Any:
    with image.read():
        record = record_of(image)
        _check_plane(record, "SimpleITK")
        peer = record_to_sitk(record)
    describe(peer, record)
    return peer


def _check_plane(record: ImageRecord, name: str) -> None:
    if record.dimension == 2 and not lies_in_plane(record):
        raise GeometryError(f"a 2-D {name} image lies in the plane z = 0; this image does not")


def from_simpleitk(peer: Any) -> Image:
    return image_of(sitk_to_record(peer))


def oriented(image: Image, code: str) -> Image:
    """Permute and reverse the axes of a 3-D image so that they point as near as can be to ``code``, such as ``LPS`` for
    x to the left, y to the back, z to the head; each voxel keeps its place.
    """
    return from_simpleitk(library().DICOMOrient(to_simpleitk(image), code))


# What the packages of ITK 5.4 wrap. Asking ITK itself makes it load all of its modules, which takes minutes.
_VECTORS = ("uint8", "uint16", "int16", "float32", "float64")
_SCALARS = (*_VECTORS, "uint32", "int32", "uint64")


def to_itk(image: Image) -> Any:
    import itk

    with image.read():
        record = record_of(image)
        many = record.components > 1
        kind, known = ("vectors", _VECTORS) if many else ("scalars", _SCALARS)
        if record.dtype.name not in known:
            raise RequestError(f"ITK's Python package has no {kind} of {record.dtype.name}, only of {', '.join(known)}")
        _check_plane(record, "ITK")
        checks.check_room(record.byte_count, "a copy of the voxels")
        peer = itk.image_from_array(record.array, is_vector=many)
    dimension, axes = record.dimension, min(record.dimension, 3)
    direction = np.eye(dimension)
    direction[:axes, :axes] = record.frame.direction[:axes, :axes]
    peer.SetSpacing([*record.frame.spacing[:axes], 1.0][:dimension])
    peer.SetOrigin([*record.frame.origin[:axes], 0.0][:dimension])
    peer.SetDirection(itk.matrix_from_array(direction))
    return peer


def from_itk(peer: Any) -> Image:
    """Copy an ITK image of two to four dimensions, whose region may begin anywhere."""
    itk: Any = sys.modules["itk"]
    dimension = peer.GetImageDimension()
    if not 2 <= dimension <= 4:
        raise type_error(f"an image has 2 to 4 dimensions, the ITK image has {dimension}")
    array, axes = itk.array_from_image(peer), min(dimension, 3)
    spacing, start, origin, direction = np.ones(3), np.zeros(3), np.zeros(3), np.eye(3)
    spacing[:axes] = list(peer.GetSpacing())[:axes]
    start[:axes] = list(peer.GetLargestPossibleRegion().GetIndex())[:axes]
    origin[:axes] = list(peer.GetOrigin())[:axes]
    direction[:axes, :axes] = itk.array_from_matrix(peer.GetDirection())[:axes, :axes]
    frame = checks.frame("ITK image", spacing, origin + direction @ (spacing * start), direction)
    components = peer.GetNumberOfComponentsPerPixel()
    lengths = array.shape[: array.ndim - (components > 1)]
    return image_of(ImageRecord.of(header("ITK image", lengths, array.dtype, frame, components=components), array))


# --- nibabel: axes (x, y, z, t) and millimetres in RAS, where images here have (t, z, y, x) and LPS ------------------


def to_nibabel(image: Image) -> Any:
    import nibabel

    voxels, many = image.array, image.components > 1
    spatial = voxels.ndim - many
    turned = voxels.transpose(*reversed(range(spatial)), *range(spatial, voxels.ndim))
    if many:
        turned = turned.reshape(*turned.shape[:spatial], *[1] * (4 - spatial), image.components)
    peer = nibabel.Nifti1Image(turned, image.affine("RAS"), dtype=image.dtype)
    peer.header.set_xyzt_units("mm", "msec")
    if many:
        peer.header.set_intent("vector")
    if image.ndim == 4:
        first, last = image.time_geometry.get_time_bounds()
        peer.header["pixdim"][4] = (last - first) / image.time_steps
    return peer


def from_nibabel(peer: Any) -> Image:
    """Copy a nibabel image; a fifth axis counts components. Time steps last 1 ms, as in files read by MITK."""
    voxels = np.asanyarray(peer.dataobj)
    if not 2 <= voxels.ndim <= 5:
        raise type_error(f"an image has 2 to 4 dimensions, the nibabel image has {voxels.ndim}")
    many = voxels.ndim == 5
    spatial = voxels.ndim - many
    turned = voxels.transpose(*reversed(range(spatial)), *range(spatial, voxels.ndim))
    while many and turned.ndim > 3 and turned.shape[0] == 1:  # NIfTI fills up to the fifth axis; ITK drops them, too
        turned = turned[0]
    affine = RAS_FROM_LPS @ np.asarray(peer.affine, np.float64)
    return _image_from(turned, affine, components=many, what="nibabel image")


# --- VTK and pyvista: the same voxels on both sides -------------------------------------------------------------------

# Where VTK's ``numpy_to_vtk`` keeps the array whose memory a ``vtkBuffer`` borrows, and so do we.
_LENT = "_numpy_reference"


def to_vtk(image: Image, time_step: SupportsIndex = 0) -> vtkImageData:
    step = existing_step(time_step, image.time_steps)
    array = image.as_numpy(writeable=True, time_step=step)
    times = ProportionalTimeGeometry.from_geometry(image.time_geometry.geometries[step])
    record = ImageRecord(array.shape, array.dtype, times, image.components, array=array)
    data: vtkImageData = record_to_image_data(record)
    return data


def to_pyvista(image: Image, time_step: SupportsIndex = 0) -> Any:
    import pyvista

    return pyvista.ImageData(to_vtk(image, time_step))


def from_vtk(data: Any, *, copy: bool | None = None) -> Image:
    copy = None if copy is None else flag(copy, "copy")
    record = image_data_to_record(data)
    shared = None if copy else _shared(point_scalars(data))
    if shared is not None:
        return image_of(record.with_array(shared.reshape(record.shape)), shared=True)
    if copy is False:
        raise RequestError("copy=False, but VTK keeps these voxels in a way that cannot be shared: use copy=None")
    return image_of(record.with_array(record.array.copy()))


class _Pin:
    """Memory that an array of NumPy shows, and the VTK array it is in, so that no filter overwrites that."""

    def __init__(self, shown: NDArray[Any], scalars: Any) -> None:
        self.__array_interface__ = shown.__array_interface__
        self._held = (shown, scalars)


def _shared(scalars: Any) -> NDArray[Any] | None:
    """The numbers as a flat array that keeps their memory alive, whatever VTK does; ``None`` where VTK hides it.

    A ``vtkDataArray`` gives its memory up when it is resized, although arrays of NumPy show it. So it gets another
    ``vtkBuffer``, which borrows the same memory and does not free it; the first one belongs to the arrays that show it.
    """
    # VTK before 9.7 hides its buffers; bits, computed values and separate components do not have one buffer.
    if not (hasattr(scalars, "GetBuffer") and hasattr(scalars, "SetBuffer")):
        return None
    dtype = np.dtype(vtk("util.numpy_support").get_numpy_array_type(scalars.GetDataType()))
    shown = np.frombuffer(scalars.GetBuffer(), dtype, scalars.GetNumberOfValues())
    lent = getattr(scalars.GetBuffer(), _LENT, None)
    if lent is None or lent.ctypes.data != shown.ctypes.data:
        borrower = scalars.GetBuffer().NewInstance()
        borrower.SetBuffer(scalars.GetBuffer(), shown.size)
        borrower.SetFreeFunction(True)  # noqa: FBT003 - it means: there is none
        setattr(borrower, _LENT, shown)
        scalars.SetBuffer(borrower)
    return np.asarray(_Pin(shown, scalars))


# --- xarray: named dimensions, coordinates in millimetres and milliseconds --------------------------------------------

_AXES = ("t", "z", "y", "x", "c")


def to_xarray(image: Image) -> Any:
    import xarray

    names = [*_AXES[4 - image.ndim : 4], *(["c"] if image.components > 1 else [])]
    attributes: dict[str, Any] = {
        "spacing": image.spacing,
        "origin": image.origin,
        "direction": image.direction.tolist(),
        "space": "LPS",
    }
    if "t" in names:
        attributes["time_points"] = image.time_geometry.time_points
    return xarray.DataArray(image.array, dims=names, coords=_coordinates(image, names), attrs=attributes)


def _coordinates(image: Image, names: Sequence[str]) -> dict[str, Any]:
    """Millimetres along the image's own axes, as ITK's ``xarray_from_image`` gives them; the direction is apart."""
    coordinates: dict[str, Any] = {}
    for axis, name in enumerate("xyz"):
        if name in names:
            values = image.origin[axis] + image.spacing[axis] * np.arange(image.get_dimension(axis))
            coordinates[name] = (name, values, {"units": "mm"})
    if "t" in names:
        coordinates["t"] = ("t", np.array(image.time_geometry.time_points[:-1]), {"units": "ms"})
    return coordinates


def from_xarray(source: Any) -> Image:
    """Copy an array whose dimensions are named t, z, y, x and c (any order; t, z and c may be missing)."""
    unknown = [str(name) for name in source.dims if name not in _AXES]
    if unknown or not {"x", "y"} <= set(source.dims) or ("t" in source.dims and "z" not in source.dims):
        raise RequestError(f"dimensions must be named t, z, y, x, c with at least y and x, got {source.dims}")
    ordered = source.transpose(*[name for name in _AXES if name in source.dims])
    image = _image_from(ordered.values, _affine(ordered), components="c" in ordered.dims, what="xarray array")
    points = ordered.attrs.get("time_points")
    if image.ndim == 4 and points is not None and len(points) == image.time_steps + 1:
        times = ArbitraryTimeGeometry.from_time_points(points)
        image.time_geometry = times if tuple(points) != image.time_geometry.time_points else image.time_geometry
    return image


def _affine(source: Any) -> NDArray[np.float64]:
    """Coordinates tell spacing and origin of the axes that have them, attributes tell the rest."""
    spacing = np.array(source.attrs.get("spacing", (1.0, 1.0, 1.0)), np.float64)
    origin = np.array(source.attrs.get("origin", (0.0, 0.0, 0.0)), np.float64)
    direction = np.array(source.attrs.get("direction", np.eye(3)), np.float64)
    if (spacing.shape, origin.shape, direction.shape) != ((3,), (3,), (3, 3)):
        raise GeometryError("attributes spacing, origin and direction must have 3, 3 and 3x3 numbers")
    for axis, name in enumerate("xyz"):
        if name in source.coords and source.coords[name].dims == (name,):
            spacing[axis], origin[axis] = _stride(source.coords[name].values, name, spacing[axis])
    affine = np.eye(4)
    affine[:3, :3] = direction * spacing
    affine[:3, 3] = origin
    return affine


def _stride(values: NDArray[Any], name: str, told: float) -> tuple[float, float]:
    """Distance and start of coordinates; a single one has no distance of its own.

    Where they agree with the attribute, its digits are exact: differences of sums lose the last ones.
    """
    numbers = np.asarray(values, np.float64)
    first = float(numbers[0])
    if len(numbers) < 2:
        return told, first
    strides = np.diff(numbers)
    if not np.allclose(strides, strides[0], rtol=1e-5, atol=1e-9) or strides[0] == 0:
        raise GeometryError(
            f"coordinates along {name} must be equally spaced, distances are {strides[:4].tolist()} ..."
        )
    measured = float((numbers[-1] - numbers[0]) / len(strides))
    return (told if math.isclose(measured, told, rel_tol=1e-9) else measured), first
