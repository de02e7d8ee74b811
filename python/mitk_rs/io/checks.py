"""Doubt about files: what a reader would crash on, swallow, or allocate terabytes for."""

from __future__ import annotations

import gzip
import os
import stat
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import FileError, FileMissingError
from mitk_rs.io.atomic import full_suffix
from mitk_rs.io.formats import unreadable
from mitk_rs.io.record import ImageHeader
from mitk_rs.io.tiff import missing_part

__all__ = [
    "check_entries",
    "check_file",
    "check_frame",
    "check_header",
    "check_path",
    "check_printed",
    "disk_is_full",
]

# Deflate packs 1032 bytes into one at best, so no file can hold more voxels than this many times its size.
_DEFLATE_LIMIT = 1032


def check_path(path: str | os.PathLike[str]) -> str:
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


def check_frame(
    path: str, spacing: NDArray[np.float64], origin: NDArray[np.float64], direction: NDArray[np.float64]
) -> None:
    """Refuse a geometry that no image can have, naming the field.

    Raises
    ------
    FileError
        Spacing not above 0, or a number that is not finite, or a direction matrix without an inverse.
    """
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise unreadable(path, f"field spacing is {_numbers(spacing)}, every number must be above 0")
    if not np.isfinite(origin).all():
        raise unreadable(path, f"field origin is {_numbers(origin)}, every number must be finite")
    if not np.isfinite(direction).all() or abs(np.linalg.det(direction)) < 1e-9:
        raise unreadable(path, f"field direction is {_numbers(direction)}, a matrix without an inverse")


def _numbers(values: NDArray[np.float64]) -> str:
    return "(" + ", ".join(format(value, ".6g") for value in values.ravel()) + ")"


def check_entries(path: str, entries: Mapping[str, str], dimension: int) -> None:
    """Refuse NIfTI voxel sizes that ITK would silently replace by 1.

    Raises
    ------
    FileError
        A size that is not above 0.
    """
    for axis in range(1, min(dimension, 3) + 1):
        text = entries.get(f"pixdim[{axis}]")
        if text is not None and not 0 < float(text) < float("inf"):
            raise unreadable(path, f"field pixdim[{axis}] is {text}, it must be above 0")


def check_header(path: str, header: ImageHeader) -> None:
    """Refuse sizes that the file cannot hold, before anything is allocated.

    Raises
    ------
    FileError
        An axis of length 0, or more voxels than the files could hold even when perfectly compressed.
    """
    if min(header.shape) < 1:
        raise unreadable(path, f"field size is {_size(header)}, every axis must have at least one voxel")
    available = _bytes_on_disk(Path(path))
    if header.byte_count > available * _DEFLATE_LIMIT:
        raise unreadable(
            path,
            f"field size is {_size(header)} {header.dtype.name}, {header.byte_count} bytes, "
            f"but there are only {available} bytes of data",
        )


def _size(header: ImageHeader) -> str:
    return " x ".join(str(length) for length in reversed(header.shape))


def _bytes_on_disk(path: Path) -> int:
    """The file, and for a detached header everything that lies beside it."""
    own = path.stat().st_size
    if full_suffix(path).lower() not in {".mhd", ".nhdr", ".hdr", ".hdr.gz", ".img", ".img.gz"}:
        return own
    with os.scandir(path.parent) as neighbours:
        return max(own, sum(file.stat().st_size for file in neighbours if file.is_file()))


def check_file(path: str, header: ImageHeader) -> None:
    """Refuse files whose missing end the readers would fill with zeros without a word (NIfTI, TIFF).

    Raises
    ------
    FileError
        The data are shorter than the header says.
    """
    if header.reader == "ITK NiftiImageIO":
        _check_nifti(Path(path), header)
    elif header.reader == "ITK TIFFImageIO":
        lost = missing_part(path)
        if lost:
            raise unreadable(path, f"the file is truncated: {lost}")


def _check_nifti(path: Path, header: ImageHeader) -> None:
    fields = {name: str(one["value"]) for name, one in header.properties.items()}
    suffix = full_suffix(path).lower()
    if "bitpix" not in fields or suffix == ".nia":
        return
    voxels = 1
    for axis in range(1, int(fields["dim[0]"]) + 1):
        voxels *= max(int(fields[f"dim[{axis}]"]), 1)
    needed = voxels * int(fields["bitpix"]) // 8 + int(float(fields["vox.offset"]))
    held = _held(_nifti_data(path), needed)
    if held < needed:
        raise unreadable(path, f"the file is truncated: the header needs {needed} bytes, there are {held}")


def _nifti_data(path: Path) -> Path:
    """The file with the voxels: of a pair .hdr/.img the second, compressed or not."""
    name = path.name
    for header, data in ((".hdr.gz", ".img.gz"), (".hdr", ".img")):
        if name.lower().endswith(header):
            stem = name[: -len(header)]
            candidates = (path.with_name(stem + data), path.with_name(stem + ".img.gz"))
            return next((one for one in candidates if one.exists()), path)
    return path


def _held(path: Path, needed: int) -> int:
    """Bytes in the file, unpacked if it is a gzip file; counting may stop at ``needed``."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b" or size < 18:
            return size
        file.seek(-4, os.SEEK_END)
        (promised,) = struct.unpack("<I", file.read(4))
    # The end of a whole gzip file says how long its content is; only when it disagrees is the content counted.
    return needed if promised == needed % 2**32 else _unpacked(path, needed)


def _unpacked(path: Path, enough: int) -> int:
    count = 0
    try:
        with gzip.open(path, "rb") as stream:
            while count < enough and (block := stream.read(1 << 20)):
                count += len(block)
    except (EOFError, OSError, zlib.error):
        pass
    return count


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


def disk_is_full(folder: Path) -> bool:
    """True where the file system of ``folder`` has no room left, which C++ writers do not always tell apart."""
    room: Any = os.statvfs(folder)
    return bool(room.f_bavail == 0)


def as_file_error(path: str, error: Exception) -> FileError:
    """Turn an exception of a reading library into the one-line error about the file."""
    return unreadable(path, " ".join(str(error).split())[:300] or type(error).__name__)
