"""Strict grammar of VTK's legacy files, ``.vtk``: what VTK's readers would trust without looking.

:func:`check_legacy` walks through a whole file: every array must have a known type, a number of values that fits the
grid or the points, and all of its bytes in the file. VTK reads the file afterwards.
"""

from __future__ import annotations

import itertools
import math
import mmap
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from mitk_rs.io.checks import (
    MOST_ARRAYS,
    MOST_COMPONENTS,
    check_numbers,
    check_shape,
    decoded,
    mapped,
    shown,
    typed_numbers,
    unreadable,
)

__all__ = ["LegacyGrid", "check_legacy"]

_LONGEST_NAME = 256
_LEGACY_TYPES = {
    "char": "i1",
    "signed_char": "i1",
    "unsigned_char": "u1",
    "short": "i2",
    "unsigned_short": "u2",
    "int": "i4",
    "unsigned_int": "u4",
    "long": "i8",
    "unsigned_long": "u8",
    "vtkidtype": "i4",
    "vtktypeint64": "i8",
    "vtktypeuint64": "u8",
    "long_long": "i8",
    "unsigned_long_long": "u8",
    "float": "f4",
    "double": "f8",
}
_ONE_EACH = {
    "VECTORS": 3,
    "NORMALS": 3,
    "TENSORS": 9,
    "TENSORS6": 6,
    "GLOBAL_IDS": 1,
    "PEDIGREE_IDS": 1,
    "EDGE_FLAGS": 1,
}
_LEGACY_CELLS = ("VERTICES", "LINES", "POLYGONS", "TRIANGLE_STRIPS")


@dataclass
class LegacyGrid:
    """What a legacy file says of its grid.

    Attributes
    ----------
    lengths, spacing, origin
        Along x, y, z.
    scalars
        Type and components of the numbers at the points: the first ``SCALARS``, else the first array.
    texts
        Texts of fields.
    """

    lengths: tuple[int, ...] = ()
    spacing: tuple[float, ...] = (1.0, 1.0, 1.0)
    origin: tuple[float, ...] = (0.0, 0.0, 0.0)
    scalars: tuple[str, int] | None = None
    texts: dict[str, str] = field(default_factory=dict)
    is_active: bool = False


def check_legacy(path: str, kind: str, *, header_only: bool = False) -> LegacyGrid:
    """Refuse a legacy VTK file that does not follow the grammar to its end.

    Parameters
    ----------
    path
        ``.vtk``.
    kind
        ``ImageData`` or ``PolyData``.
    header_only
        Stop where numbers written as text begin.

    Raises
    ------
    FileError
        Naming what is wrong and at which byte.
    """
    with mapped(path) as content:
        walk = _Legacy(path, content, {"ImageData": "STRUCTURED_POINTS", "PolyData": "POLYDATA"}[kind])
        walk.stops_early = header_only
        walk.check()
        return walk.grid


