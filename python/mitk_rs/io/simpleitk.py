"""ITK's readers and writers, through SimpleITK: MetaImage, NRRD, NIfTI, TIFF, PNG and whatever else ITK knows.

The only module that imports SimpleITK for files; it does so on first use. SimpleITK gives the interpreter free
while it reads and writes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import FileError, FileWriteError, MemoryLimitError
from mitk_rs.geometry.frame import Frame
from mitk_rs.io import checks, metadata, nifti
from mitk_rs.io.atomic import atomic_folder, atomic_output, disk_is_full, full_suffix, with_small_ending
from mitk_rs.io.formats import FORMATS, Format, format_of, unreadable
from mitk_rs.io.quiet import native_output
from mitk_rs.io.record import ImageHeader, ImageRecord
from mitk_rs.time_geometry import ProportionalTimeGeometry

__all__ = ["read", "read_header", "readers", "sitk_to_record", "write"]

_NIFTI = [one for one in FORMATS if one.reader == "ITK NiftiImageIO"]
_TYPES = {
    "8-bit unsigned integer": "u1",
    "8-bit signed integer": "i1",
    "16-bit unsigned integer": "u2",
    "16-bit signed integer": "i2",
    "32-bit unsigned integer": "u4",
    "32-bit signed integer": "i4",
    "64-bit unsigned integer": "u8",
    "64-bit signed integer": "i8",
    "32-bit float": "f4",
    "64-bit float": "f8",
}
TYPE_CODES = frozenset(_TYPES.values())


@cache
def library() -> Any:
    """Return the module SimpleITK, with ITK's warnings kept off the terminal."""
    import SimpleITK

    SimpleITK.ProcessObject.GlobalWarningDisplayOff()
    return SimpleITK


def readers() -> tuple[str, ...]:
    """Return the descriptions of ITK's readers, as ``IOUtil.load`` takes them."""
    return tuple(f"ITK {name}" for name in library().ImageFileReader().GetRegisteredImageIOs())


def read_header(path: str, *, reader: str = "", time_spacing: bool = False) -> ImageHeader:
    """Read what the file says about its image, without the voxels; parameters as for :func:`read`."""
    with opened(path, reader) as source:
        header = header_of(source, path, time_spacing=time_spacing)
        checks.check_whole(path, header, entries(source))
    return header


def read(path: str, *, reader: str = "", time_spacing: bool = False) -> ImageRecord:
    """Read an image.

    Parameters
    ----------
    path
        An existing file.
    reader
        ITK's class, such as ``NrrdImageIO``; empty to let ITK choose by the content.
    time_spacing
        Take the time steps of a 4-D NIfTI from the header (seconds there, milliseconds here) instead of MITK's
        1 ms.

    Raises
    ------
    FileError
        The file is damaged, or holds what no image here can be.
    """
    with opened(path, reader) as source:
        header = header_of(source, path, time_spacing=time_spacing)
        checks.check_whole(path, header, entries(source))
        voxels = adopt(_execute(source, path, header)).reshape(header.shape)
    if header.reader == "ITK NiftiImageIO" and header.dtype.kind == "f":
        nifti.restore_non_finite(path, np.moveaxis(voxels, -1, 0) if header.components > 1 else voxels)
    return ImageRecord.of(header, voxels)


def _execute(source: Any, path: str, header: ImageHeader) -> Any:
    try:
        return source.Execute()
    except RuntimeError as error:
        if "allocate" in str(error).lower():
            message = f"cannot read {path}: not enough memory for the {header.byte_count} bytes of its voxels"
            raise MemoryLimitError(message) from error
        raise


@contextmanager
def opened(path: str, reader: str = "") -> Iterator[Any]:
    """Give ITK's reader with the header read, and turn ITK's exceptions into ours, without its source lines."""
    source, printed = library().ImageFileReader(), native_output()
    reader = reader or _reader_of_capitals(path)
    if reader:
        source.SetImageIO(reader)
    try:
        with printed, nifti.unambiguous(path) as name:
            source.SetFileName(name)
            source.ReadImageInformation()
            yield source
    except (FileError, MemoryLimitError):
        raise
    except (RuntimeError, ValueError) as error:
        raise unreadable(path, _itk_reason(str(error), printed.text)) from error
    checks.check_printed(path, printed.text)


