"""What comes before any library sees a file, and the voxels that a file holds.

Checks of names, sizes, numbers, and of where a header may point to; every refusal is one line that names the file, the
field, the value that was found, and what is allowed. Voxels that are raw, deflated or text fill an array completely, or
the file is refused.
"""

from __future__ import annotations

import errno
import io
import math
import mmap
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs import _platform, _validation
from mitk_rs.errors import FileError, FileMissingError, GeometryError, MemoryLimitError
from mitk_rs.geometry import Frame
from mitk_rs.io.atomic import PathName, full_suffix

# Deflate packs 1032 bytes into one at best, so no file can hold more voxels than this many times its size.
DEFLATE_LIMIT = 1032
# No axis and no product of axes goes beyond what a signed 64-bit number counts.
_MOST_BYTES = 1 << 62
# No system takes longer names.
_LONGEST_NAME = 32_767
# Python also takes underscores, and digits of other scripts, for parts of a number.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

# --- errors and texts --------------------------------------------------------------------------------------------


def unreadable(path: str | os.PathLike[str], reason: str) -> FileError:
    """Make the one-line error for a file that cannot be read."""
    return FileError(f"cannot read {os.fspath(path)}: {reason}")


def as_file_error(path: str, error: BaseException) -> FileError:
    """Turn an exception of a reading library into the one-line error about the file."""
    return unreadable(path, shown(str(error), 300) or type(error).__name__)


def truncated(path: str, needed: int, held: int) -> FileError:
    """Make the error for voxels that end too early."""
    return unreadable(path, f"the file is truncated: its voxels need {needed} bytes, there are {held}")


def decoded(text: bytes) -> str:
    """Return a text from a file: in UTF-8 or, where it is not that, in Latin-1."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def printable(path: str) -> str:
    """Return a name of a file in which bytes that are not UTF-8 are spelled out."""
    return path.encode("utf-8", "backslashreplace").decode()


def shown(text: str, length: int = 80) -> str:
    """Return a text from a file as part of one printable line."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "?" for letter in line[:length])


def size_text(shape: Iterable[int]) -> str:
    """Return the lengths of an array's axes in the order x, y, z, t."""
    return " x ".join(str(length) for length in reversed(list(shape)))


# --- memory ------------------------------------------------------------------------------------------------------

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
    """Ask the system for so many bytes, and some to spare, and give them back; a ``MemoryError`` says that it refuses.

    Libraries in C++, and the threads that they start, end the process where memory is refused.
    """
    try:
        np.empty(count + _SPARE, np.uint8)
    except (MemoryError, ValueError):
        raise MemoryError(f"out of memory: {what} takes up to {count} bytes") from None