class _Legacy:
    """A walk through a legacy file."""

    def __init__(self, path: str, content: mmap.mmap, kind: str) -> None:
        self.path, self.content, self.kind = path, content, kind
        self.at = 0
        self.points: int | None = None
        self.cells = 0
        self.is_binary = self.in_cells = False
        self.version = (3, 0)
        self.grid = LegacyGrid()
        self.stops_early = False

    def bad(self, what: str) -> Exception:
        return unreadable(self.path, f"{what} at byte {self.at}")

    def check(self) -> None:
        self._check_start()
        count = None
        arrays = 0
        while (word := self.peek()) is not None:
            arrays += 1
            if arrays > MOST_ARRAYS:
                raise self.bad(f"more than {MOST_ARRAYS} arrays")
            keyword = word.upper()
            if keyword in ("POINT_DATA", "CELL_DATA"):
                self.word()
                expected = self.points if keyword == "POINT_DATA" else self.cells
                count = self.whole(keyword)
                self.in_cells = keyword == "CELL_DATA"
                if expected is None or (keyword == "POINT_DATA" and count != expected):
                    raise self.bad(f"field {keyword} is {count}, the grid has {expected}")
            elif keyword == "FIELD":
                self.word()
                self._field(is_voxels=count is not None)
            elif keyword == "METADATA":
                self._metadata()
            elif count is None:
                self._structure(keyword)
            else:
                self._attribute(keyword, count)
            if self.stops_early and not self.is_binary and self.grid.scalars:
                break
        if self.points is None:
            raise self.bad("the file is truncated: there is no grid")
        if count and keyword in ("POINT_DATA", "CELL_DATA"):
            raise self.bad(f"the file is truncated: no array follows {keyword} {count}")

    def _check_start(self) -> None:
        start = re.match(rb"# vtk DataFile Version (\d)\.(\d)\s*?\n", self.content[:256], re.IGNORECASE)
        if start is None:
            raise unreadable(self.path, "it does not begin with '# vtk DataFile Version'")
        self.version = int(start[1]), int(start[2])
        self.at = start.end()
        self.line()
        mode = self.line().strip().upper()
        if mode not in (b"ASCII", b"BINARY"):
            raise self.bad(f"{shown(mode.decode('latin-1'))!r} in place of ASCII or BINARY")
        self.is_binary = mode == b"BINARY"
        if self.word().upper() != "DATASET" or self.word().upper() != self.kind:
            raise self.bad(f"no DATASET {self.kind}")

    def line(self) -> bytes:
        """The rest of the line."""
        end = self.content.find(b"\n", self.at, self.at + _LONGEST_NAME)
        if end < 0:
            raise self.bad(f"a line of more than {_LONGEST_NAME} characters, or the end of the file")
        text = self.content[self.at : end]
        self.at = end + 1
        return text

    def peek(self) -> str | None:
        """The next word; None at the end of the file."""
        before = self.at
        found = _WORD.match(self.content, self.at)
        if found is None or not found[1]:
            return None
        self.at = before
        if len(found[1]) > _LONGEST_NAME:
            raise self.bad(f"a word of {len(found[1])} characters")
        return found[1].decode("latin-1")

    def word(self) -> str:
        word = self.peek()
        found = _WORD.match(self.content, self.at)
        if word is None or found is None:
            raise self.bad("the file is truncated: a word is missing")
        self.at = found.end()
        return word

    def whole(self, name: str) -> int:
        word = self.word()
        if not re.fullmatch(r"\d{1,15}", word):
            raise self.bad(f"field {name} is {shown(word)!r}, which is not a whole number")
        return int(word)

    def _structure(self, keyword: str) -> None:
        self.word()
        if self.kind == "POLYDATA":
            self._polydata(keyword)
        elif keyword == "DIMENSIONS":
            lengths = [self.whole(keyword) for _ in range(3)]
            check_shape(self.path, reversed(lengths), itemsize=8)
            self.points, self.grid.lengths = math.prod(lengths), tuple(lengths)
            self.cells = math.prod(max(length - 1, 1) for length in lengths)
            if self.points > len(self.content) * 8:
                raise unreadable(
                    self.path, f"field DIMENSIONS promises {self.points} voxels, the file has {len(self.content)} bytes"
                )
        elif keyword in ("SPACING", "ASPECT_RATIO", "ORIGIN"):
            numbers = tuple(check_numbers(self.path, keyword, " ".join(self.word() for _ in range(3)), 3))
            if keyword == "ORIGIN":
                self.grid.origin = numbers
            else:
                self.grid.spacing = numbers
        else:
            raise self.bad(f"unknown word {shown(keyword)!r}")

    def _polydata(self, keyword: str) -> None:
        if keyword == "POINTS":
            self.points = self.whole(keyword)
            self._data(self.word(), self.points * 3, keyword)
        elif keyword in _LEGACY_CELLS and self.points is not None:
            count, size = self.whole(keyword), self.whole(keyword)
            self.cells += max(count - 1, 0) if self.version >= (5, 1) else count
            self._cells(keyword, count, size)
        else:
            raise self.bad(f"unknown word {shown(keyword)!r}")

    def _cells(self, keyword: str, count: int, size: int) -> None:
        """Cells must use points that are there: VTK does not look."""
        if self.version < (5, 1):
            listed = self._data("int", size, keyword)
            at = cells = 0
            used = []
            while at < size:
                length = int(listed[at])
                if length < 0 or at + length >= size:
                    raise self.bad(f"field {keyword}: a cell of {length} points")
                used.append(listed[at + 1 : at + 1 + length])
                at += length + 1
                cells += 1
            if cells != count:
                raise self.bad(f"field {keyword}: {cells} cells, {count} are needed")
            connectivity = np.concatenate(used) if used else np.zeros(0, np.int64)
        else:
            offsets = self._part("OFFSETS", count)
            connectivity = self._part("CONNECTIVITY", size)
            if count and (offsets[0] != 0 or offsets[-1] != size or (np.diff(offsets) < 0).any()):
                raise self.bad(f"field {keyword}: offsets that do not fit")
        if connectivity.size and not (connectivity.min() >= 0 and connectivity.max() < (self.points or 0)):
            raise unreadable(self.path, f"a cell uses point {connectivity.max()} of {self.points}")

    def _part(self, keyword: str, count: int) -> NDArray[Any]:
        if self.word().upper() != keyword:
            raise self.bad(f"no {keyword}")
        return self._data(self.word(), count, keyword)

    def _attribute(self, keyword: str, count: int) -> None:
        self.word()
        name = self.word()
        if keyword == "SCALARS":
            kind, components = self.word(), 1
            if re.fullmatch(r"\d+", self.peek() or ""):
                components = self.whole(keyword)
            self._check_components(components, keyword)
            if (self.peek() or "").upper() == "LOOKUP_TABLE":
                self.word()
                self.word()
            self._note(kind, components, is_active=True)
            self._data(kind, count * components, name)
        elif keyword == "COLOR_SCALARS":
            components = self.whole(keyword)
            self._check_components(components, keyword)
            self._note("unsigned_char", components, is_active=True)
            self._data("unsigned_char" if self.is_binary else "float", count * components, name)
        elif keyword == "LOOKUP_TABLE":
            size = self.whole(keyword)
            self._data("unsigned_char" if self.is_binary else "float", size * 4, name)
        elif keyword == "TEXTURE_COORDINATES":
            components = self.whole(keyword)
            self._check_components(components, keyword)
            kind = self.word()
            self._note(kind, components)
            self._data(kind, count * components, name)
        elif keyword in _ONE_EACH:
            kind = self.word()
            self._note(kind, _ONE_EACH[keyword])
            self._data(kind, count * _ONE_EACH[keyword], name)
        else:
            raise self.bad(f"unknown word {shown(keyword)!r}")

    def _note(self, kind: str, components: int, *, is_active: bool = False) -> None:
        """Remember the numbers that become voxels."""
        if self.in_cells or (self.grid.scalars and not (is_active and not self.grid.is_active)):
            return
        self.grid.scalars = (_LEGACY_TYPES.get(kind.lower(), "V"), components)
        self.grid.is_active = is_active

    def _check_components(self, components: int, keyword: str) -> None:
        if not 1 <= components <= MOST_COMPONENTS:
            raise self.bad(f"field {keyword} has {components} components, 1 to {MOST_COMPONENTS} are possible")

    def _field(self, *, is_voxels: bool) -> None:
        self.word()
        count = self.whole("FIELD")
        if count > MOST_ARRAYS:
            raise self.bad(f"field FIELD has {count} arrays")
        for _ in range(count):
            if (self.peek() or "").upper() == "METADATA":
                self._metadata()
            name = self.word()
            if name.upper() == "NULL_ARRAY":
                continue
            components, tuples = self.whole(name), self.whole(name)
            self._check_components(max(components, 1), name)
            kind = self.word()
            if kind.lower() == "string":
                self._texts(components * tuples, name)
                continue
            if is_voxels:
                self._note(kind, components)
            self._data(kind, components * tuples, name)

    def _metadata(self) -> None:
        """Lines up to an empty one."""
        self.word()
        self.line()
        while self.line().strip():
            pass

    def _texts(self, count: int, name: str) -> None:
        """Texts of a field: a line each, or length and bytes."""
        self._end_of_line()
        for number in range(count):
            begin = self.at
            if self.is_binary:
                length = self._text_length()
                if self.at + length > len(self.content):
                    raise self.bad(f"the file is truncated: a text of {length} bytes")
                begin, self.at = self.at, self.at + length
                text = decoded(self.content[begin : self.at])
            else:
                end = self.content.find(b"\n", self.at)
                if end < 0:
                    raise self.bad("the file is truncated: a text has no end")
                self.at = end + 1
                text = unquote(decoded(self.content[begin:end]))
            if number == 0:
                self.grid.texts[unquote(name)] = text

    def _text_length(self) -> int:
        """The top two bits of the first byte say how many bytes the length has."""
        first = self.content[self.at : self.at + 1]
        if not first:
            raise self.bad("the file is truncated: a text is missing")
        count = {3: 1, 2: 2, 1: 4, 0: 8}[first[0] >> 6]
        number = int.from_bytes(self.content[self.at : self.at + count], "big")
        self.at += count
        return number & ((1 << (8 * count - 2)) - 1)

    def _end_of_line(self) -> None:
        rest = self.line()
        if rest.strip():
            raise self.bad(f"{shown(rest.decode('latin-1'))!r} at the end of a line")

    def _data(self, kind: str, count: int, name: str) -> NDArray[Any]:
        """Walk over the numbers of an array and return those of cells; others as they are in the file."""
        if kind.lower() == "bit":
            dtype, values = np.dtype("u1"), -(-count // 8) if self.is_binary else count
        else:
            code = _LEGACY_TYPES.get(kind.lower())
            if code is None:
                raise self.bad(f"array {shown(name)!r} has type {shown(kind)!r}; known are {', '.join(_LEGACY_TYPES)}")
            dtype, values = np.dtype(code).newbyteorder(">"), count
        if not self.is_binary:
            return self._ascii(dtype, values, name)
        self._end_of_line()
        size = values * dtype.itemsize
        if self.at + size > len(self.content):
            held = len(self.content) - self.at
            raise unreadable(
                self.path, f"the file is truncated: array {shown(name)!r} needs {size} bytes, there are {held}"
            )
        begin, self.at = self.at, self.at + size
        return np.frombuffer(self.content[begin : self.at], dtype) if self.kind == "POLYDATA" else np.zeros(0)

    def _ascii(self, dtype: np.dtype[Any], count: int, name: str) -> NDArray[Any]:
        if count * 2 > len(self.content) - self.at + 1:
            raise self.bad(f"the file is truncated: array {shown(name)!r} needs {count} numbers")
        words = []
        for found in itertools.islice(_WORD.finditer(self.content, self.at), count):
            words.append(found[1])
            self.at = found.end()
        if len(words) < count or (words and not words[-1]):
            raise self.bad(
                f"the file is truncated: array {shown(name)!r} needs {count} numbers, there are {len(words)}"
            )
        if count and self.at == len(self.content):
            raise self.bad("the file may be truncated: no end of line follows the last number")
        return typed_numbers(self.path, repr(shown(name)), words, dtype)


_WORD = re.compile(rb"\s*(\S*)")
