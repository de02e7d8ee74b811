"""VTK's files: images ``.vti`` and ``.vtk`` with the direction matrix, and surfaces.

VTK reads its own formats right; the formats of ITK it does not (it transposes or drops the direction), so those
never come here. :mod:`mitk_rs.io.vtk_grammar` walks through a file before VTK sees it.
"""

from __future__ import annotations

import json
import math
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mitk_rs._platform import vtk
from mitk_rs.errors import FileWriteError
from mitk_rs.geometry import Frame
from mitk_rs.io import checks, formats
from mitk_rs.io.atomic import PathName, atomic_output, disk_is_full, full_suffix
from mitk_rs.io.checks import unreadable
from mitk_rs.io.formats import ALL_TYPES, Format, ImageHeader, ImageRecord, ReadOptions, check_fits
from mitk_rs.io.vtk_grammar import check_legacy, check_xml

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

_ENTRIES, _DIMENSION = "mitk_rs_entries", "mitk_rs_dimension"
_XML_READER, _LEGACY_READER = "VTK XMLImageDataReader", "VTK StructuredPointsReader"
SURFACE_SUFFIXES = (".vtp", ".vtkxml", ".vtk", ".stl", ".obj")


def library() -> Any:
    return vtk("util.numpy_support"), vtk("vtkIOLegacy"), vtk("vtkIOXML")


def read_header(path: str, options: ReadOptions) -> ImageHeader:
    return _xml_header(path) if _is_xml(path) else _legacy_header(path)


def _xml_header(path: str) -> ImageHeader:
    """Let VTK read a single voxel: the rest of the description comes with it."""
    check_xml(path, "ImageData")
    reader = vtk("vtkIOXML").vtkXMLImageDataReader()
    with checks.alias(path) as name, vtk_messages() as messages:
        reader.SetFileName(name)
        reader.UpdateInformation()
        pipeline = vtk("vtkCommonExecutionModel").vtkStreamingDemandDrivenPipeline
        whole = reader.GetOutputInformation(0).Get(pipeline.WHOLE_EXTENT())
        if whole is not None:
            reader.UpdateExtent([first for first in whole[::2] for _ in (0, 1)])
    if messages.text or whole is None:
        raise unreadable(path, messages.first())
    data = reader.GetOutput()
    one, entries = image_data_to_record(data, path), _entries(data)
    lengths = _lengths([last - first + 1 for first, last in zip(whole[::2], whole[1::2], strict=True)], entries)
    return _described(path, lengths, one.dtype, _frame_of(data, path, whole), one.components, entries, _XML_READER)


def _legacy_header(path: str) -> ImageHeader:
    grid = check_legacy(path, "ImageData", header_only=True)
    if grid.scalars is None:
        raise unreadable(path, "it does not have numbers at its points")
    dtype, components = grid.scalars
    entries = _entries_of_text(grid.texts.get(_ENTRIES, ""))
    lengths = _lengths(grid.lengths, entries)
    frame = checks.frame(path, grid.spacing, grid.origin, np.eye(3))
    return _described(path, lengths, np.dtype(dtype), frame, components, entries, _LEGACY_READER)


def _described(
    path: str,
    lengths: tuple[int, ...],
    dtype: np.dtype[Any],
    frame: Frame,
    components: int,
    entries: dict[str, str],
    reader: str,
) -> ImageHeader:
    return formats.header(
        path, lengths, dtype, frame, components=components, entries=entries, reader=reader, tolerance=1e-5
    )


def read(path: str, options: ReadOptions) -> ImageRecord:
    """Read an image from a VTK file that holds a regular grid with numbers at its points."""
    return image_data_to_record(read_image_data(path), path, _XML_READER if _is_xml(path) else _LEGACY_READER)