def _reader_of_capitals(path: str) -> str:
    """The reader of a name whose ending ITK might not know, because it has capital letters."""
    named = format_of(path) if full_suffix(path) != full_suffix(path).lower() else None
    return named.reader.removeprefix("ITK ") if named else ""


def _itk_reason(message: str, printed: str = "") -> str:
    """The one thing that went wrong, out of ITK's exception and what its libraries printed."""
    if "Unable to determine ImageIO" in message:
        return "it is in no format that ITK knows, or its beginning is damaged"
    if "MetaImageIO" in message:
        told = " ".join(line.split("Data: ")[-1].strip() for line in printed.splitlines()[:2])
        return f"a damaged header, or data that end too early: {told}".rstrip(": ")
    if "[nrrd]" in message:
        return message.rsplit("[nrrd]", 1)[1].split(": ", 1)[-1].strip()
    lines = [line.strip() for line in message.replace("sitk::ERROR:", "").splitlines()]
    told = " ".join(line for line in lines if line and not line.startswith(("Exception thrown", "/")))
    return told.removeprefix("ITK ERROR: ").split("): ", 1)[-1][:300] or "ITK gives no reason"


def entries(source: Any) -> dict[str, str]:
    """Return the texts of the header, without what SimpleITK can only name, not print."""
    told = {key: source.GetMetaData(key) for key in source.GetMetaDataKeys()}
    return {name: text for name, text in told.items() if "[UNKNOWN_PRINT_CHARACTERISTICS]" not in text}


def header_of(source: Any, path: str, *, time_spacing: bool = False) -> ImageHeader:
    """Describe the image whose header an ITK reader has read; raises what :func:`read` raises."""
    name = source.GetImageIO() or source.GetImageIOFromFileName(source.GetFileName())
    header = _described(source, path, source.GetNumberOfComponents(), name)
    checks.check_header(path, header)
    if time_spacing and header.dimension == 4:
        return _with_time_spacing(header, source.GetSpacing()[3])
    return header


def _described(source: Any, path: str, components: int, reader: str) -> ImageHeader:
    """What ITK's reader and SimpleITK's image tell in the same words."""
    dimension = source.GetDimension()
    if not 2 <= dimension <= 4:
        raise unreadable(path, f"it has {dimension} dimensions, 2 to 4 are possible")
    told = entries(source)
    sizes = tuple(reversed(source.GetSize()))
    return ImageHeader(
        shape=sizes + ((components,) if components > 1 else ()),
        dtype=_dtype(source, path),
        components=components,
        time_geometry=metadata.time_geometry(told, _frame(source, path, dimension), sizes),
        properties=metadata.read_properties(told, {"ITK.InputFilterName": reader} if reader else {}),
        uid=metadata.read_uid(told),
        reader=f"ITK {reader}" if reader else "",
    )


def _with_time_spacing(header: ImageHeader, seconds: float) -> ImageHeader:
    if header.reader != "ITK NiftiImageIO" or not (math.isfinite(seconds) and seconds > 0):
        return header
    times = ProportionalTimeGeometry(0.0, 1000.0 * seconds, header.time_steps)
    return replace(header, time_geometry=times.for_image(header.time_geometry.geometries))


def _dtype(source: Any, path: str) -> np.dtype[Any]:
    name = library().GetPixelIDValueAsString(source.GetPixelID())
    code = _TYPES.get(name.removeprefix("vector of "))
    if code is None:
        raise unreadable(path, f"its voxels are of type {name}; the types here are {', '.join(_TYPES)}")
    return np.dtype(code)


def _frame(source: Any, path: str, dimension: int) -> Frame:
    axes = min(dimension, 3)
    spacing, origin, direction = np.ones(3), np.zeros(3), np.eye(3)
    spacing[:axes] = source.GetSpacing()[:axes]
    origin[:axes] = source.GetOrigin()[:axes]
    whole = np.array(source.GetDirection(), np.float64).reshape(dimension, dimension)
    direction[:axes, :axes] = whole[:axes, :axes]
    return checks.frame(path, spacing, origin, direction)