def zeros_of(path: str, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array to fill, cleared, because it must never show what was in memory before."""
    try:
        return np.zeros(tuple(shape), dtype)
    except (MemoryError, ValueError) as error:
        count = math.prod(shape) * dtype.itemsize
        raise MemoryLimitError(f"cannot read {path}: not enough memory for the {count} bytes of its voxels") from error


# --- files -------------------------------------------------------------------------------------------------------


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
        missing = FileMissingError(f"cannot read {name}: no such file")
        missing.errno, missing.filename = errno.ENOENT, name
        raise missing from error
    except (OSError, ValueError) as error:
        raise unreadable(name, _reason(error)) from error
    _check_kind(name, status)
    return name


def _reason(error: OSError | ValueError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else "not a file name"


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
    with open_regular(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def is_utf8(text: str) -> bool:
    """Return False for names that came from bytes that are not UTF-8."""
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


@contextmanager
def alias(path: str) -> Iterator[str]:
    """Give a name that libraries understand: one that is not UTF-8 would end the process in ITK."""
    if is_utf8(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="mitk_rs-") as folder:
        link = Path(folder, "file" + full_suffix(path).encode("ascii", "ignore").decode())
        link.symlink_to(os.path.realpath(path))
        yield os.fspath(link)


def data_file(header: str, name: str, *, anywhere: bool) -> str:
    """Return the path of a file that a header names relative to its own folder; outside of it only if ``anywhere``."""
    what = f"its data file {shown(name)!r}"
    if "\0" in name:
        raise unreadable(header, f"{what}: not a file name")
    folder = os.path.dirname(os.path.abspath(header))  # noqa: PTH100, PTH120
    path = os.path.join(folder, name or ".")  # noqa: PTH118
    real, home = os.path.realpath(path), os.path.realpath(folder)
    if not anywhere and os.path.commonpath([real, home]) != home:
        option = "allow_other_folders=True (--allow-other-folders) reads it"
        raise unreadable(header, f"{what} is outside the folder of the header; {option}")
    try:
        status = os.stat(real)  # noqa: PTH116
    except (OSError, ValueError) as error:
        raise unreadable(header, f"{what}: {_reason(error).lower()}") from error
    if stat.S_ISDIR(status.st_mode):
        raise unreadable(header, f"{what} is a folder")
    try:
        _check_kind(real, status)
    except FileError as error:
        raise unreadable(header, f"{what}: {str(error).rsplit(': ', 1)[1]}") from None
    return path


# --- fields of headers -------------------------------------------------------------------------------------------


def frame(path: str, spacing: ArrayLike, origin: ArrayLike, direction: ArrayLike) -> Frame:
    """Return the frame of an image, or refuse a geometry that no image can have, naming the field."""
    try:
        placed = Frame(spacing=_validation.spacing(spacing), origin=_validation.triple(origin, "origin"))
        return placed.with_direction(np.asarray(direction) + 0.0)
    except GeometryError as error:
        raise unreadable(path, f"field {error}") from error


def check_numbers(path: str, name: str, text: str, count: int | None = None) -> list[float]:
    """Return the finite numbers of a header field, ``count`` of them."""
    words = text.split()
    numbers = [float(word) if _NUMBER.fullmatch(word) else math.nan for word in words]
    if not all(map(math.isfinite, numbers)):
        raise unreadable(path, f"field {name} is {shown(text)!r}, which is not a list of finite numbers")
    if count is not None and len(numbers) != count:
        raise unreadable(path, f"field {name} has {len(numbers)} numbers, {count} are needed")
    return numbers


def check_shape(path: str, lengths: Iterable[int], itemsize: int = 1) -> None:
    """Refuse axes that no image has, before anything is computed from them."""
    listed = list(lengths)
    if min(listed) < 1:
        raise unreadable(path, f"field size is {size_text(listed)}, every axis must have at least one voxel")
    if math.prod(listed) * itemsize > _MOST_BYTES:
        raise unreadable(path, f"field size is {size_text(listed)}, more than any file can hold")


def check_bytes(
    path: str, shape: Iterable[int], dtype: np.dtype[Any], available: int, *, packing: float = DEFLATE_LIMIT
) -> None:
    """Refuse a shape (slowest axis first) that ``available`` bytes cannot hold, each at most ``packing`` of the voxels.

    So no memory is taken for it.
    """
    lengths = list(shape)
    check_shape(path, lengths, dtype.itemsize)
    needed = math.prod(lengths) * dtype.itemsize
    if needed > available * packing:
        size = f"{size_text(lengths)} {dtype.name}, {needed} bytes"
        raise unreadable(path, f"field size is {size}, but there are only {available} bytes of data")


def typed_numbers(path: str, what: str, words: Sequence[str] | Sequence[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers written as text, all of them within their type; ``what`` is not, in the words of the error."""
    try:
        if any((b"_" if isinstance(word, bytes) else "_") in word for word in words):  # type: ignore[operator]
            raise ValueError("a number has an underscore")
        if dtype.kind == "f":
            with np.errstate(over="ignore"):
                return np.array([float(word) for word in words]).astype(dtype)
        return np.array([int(word) for word in words], dtype.newbyteorder("="))
    except (ValueError, OverflowError) as error:
        raise unreadable(path, f"{what} of type {dtype.name}: {shown(str(error))}") from error


# --- voxels ------------------------------------------------------------------------------------------------------

_GZIP = b"\x1f\x8b"
# A block of the file at a time; the bytes that it unpacks to are at most DEFLATE_LIMIT times as many.
_BLOCK = 1 << 13
# Compressed data may go on after the voxels, but not for longer than this.
_MOST_EXTRA = 1 << 26


def bytes_of(array: NDArray[Any]) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type] # NumPy says it since 2.5


