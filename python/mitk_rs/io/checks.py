"""Checks that come before any library sees a file: names, sizes, numbers, and where a header may point to.

Every refusal is one line that names the file, the field, the value that was found, and what is allowed.
"""

from __future__ import annotations

import errno
import io
import math
import mmap
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs import _platform, _validation
from mitk_rs.errors import FileError, FileMissingError, GeometryError
from mitk_rs.geometry import Frame
from mitk_rs.io.record import PathName

__all__ = [
    "MOST_ARRAYS",
    "MOST_COMPONENTS",
    "as_file_error",
    "check_bytes",
    "check_numbers",
    "check_path",
    "check_room",
    "check_shape",
    "data_file",
    "decoded",
    "frame",
    "mapped",
    "open_regular",
    "printable",
    "shown",
    "size_text",
    "typed_numbers",
    "unreadable",
]

# Deflate packs 1032 bytes into one at best, so no file can hold more voxels than this many times its size.
DEFLATE_LIMIT = 1032
# Files of VTK hold a few.
MOST_ARRAYS = 1000
MOST_COMPONENTS = 1024
# No axis and no product of axes goes beyond what a signed 64-bit number counts.
_MOST_BYTES = 1 << 62
# No system takes longer names.
_LONGEST_NAME = 32_767
# Python also takes underscores, and digits of other scripts, for parts of a number.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def unreadable(path: str | os.PathLike[str], reason: str) -> FileError:
    """Make the one-line error for a file that cannot be read."""
    return FileError(f"cannot read {os.fspath(path)}: {reason}")


def as_file_error(path: str, error: BaseException) -> FileError:
    """Turn an exception of a reading library into the one-line error about the file."""
    return unreadable(path, shown(str(error), 300) or type(error).__name__)


def decoded(text: bytes) -> str:
    """Return a text from a file: in UTF-8 or, where it is not that, in Latin-1."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def printable(path: str) -> str:
    """Return a name of a file in which bytes that are not UTF-8 are spelled out."""
    return path.encode("utf-8", "backslashreplace").decode()


# What a library takes beside its data: stacks and heaps of its threads, tables.
_SPARE = 64 << 20


def memory_is_limited() -> bool:
    """Return True where the system may refuse memory; most systems promise more than they have."""
    resource = _platform.process_limits()
    if resource is None:
        return True
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    if any(limit != resource.RLIM_INFINITY for limit in limits):
        return True
    policy = Path("/proc/sys/vm/overcommit_memory")
    return policy.exists() and policy.read_text().strip() == "2"


def check_room(count: int, what: str) -> None:
    """Ask the system for so many bytes, and some to spare, and give them back.

    Libraries in C++, and the threads that they start, end the process where memory is refused.

    Raises
    ------
    MemoryError
        The system refuses them.
    """
    try:
        np.empty(count + _SPARE, np.uint8)
    except (MemoryError, ValueError):
        raise MemoryError(f"out of memory: {what} takes up to {count} bytes") from None


def shown(text: str, length: int = 80) -> str:
    """Return a text from a file as part of one printable line."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "?" for letter in line[:length])


def check_path(path: PathName) -> str:
    """Return ``path`` as text if there is something to read.

    Raises
    ------
    FileMissingError
        There is no such file; ``errno`` and ``filename`` are set as in a ``FileNotFoundError``.
    FileError
        It is not a name, or a URL, a loop of links, a device, a pipe, empty, or not permitted.
    """
    name = _validation.path_name(path)
    if len(name) > _LONGEST_NAME:
        content = "; give the content of a file with format=" if isinstance(path, bytes) else ""
        raise unreadable(f"{name[:60]!r}...", f"{len(name)} letters are not the name of a file{content}")
    if "://" in name:
        raise unreadable(name, "URLs are not supported; download the file first")
    try:
        status = os.stat(name)  # noqa: PTH116 (a Path would hide the NUL in a name)
    except FileNotFoundError as error:
        raise _missing(name) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise unreadable(name, str(reason)) from error
    _check_kind(name, status)
    return name


def _missing(name: str) -> FileMissingError:
    error = FileMissingError(f"cannot read {name}: no such file")
    error.errno, error.filename = errno.ENOENT, name
    return error


def _check_kind(name: str, status: os.stat_result) -> None:
    is_folder = stat.S_ISDIR(status.st_mode)
    if not (is_folder or stat.S_ISREG(status.st_mode)):
        raise unreadable(name, "not a regular file")
    if not os.access(name, os.R_OK | (os.X_OK if is_folder else 0)):
        raise unreadable(name, "no permission")
    if not is_folder and status.st_size == 0:
        raise unreadable(name, "the file is empty (0 bytes)")


class _RegularFile(io.BufferedReader):
    """A file that never takes memory for more bytes than it has, whatever is asked for."""

    size = 1 << 62

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None or size < 0 else min(size, self.size))


