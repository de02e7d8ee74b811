"""Is a TIFF file all there? libtiff shows the pages it finds and leaves it at that."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

__all__ = ["missing_part"]

_OFFSETS, _LENGTHS = {273, 324}, {279, 325}  # strips, tiles
_WIDTHS = {3: "H", 4: "I", 13: "I", 16: "Q"}


class _Layout(NamedTuple):
    """How numbers of a classic or of a big TIFF are packed."""

    order: str
    pointer: str
    number: str

    @property
    def entry(self) -> str:
        """Tag, type, number of values, value or its place."""
        return f"{self.order}HH{self.pointer}{struct.calcsize(self.pointer)}s"


def missing_part(path: str) -> str | None:
    """Return what a TIFF file refers to and does not contain, None if all is there.

    Only the chain of pages and the extents of their data are followed; reading stays with libtiff.
    """
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        try:
            return _walk(file, size)
        except struct.error:
            return "a page directory ends too early"


def _walk(file: BinaryIO, size: int) -> str | None:
    layout, position = _start(file)
    page, seen = 0, set[int]()
    while position and position not in seen:
        if position >= size:
            return f"page {page} should begin at byte {position}, the file has {size}"
        seen.add(position)
        end, position = _page(file, layout, position)
        if end > size:
            return f"the data of page {page} should end at byte {end}, the file has {size}"
        page += 1
    return None


def _start(file: BinaryIO) -> tuple[_Layout, int]:
    order = "<" if file.read(2) == b"II" else ">"
    (version,) = _unpack(file, order + "H")
    if version == 43:
        _, _, position = _unpack(file, order + "HHQ")
        return _Layout(order, "Q", "Q"), position
    (position,) = _unpack(file, order + "I")
    return _Layout(order, "I", "H"), position


def _page(file: BinaryIO, layout: _Layout, position: int) -> tuple[int, int]:
    """Return the byte after the last data of the page, and where the next page begins."""
    file.seek(position)
    (count,) = _unpack(file, layout.order + layout.number)
    entries = [_unpack(file, layout.entry) for _ in range(count)]
    (following,) = _unpack(file, layout.order + layout.pointer)
    offsets, lengths = [0], [0]
    for tag, kind, number, value in entries:
        if tag in _OFFSETS:
            offsets = _values(file, layout, kind, number, value)
        elif tag in _LENGTHS:
            lengths = _values(file, layout, kind, number, value)
    return max((start + length for start, length in zip(offsets, lengths, strict=False)), default=0), following


def _values(file: BinaryIO, layout: _Layout, kind: int, number: int, value: bytes) -> list[int]:
    code = _WIDTHS.get(kind, "I")
    packed = struct.calcsize("=" + code) * number
    if packed > len(value):
        file.seek(struct.unpack(layout.order + layout.pointer, value)[0])
        value = file.read(min(packed, os.fstat(file.fileno()).st_size))
    return list(struct.unpack_from(f"{layout.order}{number}{code}", value))


def _unpack(file: BinaryIO, code: str) -> tuple[Any, ...]:
    return struct.unpack(code, file.read(struct.calcsize(code)))