def native(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the byte order of this machine, changed in place."""
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder())


def read_raw(path: str, file: BinaryIO, out: NDArray[Any], *, at_end: bool = False) -> None:
    """Fill a contiguous array with the bytes that follow in an open file, or with its last bytes."""
    view = bytes_of(out)
    begin = file.tell()
    held = file.seek(0, os.SEEK_END) - begin
    if held < len(view):
        raise truncated(path, len(view), max(held, 0))
    file.seek(-len(view) if at_end else begin, os.SEEK_END if at_end else os.SEEK_SET)
    done = 0
    while done < len(view) and (count := file.readinto(view[done : done + (1 << 24)])):  # type: ignore[attr-defined]
        done += count
    if done < len(view):
        raise truncated(path, len(view), done)


def is_deflated(file: BinaryIO) -> bool:
    """Return True where the bytes that follow begin a gzip file; the position stays."""
    position = file.tell()
    start = file.read(2)
    file.seek(position)
    return start == _GZIP


def read_deflated(path: str, file: BinaryIO, out: NDArray[Any], *, skipped: int = 0, most: int | None = None) -> None:
    """Fill a contiguous array from the zlib or gzip data that follow in an open file.

    The array begins ``skipped`` unpacked bytes after their beginning; ``most`` bytes of the file belong to the data.
    Data that fail their checksum, end before the array is full, or go on for long after it, are refused.
    """
    view = bytes_of(out)
    stream = _Inflater(path, file, most)
    done = 0
    for block in stream:
        begin = min(skipped, len(block))
        skipped -= begin
        taken = min(len(block) - begin, len(view) - done)
        view[done : done + taken] = block[begin : begin + taken]
        done += taken
        stream.extra += len(block) - begin - taken
    if done < len(view) or not stream.is_complete:
        raise truncated(path, len(view), done)


def unpacked_bytes(path: str, count: int) -> bytes:
    """Return the first ``count`` bytes of a file, unpacked if it is a gzip file; fewer if there are no more."""
    with open_regular(path) as file:
        if not is_deflated(file):
            return file.read(count)
        content = b""
        for block in _Inflater(path, file, None):
            content += block
            if len(content) >= count:
                break
        return content[:count]


class _Inflater:
    """The unpacked blocks of zlib data, or of the members of a gzip file."""

    def __init__(self, path: str, file: BinaryIO, most: int | None) -> None:
        self.path, self._file = path, file
        self._left = 1 << 62 if most is None else most
        self._bits = 31 if is_deflated(file) else 15
        self.is_complete = False
        self.extra = 0

    def __iter__(self) -> Iterator[bytes]:
        from isal import isal_zlib

        decoder = None
        while data := self._read(_BLOCK):
            while data:
                if decoder is None:
                    following = self._next_member(data) if self.is_complete else data
                    if following is None:
                        return
                    data, decoder = following, isal_zlib.decompressobj(self._bits)
                    self.is_complete = not data
                try:
                    yield decoder.decompress(data)
                except (isal_zlib.error, ValueError) as error:  # type: ignore[misc] # its stub has no class
                    raise unreadable(self.path, f"the compressed data are damaged: {error}") from error
                data = decoder.unused_data
                if decoder.eof:
                    decoder, self.is_complete = None, True
            if self.extra > _MOST_EXTRA:
                raise unreadable(self.path, f"the compressed data go on for {self.extra} bytes after the voxels")

    def _read(self, count: int) -> bytes:
        data = self._file.read(min(count, self._left))
        self._left -= len(data)
        return data

    def _next_member(self, data: bytes) -> bytes | None:
        """What follows the end of compressed data: another member, zeros that pad it, or something else (None)."""
        data = data.lstrip(b"\0") if self._bits > 15 else data
        data += self._read(1) if len(data) == 1 else b""
        return data if self._bits > 15 and data.startswith(_GZIP[: len(data)]) else None


def read_numbers(path: str, file: BinaryIO, out: NDArray[Any]) -> None:
    """Fill an array from numbers written as text; the last one must end, for it may have been longer."""
    content = file.read(out.size * 64 + _BLOCK)
    words = content.split()
    if len(words) < out.size:
        raise unreadable(path, f"the file is truncated: {out.size} numbers are needed, there are {len(words)}")
    if len(words) == out.size and not content[-1:].isspace():
        raise unreadable(path, "the file is truncated: no space or end of line follows the last number")
    out.reshape(-1)[:] = typed_numbers(path, "its voxels are not all", words[: out.size], out.dtype)


def read_hexadecimal(path: str, file: BinaryIO, out: NDArray[Any]) -> None:
    """Fill an array from bytes written as hexadecimal digits."""
    view = bytes_of(out)
    text = b"".join(file.read(len(view) * 4 + _BLOCK).split())[: 2 * len(view)]
    try:
        content = bytes.fromhex(text.decode("ascii"))
    except ValueError as error:
        raise unreadable(path, f"its voxels are not all hexadecimal digits: {shown(str(error))}") from error
    if len(content) < len(view):
        raise truncated(path, len(view), len(content))
    view[:] = content