def open_regular(path: str) -> BinaryIO:
    """Open a file for reading; a pipe or a device that took its name is refused without waiting for it."""
    try:
        raw = io.FileIO(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
    except (OSError, ValueError) as error:
        raise as_file_error(path, error) from error
    try:
        status = os.fstat(raw.fileno())
        _check_kind(path, status)
    except BaseException:
        raw.close()
        raise
    file = _RegularFile(raw, 1 << 16)
    file.size = status.st_size
    return file


@contextmanager
def mapped(path: str) -> Iterator[mmap.mmap]:
    """Give the content of a file."""
    with open_regular(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def data_file(header: str, name: str, *, anywhere: bool) -> str:
    """Return the path of a file that a header names.

    Parameters
    ----------
    header
        The path of the header.
    name
        The name that the header gives, relative to the header's folder.
    anywhere
        Accept a file outside the header's folder.

    Raises
    ------
    FileError
        There is no such regular file, it is empty, or it lies outside the header's folder.
    """
    if "\0" in name:
        raise unreadable(header, f"its data file {shown(name)!r}: not a file name")
    folder = os.path.dirname(os.path.abspath(header))  # noqa: PTH100, PTH120
    path = os.path.join(folder, name or ".")  # noqa: PTH118
    real, home = os.path.realpath(path), os.path.realpath(folder)
    if not anywhere and os.path.commonpath([real, home]) != home:
        raise unreadable(
            header,
            f"its data file {shown(name)!r} is outside the folder of the header; "
            "allow_other_folders=True (--allow-other-folders) reads it",
        )
    try:
        status = os.stat(real)  # noqa: PTH116
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not a file name").lower()
        raise unreadable(header, f"its data file {shown(name)!r}: {reason}") from error
    if stat.S_ISDIR(status.st_mode):
        raise unreadable(header, f"its data file {shown(name)!r} is a folder")
    try:
        _check_kind(real, status)
    except FileError as error:
        raise unreadable(header, f"its data file {shown(name)!r}: {str(error).rsplit(': ', 1)[1]}") from None
    return path


def frame(path: str, spacing: ArrayLike, origin: ArrayLike, direction: ArrayLike) -> Frame:
    """Return the frame of an image, or refuse a geometry that no image can have, naming the field.

    Raises
    ------
    FileError
        Spacing not above 0 or out of range, a number that is not finite, or a direction matrix without an inverse.
    """
    try:
        placed = Frame(spacing=_validation.spacing(spacing), origin=_validation.triple(origin, "origin"))
        return placed.with_direction(np.asarray(direction) + 0.0)
    except GeometryError as error:
        raise unreadable(path, f"field {error}") from error


def check_numbers(path: str, name: str, text: str, count: int | None = None) -> list[float]:
    """Return the numbers of a header field.

    Raises
    ------
    FileError
        A word that is not a finite number, or not ``count`` of them.
    """
    words = text.split()
    numbers = [float(word) if _NUMBER.fullmatch(word) else math.nan for word in words]
    if not all(map(math.isfinite, numbers)):
        raise unreadable(path, f"field {name} is {shown(text)!r}, which is not a list of finite numbers")
    if count is not None and len(numbers) != count:
        raise unreadable(path, f"field {name} has {len(numbers)} numbers, {count} are needed")
    return numbers


def check_shape(path: str, lengths: Iterable[int], itemsize: int = 1) -> None:
    """Refuse axes that no image has, before anything is computed from them.

    Raises
    ------
    FileError
        An axis below 1, or more bytes than can be counted.
    """
    listed = list(lengths)
    if min(listed) < 1:
        raise unreadable(path, f"field size is {size_text(listed)}, every axis must have at least one voxel")
    if math.prod(listed) * itemsize > _MOST_BYTES:
        raise unreadable(path, f"field size is {size_text(listed)}, more than any file can hold")


def check_bytes(
    path: str, shape: Iterable[int], dtype: np.dtype[Any], available: int, *, packing: float = DEFLATE_LIMIT
) -> None:
    """Refuse sizes that ``available`` bytes cannot hold, before memory is taken.

    Parameters
    ----------
    path
        What the error names.
    shape, dtype
        Lengths of the axes, slowest first, and type of the voxels.
    available
        Bytes that there are.
    packing
        How many bytes of voxels one of them holds at most.

    Raises
    ------
    FileError
        Naming size, type and bytes.
    """
    lengths = list(shape)
    check_shape(path, lengths, dtype.itemsize)
    needed = math.prod(lengths) * dtype.itemsize
    if needed > available * packing:
        raise unreadable(
            path,
            f"field size is {size_text(lengths)} {dtype.name}, {needed} bytes, "
            f"but there are only {available} bytes of data",
        )


def size_text(shape: Iterable[int]) -> str:
    """Return the lengths of an array's axes in the order x, y, z, t."""
    return " x ".join(str(length) for length in reversed(list(shape)))


def typed_numbers(path: str, name: str, words: Sequence[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers written as text, all of them within their type."""
    try:
        if any((b"_" if isinstance(word, bytes) else "_") in word for word in words):
            raise ValueError("a number has an underscore")
        if dtype.kind == "f":
            with np.errstate(over="ignore"):
                return np.array([float(word) for word in words]).astype(dtype)
        return np.array([int(word) for word in words], dtype.newbyteorder("="))
    except (ValueError, OverflowError) as error:
        reason = shown(str(error))
        raise unreadable(path, f"array {name} has a number that is not of type {dtype.name}: {reason}") from error
