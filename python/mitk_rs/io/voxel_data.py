"""Read the voxels that a file holds: raw, deflated or as text, and never one that it does not hold.

Every function fills an array of the promised size completely or raises :class:`mitk_rs.FileError`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import FileError, MemoryLimitError
from mitk_rs.io.checks import open_regular, shown, unreadable

__all__ = [
    "bytes_of",
    "deflated",
    "hexadecimal",
    "is_deflated",
    "native",
    "numbers",
    "raw",
    "unpacked_bytes",
    "zeros_of",
]

_GZIP = b"\x1f\x8b"
# A block of the file at a time; the bytes that it unpacks to are at most DEFLATE_LIMIT times as many.
_BLOCK = 1 << 13
# Compressed data may go on after the voxels, but not for longer than this.
_MOST_EXTRA = 1 << 26


def zeros_of(path: str, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array to fill, cleared, because it must never show what was in memory before.

    Raises
    ------
    MemoryLimitError
        The system does not give the memory; the message has the number of bytes.
    """
    try:
        return np.zeros(tuple(shape), dtype)
    except (MemoryError, ValueError) as error:
        count = math.prod(shape) * dtype.itemsize
        raise MemoryLimitError(f"cannot read {path}: not enough memory for the {count} bytes of its voxels") from error


def bytes_of(array: NDArray[Any]) -> memoryview:
    """Return the bytes of a contiguous array."""
    return memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type] # NumPy says it since 2.5


def native(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the byte order of this machine, changed in place."""
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder())


def raw(path: str, file: BinaryIO, out: NDArray[Any], *, at_end: bool = False) -> None:
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


def truncated(path: str, needed: int, held: int) -> FileError:
    """Make the error for data that end too early."""
    return unreadable(path, f"the file is truncated: its voxels need {needed} bytes, there are {held}")


def is_deflated(file: BinaryIO) -> bool:
    """Return True where the bytes that follow begin a gzip file; the position stays."""
    position = file.tell()
    start = file.read(2)
    file.seek(position)
    return start == _GZIP


def deflated(path: str, file: BinaryIO, out: NDArray[Any], *, skipped: int = 0, most: int | None = None) -> None:
    """Fill a contiguous array from the zlib or gzip data that follow in an open file.

    Parameters
    ----------
    path
        What errors name.
    file
        Opened, at the beginning of the data.
    out
        The array.
    skipped
        Number of unpacked bytes before the array's.
    most
        Number of bytes of the file that belong to the data; None for all that follow.

    Raises
    ------
    FileError
        The data are damaged, fail their checksum, end before the array is full, or go on for long after it.
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


def numbers(path: str, file: BinaryIO, out: NDArray[Any]) -> None:
    """Fill an array from numbers written as text.

    Raises
    ------
    FileError
        A word that is not a number of the array's type, too few of them, or a last one that may have been longer.
    """
    content = file.read(out.size * 64 + _BLOCK)
    words = content.split()
    if len(words) < out.size:
        raise unreadable(path, f"the file is truncated: {out.size} numbers are needed, there are {len(words)}")
    if len(words) == out.size and not content[-1:].isspace():
        raise unreadable(path, "the file is truncated: no space or end of line follows the last number")
    words = words[: out.size]
    kind = float if out.dtype.kind == "f" else int
    try:
        if any(b"_" in word for word in words):
            raise ValueError("a number has an underscore")
        out.reshape(-1)[:] = np.array([kind(word) for word in words], out.dtype)
    except (ValueError, OverflowError) as error:
        raise unreadable(path, f"its voxels are not all of type {out.dtype.name}: {shown(str(error))}") from error


def hexadecimal(path: str, file: BinaryIO, out: NDArray[Any]) -> None:
    """Fill an array from bytes written as hexadecimal digits; errors as for :func:`numbers`."""
    view = bytes_of(out)
    text = b"".join(file.read(len(view) * 4 + _BLOCK).split())[: 2 * len(view)]
    try:
        content = bytes.fromhex(text.decode("ascii"))
    except ValueError as error:
        raise unreadable(path, f"its voxels are not all hexadecimal digits: {shown(str(error))}") from error
    if len(content) < len(view):
        raise truncated(path, len(view), len(content))
    view[:] = content
