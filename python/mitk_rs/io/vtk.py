"""VTK's image files, ``.vti`` and ``.vtk``, with the direction matrix.

VTK reads its own formats right; the formats of ITK it does not (it transposes or drops the direction), so those
never come here.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs._vtk import vtk
from mitk_rs.geometry.frame import Frame
from mitk_rs.io import checks, metadata
from mitk_rs.io.atomic import atomic_output, full_suffix
from mitk_rs.io.formats import ALL_TYPES, Format, check_fits, unreadable
from mitk_rs.io.record import ImageHeader, ImageRecord
from mitk_rs.io.vtk_messages import run_writer, vtk_messages

__all__ = [
    "image_data_to_record",
    "point_scalars",
    "read",
    "read_header",
    "read_image_data",
    "record_to_image_data",
    "write",
    "write_image_data",
]

_ENTRIES = "mitk_rs_entries"
_DIMENSION = "mitk_rs_dimension"
# VTK packs blocks of 32 kB, each with a length of 8 bytes: no file can hold more bytes than this many times its size.
_PACKING_LIMIT = 4096
_ATTRIBUTES = re.compile(rb"\b(Spacing|Origin|Direction|WholeExtent)\s*=\s*[\"']([^\"']*)")


def read_header(path: str, **_: Any) -> ImageHeader:
    """Describe the image; VTK has to read the whole file for that."""
    return read(path).header


def read(path: str, **_: Any) -> ImageRecord:
    """Read an image from a VTK file.

    Raises
    ------
    FileError
        The file is damaged, or holds no regular grid with numbers at its points.
    """
    kind = "XMLImageDataReader" if _is_xml(path) else "StructuredPointsReader"
    return image_data_to_record(read_image_data(path), path, f"VTK {kind}")


def read_image_data(path: str) -> Any:
    """Read a VTK file as ``vtkImageData``, with its extent and all its arrays; errors as for :func:`read`."""
    is_xml = _is_xml(path)
    if is_xml:
        _check_xml(path)
    reader = _xml_reader() if is_xml else _legacy_reader()
    reader.SetFileName(path)
    with vtk_messages() as messages:
        reader.UpdateInformation()
        _check_extent(reader, path)
        if not messages.text:
            reader.Update()
    if messages.text:
        raise unreadable(path, messages.first())
    data = reader.GetOutput()
    point_scalars(data, path)
    return data


def _is_xml(path: str) -> bool:
    return full_suffix(path).lower() != ".vtk"


def _xml_reader() -> Any:
    return vtk("vtkIOXML").vtkXMLImageDataReader()


def _legacy_reader() -> Any:
    reader = vtk("vtkIOLegacy").vtkStructuredPointsReader()
    reader.ReadAllScalarsOn()
    reader.ReadAllFieldsOn()
    return reader


def _check_xml(path: str) -> None:
    """Refuse numbers that VTK would silently replace by its defaults, and a missing end that it would not miss."""
    with Path(path).open("rb") as file:
        element = re.search(rb"<ImageData\b[^>]*>", file.read(65536))
        file.seek(max(0, Path(path).stat().st_size - 256))
        ending = file.read()
    fields = _ATTRIBUTES.findall(element[0]) if element else []
    checks.check_numbers(path, [(name.decode(), text) for name, text in fields])
    if element and b"</VTKFile>" not in ending:
        raise unreadable(path, "the file is truncated: its last element is missing")


def _check_extent(reader: Any, path: str) -> None:
    """Refuse, before VTK allocates it, a grid far larger than its file could hold."""
    extent = reader.GetOutputInformation(0).Get(
        vtk("vtkCommonExecutionModel").vtkStreamingDemandDrivenPipeline.WHOLE_EXTENT()
    )
    if extent is None:
        return
    lengths = [max(last - first + 1, 0) for first, last in zip(extent[::2], extent[1::2], strict=True)]
    size = Path(path).stat().st_size
    if math.prod(lengths) > size * _PACKING_LIMIT:
        text = " x ".join(map(str, lengths))
        raise unreadable(path, f"field extent promises {text} voxels, but the file has only {size} bytes")


def image_data_to_record(data: Any, path: str = "vtkImageData", reader: str = "") -> ImageRecord:
    """Describe a ``vtkImageData``; the array shares its voxels and keeps them alive."""
    scalars = point_scalars(data, path)
    entries = _entries(data)
    components = scalars.GetNumberOfComponents()
    lengths = tuple(reversed(data.GetDimensions()))
    if lengths[0] == 1 and entries.pop(_DIMENSION, None) != "3":
        lengths = lengths[1:]
    array = _voxels(scalars, path, lengths + ((components,) if components > 1 else ()))
    header = ImageHeader(
        array.shape,
        array.dtype,
        metadata.time_geometry(entries, _frame(data, path), lengths, tolerance=1e-5),
        components,
        metadata.read_properties(entries, {}),
        metadata.read_uid(entries),
        reader,
    )
    return ImageRecord.of(header, array)


def point_scalars(data: Any, path: str = "vtkImageData") -> Any:
    """Return the array that becomes the voxels: the active one, else the first at the points."""
    # Compared with None, because VTK's collections and arrays are false where they are empty.
    points = data.GetPointData() if data is not None else None
    scalars = None if points is None else points.GetScalars()
    if scalars is None and points is not None:
        scalars = points.GetArray(0)
    if scalars is None or scalars.GetNumberOfTuples() == 0:
        in_cells = points is not None and data.GetCellData().GetNumberOfArrays() > 0
        where = "only in its cells" if in_cells else "nowhere"
        raise unreadable(path, f"it has numbers {where}; an image needs them at its points")
    return scalars


def _voxels(scalars: Any, path: str, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array: NDArray[Any] = vtk("util.numpy_support").vtk_to_numpy(scalars)
    except (TypeError, KeyError, AssertionError, AttributeError) as error:
        raise unreadable(path, f"its array {scalars.GetName()!r} is no array of numbers") from error
    if array.dtype.str[1:] not in ALL_TYPES:
        raise unreadable(path, f"its voxels are of type {array.dtype}")
    if array.size != math.prod(shape):
        raise unreadable(path, f"it has {array.size} numbers for a grid of {shape} (z, y, x)")
    return array.reshape(shape)


def _frame(data: Any, path: str) -> Frame:
    matrix = data.GetDirectionMatrix()
    direction = np.array([[matrix.GetElement(row, column) for column in range(3)] for row in range(3)])
    placed = checks.frame(path, data.GetSpacing(), data.GetOrigin(), direction)
    first = np.array(data.GetExtent()[::2], np.float64)
    return replace(placed, origin=tuple(placed.points_to_world(first).tolist()))


def _entries(data: Any) -> dict[str, str]:
    stored = data.GetFieldData().GetAbstractArray(_ENTRIES)
    if stored is None or not hasattr(stored, "GetValue") or stored.GetNumberOfValues() < 1:
        return {}
    try:
        loaded = json.loads(stored.GetValue(0))
    except (TypeError, ValueError):
        return {}
    return {str(name): str(text) for name, text in loaded.items()} if isinstance(loaded, dict) else {}


def record_to_image_data(record: ImageRecord) -> Any:
    """Show a record as ``vtkImageData`` that shares its voxels and keeps them alive."""
    frame = record.frame
    lengths = record.shape[: record.dimension]
    data = vtk("vtkCommonDataModel").vtkImageData()
    data.SetDimensions(*reversed((1,) * (3 - len(lengths)) + lengths))
    data.SetSpacing(frame.spacing)
    data.SetOrigin(frame.origin)
    data.SetDirectionMatrix(frame.direction.ravel().tolist())
    scalars = vtk("util.numpy_support").numpy_to_vtk(record.array.reshape(-1, record.components))
    scalars.SetName("ImageScalars")
    data.GetPointData().SetScalars(scalars)
    return data


def write(record: ImageRecord, path: str, format_: Format, *, compress: bool, **_: Any) -> None:
    """Write an image that fits ``format_``; see :func:`mitk_rs.io.write_image`."""
    data = record_to_image_data(record)
    _store_entries(data, record, exact=_is_xml(path))
    _write(data, path, compress=compress)


def write_image_data(data: Any, path: str, *, compress: bool = True) -> None:
    """Write a ``vtkImageData`` with its extent and all its arrays; errors as for :func:`mitk_rs.io.write_image`."""
    check_fits(image_data_to_record(data), path)
    _write(data, path, compress=compress)


def _write(data: Any, path: str, *, compress: bool) -> None:
    writer = _xml_writer(compress=compress) if _is_xml(path) else _legacy_writer()
    with atomic_output(path) as temporary:
        run_writer(writer, data, os.fspath(temporary), path)


def _store_entries(data: Any, record: ImageRecord, *, exact: bool) -> None:
    entries = metadata.entries_of(record, exact_header=exact)
    if record.dimension == 3 and record.shape[0] == 1:
        entries[_DIMENSION] = "3"
    if not entries:
        return
    stored = vtk("vtkCommonCore").vtkStringArray()
    stored.SetName(_ENTRIES)
    stored.InsertNextValue(json.dumps(entries))
    data.GetFieldData().AddArray(stored)


def _xml_writer(*, compress: bool) -> Any:
    writer = vtk("vtkIOXML").vtkXMLImageDataWriter()
    writer.SetDataModeToAppended()
    writer.EncodeAppendedDataOff()
    writer.SetHeaderTypeToUInt64()
    if compress:
        writer.SetCompressorTypeToZLib()
    else:
        writer.SetCompressorTypeToNone()
    return writer


def _legacy_writer() -> Any:
    writer = vtk("vtkIOLegacy").vtkStructuredPointsWriter()
    writer.SetFileTypeToBinary()
    return writer