def read_image_data(path: str) -> Any:
    """Read a VTK file as ``vtkImageData``, with its extent and all its arrays."""
    if _is_xml(path):
        check_xml(path, "ImageData")
        reader = vtk("vtkIOXML").vtkXMLImageDataReader()
    else:
        check_legacy(path, "ImageData")
        reader = vtk("vtkIOLegacy").vtkStructuredPointsReader()
        reader.ReadAllScalarsOn()
        reader.ReadAllFieldsOn()
    data = _output_of(reader, path)
    point_scalars(data, path)
    return data


def read_surface(path: PathName) -> vtkPolyData:
    """Read a surface: ``.vtp``, ``.vtk``, ``.stl`` or ``.obj``. Points are taken as they are.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    vtkPolyData
        Points, cells and their arrays.

    Raises
    ------
    FileMissingError
        There is no such file.
    FileError
        It is damaged, holds no surface, or has another ending.

    See Also
    --------
    mitk_rs.write_surface

    Examples
    --------
    >>> import mitk_rs as mitk, pathlib, tempfile
    >>> from vtkmodules.vtkFiltersSources import vtkSphereSource
    >>> ball = vtkSphereSource()
    >>> _ = ball.Update()
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "ball.vtp"
    >>> mitk.write_surface(ball.GetOutput(), path)
    >>> mitk.io.read_surface(path).GetNumberOfPoints()
    50
    """
    name = checks.check_path(path)
    suffix = full_suffix(name).lower()
    if suffix not in SURFACE_SUFFIXES or os.path.isdir(name):  # noqa: PTH112
        raise unreadable(name, f"the ending of a surface must be one of {' '.join(SURFACE_SUFFIXES)}")
    return read_surface_as(name, {".vtkxml": ".vtp"}.get(suffix, suffix))


def read_surface_as(name: str, suffix: str) -> vtkPolyData:
    """Read a surface in the format of an ending, whatever the name's ending is."""
    check, module, reader = _SURFACE_READERS[suffix]
    check(name)
    # Numbers of a text are shorter than their bytes, packed ones a little longer.
    checks.check_room(32 * os.stat(name).st_size, "the surface")  # noqa: PTH116
    surface: vtkPolyData = _output_of(getattr(vtk(module), reader)(), name)
    if surface is None or surface.GetNumberOfPoints() == 0:
        raise unreadable(name, "it does not hold a surface")
    _check_cells(surface, name)
    return surface


def _check_cells(surface: Any, name: str) -> None:
    """Refuse points that do not exist: a renderer would read memory outside of the surface."""
    points = surface.GetNumberOfPoints()
    for cells in (surface.GetVerts(), surface.GetLines(), surface.GetPolys(), surface.GetStrips()):
        used = vtk("util.numpy_support").vtk_to_numpy(cells.GetConnectivityArray())
        if used.size and not (used.min() >= 0 and used.max() < points):
            raise unreadable(name, f"a cell uses point {used.max()} of {points}")


def _check_stl(name: str) -> None:
    """Refuse a binary file with fewer triangles than it says, and a text without its end: VTK shows what is there."""
    with checks.open_regular(name) as file:
        start, size = file.read(1000), file.seek(0, 2)
        file.seek(max(0, size - 4096))
        end = file.read().lower()
    if start[:5].lower() == b"solid" and b"\0" not in start:
        if b"endsolid" not in end.rpartition(b"endfacet")[2]:
            raise unreadable(name, "the file is truncated: it does not end with endsolid")
        return
    if size < 84:
        raise unreadable(name, f"the file is truncated: a binary STL has at least 84 bytes, it has {size}")
    count = int.from_bytes(start[80:84], "little")
    if size < 84 + 50 * count:
        raise unreadable(name, f"the file is truncated: it says {count} triangles and has {(size - 84) // 50}")


