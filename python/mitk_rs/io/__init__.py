"""Reading and writing files of images and surfaces.

An adapter for each library that knows file formats (:mod:`.itk`, :mod:`.nifti`, :mod:`.dicom`, :mod:`.vtk`,
:mod:`.pictures`), loaded on first use; :mod:`.formats` has the one table of what each format holds. They give and take
:class:`ImageRecord`, plain arrays and numbers. :func:`read_image` and :func:`write_image` do the same for
:class:`mitk_rs.Image`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from mitk_rs import errors
from mitk_rs._validation import check_kind, check_names, flag, path_name, text
from mitk_rs.io import checks, isolation, metadata
from mitk_rs.io.formats import Format, check_fits, format_of, stored_dimension
from mitk_rs.io.isolation import Limits
from mitk_rs.io.record import ImageHeader, ImageRecord, PathName, ReadOptions

if TYPE_CHECKING:
    from mitk_rs.io.dicom import SeriesInfo
    from mitk_rs.io.images import read_image as read_image
    from mitk_rs.io.images import write_image as write_image
    from mitk_rs.io.memory import from_bytes as from_bytes
    from mitk_rs.io.memory import to_bytes as to_bytes
    from mitk_rs.io.vtk import read_surface as read_surface

__all__ = [
    "ImageHeader",
    "ImageRecord",
    "Limits",
    "ReadOptions",
    "from_bytes",
    "list_series",
    "read_image",
    "read_info",
    "read_record",
    "read_records",
    "read_surface",
    "readers_of",
    "to_bytes",
    "write_image",
    "write_record",
]

_log = logging.getLogger(__name__)

_READS = 20
_Read = TypeVar("_Read", ImageHeader, ImageRecord)


def read_info(path: PathName, **options: Unpack[ReadOptions]) -> ImageHeader:
    """Read the description of an image without its voxels.

    Parameters and errors are those of :func:`read_image`. Gaps in a DICOM series are warned of and not refused.

    Examples
    --------
    >>> import mitk_rs as mitk, numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.mha"
    >>> mitk.io.write_image(mitk.Image(np.zeros((4, 5, 6), np.int16)), path)
    >>> mitk.io.read_info(path).shape
    (4, 5, 6)
    """
    check_names("read_info", options, ReadOptions)
    name = checks.check_path(path)
    limits = _limits(name, options)
    if limits:
        return isolation.read_header(name, options, limits)
    header: ImageHeader = _unreplaced(name, _adapter(name).read_header, options)
    return header


def read_record(path: PathName, **options: Unpack[ReadOptions]) -> ImageRecord:
    """Read an image as plain arrays and numbers; parameters and errors as for :func:`read_image`."""
    name = checks.check_path(path)
    limits = _limits(name, options)
    if limits:
        return next(isolation.read_records(name, options, limits))
    record: ImageRecord = _unreplaced(name, _adapter(name).read, options)
    return record


def read_records(path: PathName, reader: str = "", **options: Unpack[ReadOptions]) -> Iterator[ImageRecord]:
    """Read everything that a file or a folder holds, with a reader of :func:`readers_of`."""
    name = checks.check_path(path)
    is_other = text(reader, "reader") != "" and reader != readers_of(name)[0]
    limits = _limits(name, options) or (Limits() if is_other and not isolation.is_worker() else None)
    if limits:
        yield from isolation.read_records(name, options, limits, reader=reader if is_other else "", every=True)
    elif is_other:
        yield import_module("mitk_rs.io.itk").read_any(name, reader.removeprefix("ITK "))
    elif os.path.isdir(name):  # noqa: PTH112
        yield from import_module("mitk_rs.io.dicom").read_all(name, options)
    else:
        yield _unreplaced(name, _adapter(name).read, options)


def _unreplaced(name: str, read: Callable[[str, ReadOptions], _Read], options: ReadOptions) -> _Read:
    """Read a file again that changed meanwhile: libraries open it several times, for its header and for its voxels."""
    for _ in range(_READS):
        before = _identity(name)
        try:
            found = read(name, options)
        except errors.Exception:
            if _identity(name) == before:
                raise
        else:
            if _identity(name) == before:
                return found
    raise checks.unreadable(name, f"another program changed it during each of {_READS} reads")


def _identity(name: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(name)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def list_series(folder: PathName) -> list[SeriesInfo]:
    """Return the DICOM series of a folder, in the order in which ``series=`` numbers them.

    Raises
    ------
    FileMissingError, FileError
        There is no such folder, or no DICOM image in it.
    """
    found: list[SeriesInfo] = import_module("mitk_rs.io.dicom").list_series(checks.check_path(folder))
    return found


def readers_of(path: PathName) -> list[str]:
    """Return descriptions of the readers for a file, the one that is used first."""
    name = checks.check_path(path)
    chosen = format_of(name)
    if chosen and not os.path.isdir(name):  # noqa: PTH112
        return [chosen.reader, *chosen.other_readers]
    dicom = import_module("mitk_rs.io.dicom")
    return [dicom.READER] if dicom.is_dicom(name) else [read_info(name).reader]


def write_record(record: ImageRecord, path: PathName, *, compress: bool = True, time_spacing: bool = False) -> None:
    """Write plain arrays and numbers; parameters and errors as for :func:`write_image`."""
    check_kind(record, ImageRecord, "record", "an ImageRecord")
    name = path_name(path)
    chosen = check_fits(record, name)
    metadata.check_entries(record, chosen, name)
    _warn_of_losses(record, name, chosen)
    adapter = import_module(f"mitk_rs.io.{chosen.adapter}")
    stored = record.of_dimension(stored_dimension(record, chosen))
    options = {"compress": flag(compress, "compress"), "time_spacing": flag(time_spacing, "time_spacing")}
    adapter.write(stored, name, chosen, **options)


def _limits(path: str, options: ReadOptions) -> Limits | None:
    """The limits of the process that is to read a file; None to read it in this one."""
    limits = isolation.limits_of(options.get("isolate"))
    if limits is None and _adapter(path) is _unchecked:
        limits = Limits()
    return None if isolation.is_worker() else limits


class _Unchecked:
    """Files of no known ending: ITK knows some by their content. Nothing checks them, so another process reads them."""

    @staticmethod
    def read_header(path: str, _: ReadOptions) -> ImageHeader:
        header: ImageHeader = import_module("mitk_rs.io.itk").read_header_of_any(path)
        return header

    @staticmethod
    def read(path: str, _: ReadOptions) -> ImageRecord:
        record: ImageRecord = import_module("mitk_rs.io.itk").read_any(path)
        return record


_unchecked = _Unchecked()


def _adapter(path: str) -> Any:
    chosen = format_of(path)
    if chosen and not os.path.isdir(path):  # noqa: PTH112
        return import_module(f"mitk_rs.io.{chosen.adapter}")
    dicom = import_module("mitk_rs.io.dicom")
    return dicom if dicom.is_dicom(path) else _unchecked


def library_of(path: str) -> None:
    """Load the library that reads a file, which is otherwise loaded when it is first needed."""
    adapter = _adapter(path)
    getattr(adapter, "library", import_module("mitk_rs.io.itk").library)()


def _warn_of_losses(record: ImageRecord, path: str, chosen: Format) -> None:
    lost = metadata.losses(record, chosen)
    if lost:
        _log.warning("%s: %s does not keep %s", checks.printable(path), chosen.name, ", ".join(lost))


_LAZY = {
    "from_bytes": "mitk_rs.io.memory",
    "read_image": "mitk_rs.io.images",
    "read_surface": "mitk_rs.io.vtk",
    "to_bytes": "mitk_rs.io.memory",
    "write_image": "mitk_rs.io.images",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
