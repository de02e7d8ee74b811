"""Doubt about files: what a reader would crash on, swallow, or allocate terabytes for."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from mitk_rs.errors import FileError, FileMissingError, GeometryError
from mitk_rs.geometry import arguments
from mitk_rs.geometry.frame import Frame
from mitk_rs.io import nifti, tiff
from mitk_rs.io.atomic import full_suffix
from mitk_rs.io.formats import unreadable
from mitk_rs.io.record import ImageHeader, PathName

__all__ = [
    "check_header",
    "check_numbers",
    "check_path",
    "check_printed",
    "check_whole",
    "frame",
]

# A detached header may name data in another folder; how much there is only the reader finds out.
_DATA_ELSEWHERE = re.compile(rb"^(ElementDataFile[ \t]*=|data ?file:).*/", re.MULTILINE)
_UNKNOWN_SIZE = 1 << 62
# Deflate packs 1032 bytes into one at best, so no file can hold more voxels than this many times its size.
_DEFLATE_LIMIT = 1032
_META_NUMBERS = re.compile(
    rb"^(Offset|Position|Origin|ElementSpacing|TransformMatrix|Rotation|Orientation|DimSize)[ \t]*=(.*)$", re.MULTILINE
)


def check_path(path: PathName) -> str:
    """Return ``path`` as text if there is something to read.

    Raises
    ------
    FileMissingError
        There is no such file.
    FileError
        It is no name, an address of the web, a loop of links, a device, empty, or not permitted.
    """
    name = os.fsdecode(path)
    if "://" in name:
        raise unreadable(name, "addresses of the web are not read; download the file first")
    try:
        status = os.stat(name)  # noqa: PTH116 (a Path would hide the NUL in a name)
    except FileNotFoundError as error:
        raise FileMissingError(f"cannot read {name}: no such file") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise unreadable(name, str(reason)) from error
    _check_kind(name, status)
    return name


def _check_kind(name: str, status: os.stat_result) -> None:
    is_folder = stat.S_ISDIR(status.st_mode)
    if not (is_folder or stat.S_ISREG(status.st_mode)):
        raise unreadable(name, "not a regular file")
    if not os.access(name, os.R_OK | (os.X_OK if is_folder else 0)):
        raise unreadable(name, "no permission")
    if not is_folder and status.st_size == 0:
        raise unreadable(name, "the file is empty (0 bytes)")


def frame(path: str, spacing: ArrayLike, origin: ArrayLike, direction: ArrayLike) -> Frame:
    """Return the frame of an image, or refuse a geometry that no image can have, naming the field.

    Raises
    ------
    FileError
        Spacing not above 0, or a number that is not finite, or a direction matrix without an inverse.
    """
    try:
        placed = Frame(spacing=arguments.spacing(spacing), origin=arguments.triple(origin, "origin"))
        return placed.with_direction(np.asarray(direction) + 0.0)
    except GeometryError as error:
        raise unreadable(path, f"field {error}") from error


def check_numbers(path: str, fields: Iterable[tuple[str, bytes]]) -> None:
    """Refuse header fields that are no finite numbers and that a reader would silently take for something else.

    Raises
    ------
    FileError
        Naming the field.
    """
    for name, text in fields:
        if not all(_is_finite(word) for word in text.split()):
            shown = text.decode(errors="replace").strip()[:80]
            raise unreadable(path, f"field {name} is {shown!r}, which is not a list of finite numbers")


def _is_finite(word: bytes) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def check_header(path: str, header: ImageHeader) -> None:
    """Refuse sizes that the file cannot hold, before anything is allocated.

    Raises
    ------
    FileError
        An axis of length 0, or more voxels than the files could hold even when perfectly compressed.
    """
    if min(header.shape) < 1:
        raise unreadable(path, f"field size is {_size(header)}, every axis must have at least one voxel")
    if header.reader == "ITK NiftiImageIO":
        _check_nifti_spacing(path)
    elif header.reader == "ITK MetaImageIO":
        check_numbers(path, _meta_fields(path))
    available = _bytes_on_disk(Path(path))
    if header.byte_count > available * _DEFLATE_LIMIT:
        raise unreadable(
            path,
            f"field size is {_size(header)} {header.dtype.name}, {header.byte_count} bytes, "
            f"but there are only {available} bytes of data",
        )


def _meta_fields(path: str) -> list[tuple[str, bytes]]:
    """The fields of a MetaImage header that are numbers; MetaIO takes a word among them for 0."""
    with Path(path).open("rb") as file:
        beginning = file.read(1 << 16).split(b"ElementDataFile", 1)[0]
    return [(name.decode(), text) for name, text in _META_NUMBERS.findall(beginning)]


def _size(header: ImageHeader) -> str:
    return " x ".join(str(length) for length in reversed(header.shape))


def _bytes_on_disk(path: Path) -> int:
    """The file, and for a detached header everything that lies beside it."""
    own = path.stat().st_size
    if full_suffix(path).lower() not in {".mhd", ".nhdr", ".hdr", ".hdr.gz", ".img", ".img.gz"}:
        return own
    if _DATA_ELSEWHERE.search(path.read_bytes()[: 1 << 16]):
        return _UNKNOWN_SIZE
    with os.scandir(path.parent) as neighbours:
        return max(own, sum(map(_size_if_there, neighbours)))


def _size_if_there(file: os.DirEntry[str]) -> int:
    """Size of a file that another thread may be renaming or removing right now."""
    try:
        return file.stat().st_size if file.is_file() else 0
    except FileNotFoundError:
        return 0


def check_whole(path: str, header: ImageHeader, entries: Mapping[str, str]) -> None:
    """Refuse files whose missing end the readers would fill with zeros without a word (NIfTI, TIFF).

    Raises
    ------
    FileError
        The data are shorter than the header says.
    """
    lost = None
    if header.reader == "ITK NiftiImageIO":
        lost = nifti.missing_bytes(path, entries)
    elif header.reader == "ITK TIFFImageIO":
        lost = tiff.missing_part(path)
    if lost:
        raise unreadable(path, f"the file is truncated: {lost}")


def _check_nifti_spacing(path: str) -> None:
    try:
        bad = nifti.bad_spacing(path)
    except (OSError, EOFError, ValueError) as error:
        raise as_file_error(path, error) from error
    if bad:
        raise unreadable(path, bad)


def check_printed(path: str, printed: str) -> None:
    """Refuse a file about which a reader only complained on the terminal.

    Raises
    ------
    FileError
        The complaint was about missing or damaged data.
    """
    for line in printed.splitlines():
        if any(sign in line for sign in ("not read completely", "IO error", "Read error", "did not read")):
            raise unreadable(path, f"the file is damaged: {line.strip()[:200]}")


def as_file_error(path: str, error: Exception) -> FileError:
    """Turn an exception of a reading library into the one-line error about the file."""
    return unreadable(path, " ".join(str(error).split())[:300] or type(error).__name__)