class _Owner:
    """Keeps a SimpleITK image alive for the arrays that show its voxels."""

    def __init__(self, image: Any) -> None:
        view = library().GetArrayViewFromImage(image)
        self.image = image
        address = view.__array_interface__["data"][0]
        self.__array_interface__ = {
            "data": (address, False),
            "shape": view.shape,
            "typestr": view.dtype.str,
            "version": 3,
        }


def adopt(image: Any) -> NDArray[Any]:
    """Return the voxels of a SimpleITK image that nobody else has, without a copy; the array keeps it alive."""
    return np.asarray(_Owner(image))


def write(record: ImageRecord, path: str, format_: Format, *, compress: bool, time_spacing: bool) -> None:
    """Write an image that fits ``format_``; see :func:`mitk_rs.io.write_image`."""
    image = record_to_sitk(record, time_spacing=time_spacing and format_ in _NIFTI)
    if format_.metadata:
        describe(image, record)
    target = Path(path)
    if not format_.detached:
        with atomic_output(target) as temporary:
            _write(image, temporary, target, compress=compress)
        return
    with atomic_folder(_header_path(target)) as header:
        _write(image, header.with_name(with_small_ending(target.name)), target, compress=compress)


def _header_path(target: Path) -> Path:
    """The pair .hdr/.img has its header under the first name, whichever of both was asked for."""
    name = target.name
    for image, header in ((".img", ".hdr"), (".img.gz", ".hdr.gz")):
        if name.lower().endswith(image):
            return target.with_name(name[: -len(image)] + header)
    return target


def _write(image: Any, temporary: Path, target: Path, *, compress: bool) -> None:
    writer = library().ImageFileWriter()
    writer.SetFileName(os.fspath(temporary))
    writer.SetUseCompression(compress)
    try:
        with native_output():
            writer.Execute(image)
            _check_written(temporary)
    except RuntimeError as error:
        raise FileWriteError(f"cannot write {target}: {_write_reason(error, temporary)}") from error


def _check_written(temporary: Path) -> None:
    """Doubt ITK's NIfTI writer, which reports success on a full disk."""
    if format_of(temporary) not in _NIFTI:
        return
    reader = library().ImageFileReader()
    reader.SetFileName(os.fspath(temporary))
    reader.ReadImageInformation()
    lost = nifti.missing_bytes(os.fspath(temporary), entries(reader))
    if lost:
        raise RuntimeError(f"ITK wrote only a part: {lost}")


def _write_reason(error: RuntimeError, temporary: Path) -> str:
    if disk_is_full(temporary.parent):
        return "the disk is full"
    return _itk_reason(str(error)).replace(temporary.name, "the file")


def record_to_sitk(record: ImageRecord, *, time_spacing: bool = False) -> Any:
    """Return a SimpleITK image with a copy of the voxels and the geometry that SimpleITK can hold."""
    image = library().GetImageFromArray(record.array, isVector=record.components > 1)
    frame, dimension = metadata.header_frame(record), record.dimension
    axes = min(dimension, 3)
    direction = np.eye(dimension)
    direction[:axes, :axes] = frame.direction[:axes, :axes]
    duration = _seconds_per_step(record) if time_spacing and dimension == 4 else 1.0
    image.SetSpacing((*frame.spacing[:axes], duration)[:dimension])
    image.SetOrigin((*frame.origin[:axes], 0.0)[:dimension])
    image.SetDirection(direction.ravel().tolist())
    return image


def _seconds_per_step(record: ImageRecord) -> float:
    first, last = record.time_geometry.get_time_bounds()
    return (last - first) / record.time_steps / 1000.0


def describe(image: Any, record: ImageRecord) -> None:
    """Give a SimpleITK image the text entries that files of the record have."""
    for key, value in metadata.entries_of(record).items():
        image.SetMetaData(key, value)


def sitk_to_record(image: Any) -> ImageRecord:
    """Describe a copy of a SimpleITK image.

    Raises
    ------
    FileError
        Voxels or dimensions that no image here has.
    """
    header = _described(image, "SimpleITK image", image.GetNumberOfComponentsPerPixel(), "")
    return ImageRecord.of(header, adopt(image).reshape(header.shape).copy())