def _check_obj(name: str) -> None:
    """Refuse faces and lines with points, texture coordinates or normals that do not exist: VTK would read them."""
    counts, largest = {b"v": 0, b"vt": 0, b"vn": 0}, {b"v": 0, b"vt": 0, b"vn": 0}
    with checks.open_regular(name) as file:
        for line in _obj_lines(file):
            if line[0] in counts:
                counts[line[0]] += 1
            elif line[0] in (b"f", b"l", b"p"):
                for word in line[1:]:
                    for kind, text in zip(counts, word.split(b"/"), strict=False):
                        largest[kind] = max(largest[kind], _obj_index(name, text, counts[kind]) if text else 0)
    for kind, what in ((b"v", "point"), (b"vt", "texture coordinate"), (b"vn", "normal")):
        if largest[kind] > counts[kind]:
            raise unreadable(name, f"a cell uses {what} {largest[kind]} of {counts[kind]}")


def _obj_lines(file: BinaryIO) -> Iterator[list[bytes]]:
    """The words of the lines; one that ends with a backslash goes on in the next line."""
    words: list[bytes] = []
    for line in file:
        text = line.rstrip()
        words += text.removesuffix(b"\\").split()
        if words and not text.endswith(b"\\"):
            yield words
            words = []
    if words:
        yield words


def _obj_index(name: str, text: bytes, count: int) -> int:
    """An index from 1; negative ones count from the last element before the line."""
    number = int(text) if re.fullmatch(rb"[+-]?\d{1,9}", text) else 0
    index = number if number > 0 else count + 1 + number
    if number == 0 or index < 1:
        raise unreadable(name, f"a cell uses index {checks.shown(checks.decoded(text))!r}")
    return index


_SURFACE_READERS: dict[str, tuple[Callable[[str], object], str, str]] = {
    ".vtp": (partial(check_xml, kind="PolyData"), "vtkIOXML", "vtkXMLPolyDataReader"),
    ".vtk": (partial(check_legacy, kind="PolyData"), "vtkIOLegacy", "vtkPolyDataReader"),
    ".stl": (_check_stl, "vtkIOGeometry", "vtkSTLReader"),
    ".obj": (_check_obj, "vtkIOGeometry", "vtkOBJReader"),
}


def _output_of(reader: Any, path: str) -> Any:
    with checks.alias(path) as name, vtk_messages() as messages:
        reader.SetFileName(name)
        reader.Update()
    if messages.text:
        raise unreadable(path, messages.first())
    return reader.GetOutput()


# One file at a time, so that a message belongs to the file at hand. (VTK lets other Python threads run meanwhile.)
_one_at_a_time = threading.Lock()


@dataclass
class _Messages:
    """What VTK complained about so far."""

    window: Any

    @property
    def text(self) -> str:
        return str(self.window.GetOutput())

    def first(self) -> str:
        """The first complaint without VTK's source lines and addresses."""
        blocks = [block for block in self.text.split("\n\n") if block.strip()]
        told = re.sub(r"\s+", " ", blocks[0] if blocks else "VTK gives no reason")
        told = re.sub(r"^\s*(ERROR|Warning|Generic Warning): In \S+, line \d+ ?", "", told)
        return re.sub(r"vtk\w+ \((0x)?[0-9a-f]+\): ", "", told).strip()[:200]


@contextmanager
def vtk_messages() -> Iterator[_Messages]:
    """Collect VTK's errors and warnings of the block instead of printing them."""
    core = vtk("vtkCommonCore")
    with _one_at_a_time:
        window, before = core.vtkStringOutputWindow(), core.vtkOutputWindow.GetInstance()
        verbosity = core.vtkLogger.GetCurrentVerbosityCutoff()
        core.vtkOutputWindow.SetInstance(window)
        core.vtkLogger.SetStderrVerbosity(core.vtkLogger.VERBOSITY_OFF)
        try:
            yield _Messages(window)
        finally:
            core.vtkLogger.SetStderrVerbosity(verbosity)
            core.vtkOutputWindow.SetInstance(before)


def run_writer(writer: Any, data: Any, temporary: str, target: str) -> None:
    """Write ``data`` to ``temporary`` and raise what VTK would only report, for instance on a full disk."""
    writer.SetInputData(data)
    with checks.alias(temporary) as name, vtk_messages() as messages:
        writer.SetFileName(name)
        done = writer.Write()
    if done and not messages.text:
        return
    full = "disk space" in messages.text or disk_is_full(Path(temporary).parent)
    raise FileWriteError(f"cannot write {target}: {'the disk is full' if full else messages.first()}")


def _is_xml(path: str) -> bool:
    return full_suffix(path).lower() != ".vtk"


def image_data_to_record(data: Any, path: str = "vtkImageData", reader: str = "") -> ImageRecord:
    """Describe a ``vtkImageData``; the array shares its voxels and keeps them alive."""
    scalars = point_scalars(data, path)
    entries = _entries(data)
    components = scalars.GetNumberOfComponents()
    lengths = _lengths(data.GetDimensions(), entries)
    array = _voxels(scalars, path, lengths + ((components,) if components > 1 else ()))
    frame = _frame_of(data, path, data.GetExtent())
    return ImageRecord.of(_described(path, lengths, array.dtype, frame, components, entries, reader), array)


def _lengths(dimensions: Any, entries: dict[str, str]) -> tuple[int, ...]:
    lengths = tuple(reversed(dimensions))
    return lengths[1:] if lengths[0] == 1 and entries.pop(_DIMENSION, None) != "3" else lengths


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
        raise unreadable(path, f"its array {scalars.GetName()!r} is not an array of numbers") from error
    if array.dtype.str[1:] not in ALL_TYPES:
        raise unreadable(path, f"its voxels are of type {array.dtype}")
    if array.size != math.prod(shape):
        raise unreadable(path, f"it has {array.size} numbers for a grid of {shape} (z, y, x)")
    return array.reshape(shape)


def _frame_of(data: Any, path: str, extent: Any) -> Frame:
    matrix = data.GetDirectionMatrix()
    direction = [[matrix.GetElement(row, column) for column in range(3)] for row in range(3)]
    placed = checks.frame(path, data.GetSpacing(), data.GetOrigin(), direction)
    first = np.array(extent[::2], np.float64)
    return replace(placed, origin=tuple(placed.points_to_world(first).tolist()))


def _entries(data: Any) -> dict[str, str]:
    stored = data.GetFieldData().GetAbstractArray(_ENTRIES)
    if stored is None or not hasattr(stored, "GetValue") or stored.GetNumberOfValues() < 1:
        return {}
    return _entries_of_text(stored.GetValue(0))


def _entries_of_text(text: Any) -> dict[str, str]:
    try:
        loaded = json.loads(text)
    except (TypeError, ValueError, RecursionError):
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
    data = record_to_image_data(record)
    entries = formats.entries_of(record, exact_header=_is_xml(path))
    if record.dimension == 3 and record.shape[0] == 1:
        entries[_DIMENSION] = "3"
    if entries:
        stored = vtk("vtkCommonCore").vtkStringArray()
        stored.SetName(_ENTRIES)
        stored.InsertNextValue(json.dumps(entries))
        data.GetFieldData().AddArray(stored)
    _write(data, path, compress=compress)


def write_image_data(data: Any, path: str, *, compress: bool = True) -> None:
    """Write a ``vtkImageData`` with its extent and all its arrays; errors as for :func:`mitk_rs.io.write_image`."""
    check_fits(image_data_to_record(data), path)
    _write(data, path, compress=compress)


def _write(data: Any, path: str, *, compress: bool) -> None:
    if _is_xml(path):
        writer = vtk("vtkIOXML").vtkXMLImageDataWriter()
        writer.SetDataModeToAppended()
        writer.EncodeAppendedDataOff()
        writer.SetHeaderTypeToUInt64()
        writer.SetCompressorTypeToZLib() if compress else writer.SetCompressorTypeToNone()
    else:
        writer = vtk("vtkIOLegacy").vtkStructuredPointsWriter()
        writer.SetFileTypeToBinary()
    with atomic_output(path) as temporary:
        run_writer(writer, data, os.fspath(temporary), path)
