"""Strict grammar of VTK's files, ``.vti``, ``.vtp`` and ``.vtk``: what VTK's readers would trust without looking.

:func:`check_xml` and :func:`check_legacy` walk through a whole file: every array must have a known type, a number of
values that fits the grid or the points, and all of its bytes in the file. VTK reads the file afterwards. ``kind`` is
``ImageData`` or ``PolyData``.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import math
import mmap
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import FileError
from mitk_rs.io.checks import check_numbers, check_shape, decoded, mapped, shown, typed_numbers, unreadable

# Files of VTK hold a few.
_MOST_ARRAYS, _MOST_PIECES, _MOST_COMPONENTS, _MOST_TEXTS = 1000, 64, 1024, 1 << 20

# --- XML ---------------------------------------------------------------------------------------------------------

_XML_TYPES = {
    f"{name}{8 * size}": f"{code}{size}" for size in (1, 2, 4, 8) for name, code in (("Int", "i"), ("UInt", "u"))
} | {"Float32": "f4", "Float64": "f8"}
_COMPRESSORS = {"", "vtkZLibDataCompressor", "vtkLZ4DataCompressor", "vtkLZMADataCompressor"}
_CELLS = {"Verts": "NumberOfVerts", "Lines": "NumberOfLines", "Strips": "NumberOfStrips", "Polys": "NumberOfPolys"}
_MOST_TUPLES = 1 << 40


@dataclass
class _Array:
    """One ``DataArray`` or ``Array`` element, with the names of those around it and the attributes of its piece."""

    attributes: Mapping[str, str]
    parents: tuple[str, ...]
    piece: Mapping[str, str]
    text: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return repr(shown(self.attributes.get("Name", "")))


def check_xml(path: str, kind: str) -> None:
    """Refuse a VTK XML file whose arrays are not all there, or whose attributes VTK would misunderstand."""
    with mapped(path) as content:
        _Xml(path, content, kind).check()


class _Xml:
    """The elements of a document, up to its appended data, and their checks."""

    def __init__(self, path: str, content: mmap.mmap, kind: str) -> None:
        self.path, self.content, self.kind = path, content, kind
        self.root: Mapping[str, str] = {}
        self.data: Mapping[str, str] = {}
        self.pieces: list[Mapping[str, str]] = []
        self.arrays: list[_Array] = []
        self.encoding, self.appended = "", 0

    def bad(self, what: str) -> FileError:
        return unreadable(self.path, what)

    def check(self) -> None:
        self._parse()
        if self.root.get("type") != self.kind:
            raise self.bad(f"its type is {shown(self.root.get('type', ''))!r}, not {self.kind}")
        if b"</VTKFile>" not in self.content[max(0, len(self.content) - 256) :]:
            raise self.bad("the file is truncated: its last element is missing")
        self.order = {"LittleEndian": "<", "BigEndian": ">"}.get(self.root.get("byte_order", "LittleEndian"), "")
        header = {"UInt32": "u4", "UInt64": "u8"}.get(self.root.get("header_type", "UInt32"), "")
        self.compressor = self.root.get("compressor", "")
        if not self.order or not header or self.compressor not in _COMPRESSORS:
            raise self.bad(f"element VTKFile has unknown attributes: {shown(str(dict(self.root)), 200)}")
        self.header = np.dtype(self.order + header)
        self._check_grid() if self.kind == "ImageData" else self._check_cells()
        for array in self.arrays:
            self._check_array(array)

    def _parse(self) -> None:
        """Read the elements; appended data are not XML and end the reading."""
        stack: list[str] = []
        parser = expat.ParserCreate()
        parser.buffer_text = True
        end = self.content.find(b"<AppendedData")

        def start(name: str, attributes: dict[str, str]) -> None:
            stack.append(name)
            if len(stack) > 12 or len(self.arrays) > _MOST_ARRAYS or len(self.pieces) > _MOST_PIECES:
                raise self.bad(f"it has more than {_MOST_ARRAYS} arrays or {_MOST_PIECES} pieces")
            if name == "VTKFile":
                self.root = attributes
            elif name == self.kind:
                self.data = attributes
            elif name == "Piece":
                self.pieces.append(attributes)
            elif name in ("DataArray", "Array"):
                self.arrays.append(_Array(attributes, tuple(stack[:-1]), self.pieces[-1] if self.pieces else self.data))

        def text(data: str) -> None:
            if stack and stack[-1] in ("DataArray", "Array"):
                self.arrays[-1].text.append(data)

        parser.StartElementHandler, parser.EndElementHandler = start, lambda _: stack.pop()
        parser.CharacterDataHandler = text
        try:
            parser.Parse(self.content[:end] if end >= 0 else self.content[:], end < 0)
        except expat.ExpatError as error:
            raise self.bad(f"it is not XML: {error}") from error
        if end >= 0:
            start_of_data = rb"<AppendedData\s+encoding\s*=\s*[\"'](raw|base64)[\"']\s*>\s*_"
            tag = re.match(start_of_data, self.content[end : end + 256])
            if tag is None:
                raise self.bad("element AppendedData does not begin with its encoding, raw or base64, and a '_'")
            self.encoding, self.appended = tag[1].decode(), end + tag.end()

    def _whole(self, attributes: Mapping[str, str], name: str, least: int, most: int, otherwise: int) -> int:
        text = attributes.get(name)
        if text is None:
            return otherwise
        number = int(text) if re.fullmatch(r"\s*[+-]?\d{1,18}\s*", text) else least - 1
        if not least <= number <= most:
            raise self.bad(f"field {name} is {shown(text)!r}, it must be {least} to {most}")
        return number

    def _extent(self, attributes: Mapping[str, str], name: str) -> list[int]:
        text = attributes.get(name, "")
        if not re.fullmatch(r"\s*(?:[+-]?\d{1,9}\s+){5}[+-]?\d{1,9}\s*", text):
            raise self.bad(f"field {name} is {shown(text)!r}, it must be six whole numbers")
        extent = [int(word) for word in text.split()]
        if min(_lengths(extent)) < 1:
            raise self.bad(f"field {name} is {shown(text)!r}, every axis must have at least one voxel")
        return extent

    def _check_grid(self) -> None:
        for name, count in (("Origin", 3), ("Spacing", 3), ("Direction", 9)):
            if name in self.data:
                check_numbers(self.path, name, self.data[name], count)
        whole = self._extent(self.data, "WholeExtent")
        lengths = _lengths(whole)
        check_shape(self.path, reversed(lengths), itemsize=8)
        if math.prod(lengths) > len(self.content) * 4096:
            text = " x ".join(map(str, lengths))
            raise self.bad(f"field extent promises {text} voxels, but the file has only {len(self.content)} bytes")
        pieces = [self._extent(piece, "Extent") for piece in self.pieces]
        if not _covers(whole, pieces):
            raise self.bad(f"its {len(pieces)} pieces do not cover the extent {self.data['WholeExtent'].strip()}")

    def _tuples(self, array: _Array) -> int | None:
        """How many values an array has, in units of its components; None where that is free."""
        if "Piece" not in array.parents:
            return None
        if self.kind == "ImageData":
            points = _lengths(self._extent(array.piece, "Extent"))
            return math.prod(points if "PointData" in array.parents else [max(length - 1, 1) for length in points])
        cells = {kind: self._whole(array.piece, name, 0, _MOST_TUPLES, 0) for kind, name in _CELLS.items()}
        if "PointData" in array.parents or "Points" in array.parents:
            return self._whole(array.piece, "NumberOfPoints", 0, _MOST_TUPLES, 0)
        if "CellData" in array.parents:
            return sum(cells.values())
        is_offsets = array.attributes.get("Name") == "offsets"
        return next((cells[kind] for kind in _CELLS if kind in array.parents and is_offsets), None)

    def _check_array(self, array: _Array) -> None:
        """Refuse an array whose bytes are not all there."""
        components = self._whole(array.attributes, "NumberOfComponents", 0, _MOST_COMPONENTS, 1) or 1
        tuples = self._tuples(array)
        free = self._whole(array.attributes, "NumberOfTuples", 0, _MOST_TUPLES, -1)
        kind = array.attributes.get("type", "")
        if kind == "String" and "FieldData" in array.parents:
            return self._check_text(array, free * components)
        if kind not in _XML_TYPES:
            raise self.bad(f"array {array.name} has type {shown(kind)!r}; known are {', '.join(_XML_TYPES)}")
        tuples = free if tuples is None else tuples
        count = None if tuples < 0 else tuples * components
        self._values(array, np.dtype(self.order + _XML_TYPES[kind]), count, check_only=True)
        return None

    def _check_text(self, array: _Array, count: int) -> None:
        """As many texts as the array says, each ended by a zero: VTK makes room for these, and writes all there are."""
        if count > _MOST_TEXTS:
            raise self.bad(f"array {array.name} has {count} texts, {_MOST_TEXTS} are possible")
        is_ascii = array.attributes.get("format", "ascii") == "ascii"
        codes = self._values(array, np.dtype("i8" if is_ascii else "i1"), None)
        there = 0 if codes is None else np.count_nonzero(codes == 0) + np.count_nonzero(codes[-1:])
        # VTK leaves out an array that does not say how many there are.
        if count > 0 and count != there:
            raise self.bad(f"array {array.name} has {there} texts, {count} are needed")

    def _values(
        self, array: _Array, dtype: np.dtype[Any], count: int | None, *, check_only: bool = False
    ) -> NDArray[Any] | None:
        """Return the values of an array, ``count`` of them; or only make sure that they are there."""
        form = array.attributes.get("format", "ascii")
        if form == "ascii":
            words = "".join(array.text).split()
            if count is not None and len(words) != count:
                raise self.bad(f"array {array.name} has {len(words)} numbers, {count} are needed")
            return typed_numbers(self.path, f"array {array.name} has a number that is not", words, dtype)
        source = self._source(array, form)
        needed = None if count is None else count * dtype.itemsize
        if self.compressor:
            return self._packed_values(array.name, source, dtype, needed, check_only=check_only)
        (size,) = source.numbers(1, self.header)
        if needed is not None and size != needed:
            raise self.bad(f"array {array.name} has {size} bytes, {needed} are needed")
        if check_only:
            source.need(size)
            return None
        return np.frombuffer(source.take(size), dtype)

    def _source(self, array: _Array, form: str) -> _Raw:
        if form == "binary":
            return _Base64(self.path, array.name, re.sub(r"\s+", "", "".join(array.text)).encode(), 0)
        if form != "appended" or not self.encoding:
            raise self.bad(f"array {array.name} has format {shown(form)!r}")
        offset = self._whole(array.attributes, "offset", 0, len(self.content), -1)
        begin = self.appended + offset
        if offset < 0 or begin >= len(self.content):
            raise self.bad(f"array {array.name} has no offset within the file")
        return (_Raw if self.encoding == "raw" else _Base64)(self.path, array.name, self.content, begin)

    def _packed_values(
        self, name: str, source: _Raw, dtype: np.dtype[Any], needed: int | None, *, check_only: bool
    ) -> NDArray[Any] | None:
        (blocks,) = source.numbers(1, self.header)
        if blocks > 1 << 24:
            raise self.bad(f"array {name} has {blocks} blocks")
        size, last = source.numbers(2, self.header) if blocks else (0, 0)
        packed = source.numbers(blocks, self.header)
        source.restart()
        total = size * (blocks - (last > 0)) + last
        if (needed is not None and total != needed) or last > size or total > len(self.content) * 4096:
            raise self.bad(f"array {name} has {total} bytes in {blocks} blocks, {needed} are needed")
        if check_only:
            source.need(sum(packed))
            return None
        if self.compressor != "vtkZLibDataCompressor":
            raise self.bad(f"array {name} is packed by {self.compressor}, which surfaces and texts cannot be here")
        try:
            unpacked = b"".join(zlib.decompress(source.take(one), 15, size or 1) for one in packed)
            return np.frombuffer(unpacked, dtype)
        except (zlib.error, ValueError) as error:
            raise self.bad(f"array {name} is damaged: {error}") from error

    def _check_cells(self) -> None:
        """Refuse cells whose offsets or points do not exist: VTK takes memory for whatever they say."""
        named = [(array, array.attributes.get("Name")) for array in self.arrays if {*array.parents} & {*_CELLS}]
        for array in [one for one, name in named if name == "offsets"]:
            points = self._whole(array.piece, "NumberOfPoints", 0, _MOST_TUPLES, 0)
            offsets = self._integers(array, self._tuples(array))
            others = [
                one
                for one, name in named
                if name == "connectivity" and one.parents == array.parents and one.piece is array.piece
            ]
            if len(others) != 1:
                raise self.bad(f"element {array.parents[-1]} has {len(others)} arrays 'connectivity'")
            used = self._integers(others[0], int(offsets[-1]) if offsets.size else 0)
            if offsets.size and (offsets[0] < 0 or (np.diff(offsets) < 0).any()):
                raise self.bad(f"the offsets of {array.parents[-1]} decrease")
            if used.size and not (used.min() >= 0 and used.max() < points):
                raise self.bad(f"a cell uses point {used.max() if used.min() >= 0 else used.min()} of {points}")

    def _integers(self, array: _Array, count: int | None) -> NDArray[Any]:
        code = _XML_TYPES.get(array.attributes.get("type", ""), "f8")
        if code[0] == "f" or (count or 0) < 0 or (count or 0) > len(self.content) * 4096:
            raise self.bad(f"array {array.name} has {count} values of type {code}")
        values = self._values(array, np.dtype(self.order + code), count)
        if values is None or (count is not None and values.size != count):
            raise self.bad(f"array {array.name} does not have {count} values")
        return values.astype(np.int64)


class _Raw:
    """The bytes of an array in the file."""

    def __init__(self, path: str, name: str, content: mmap.mmap | bytes, begin: int) -> None:
        self._content, self._at, self._held = content, begin, b""
        self._path, self._start = path, f"the file is truncated: array {name} needs"

    def numbers(self, count: int, dtype: np.dtype[Any]) -> list[int]:
        numbers: list[int] = np.frombuffer(self.take(count * dtype.itemsize), dtype).tolist()
        return numbers

    def take(self, count: int) -> bytes:
        self.need(count)
        self._at += count
        return self._content[self._at - count : self._at]

    def need(self, count: int) -> None:
        held = max(len(self._content) - self._at, 0)
        if count > held:
            raise unreadable(self._path, f"{self._start} {count} bytes, there are {held}")

    def restart(self) -> None:
        """Forget what is left of the text of numbers before the data: it is padding."""
        self._held = b""


class _Base64(_Raw):
    """Bytes written as base64: the numbers before the data are a text of their own."""

    def take(self, count: int) -> bytes:
        while len(self._held) < count:
            missing = -(-(count - len(self._held)) // 3) * 4
            part = self._content[self._at : self._at + missing]
            self._at += len(part)
            try:
                more = base64.b64decode(part, validate=True)
            except binascii.Error:
                more = b""
            if not more:
                raise unreadable(self._path, f"{self._start} {count} bytes")
            self._held += more
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def need(self, count: int) -> None:
        if -(-(count - len(self._held)) // 3) * 4 > len(self._content) - self._at:
            raise unreadable(self._path, f"{self._start} {count} bytes")


def _lengths(extent: Sequence[int]) -> list[int]:
    return [last - first + 1 for first, last in zip(extent[::2], extent[1::2], strict=True)]


def _covers(whole: Sequence[int], pieces: Sequence[Sequence[int]]) -> bool:
    """Whether every point of the whole extent is in a piece, and every piece within it."""
    cells = []
    for first, last in ((0, 1), (2, 3), (4, 5)):
        if any(piece[first] < whole[first] or piece[last] > whole[last] for piece in pieces):
            return False
        cells.append(
            sorted({*(one[first] for one in [whole, *pieces]), *(one[last] + 1 for one in [whole, *pieces])})[:-1]
        )
    return all(
        any(all(piece[2 * n] <= cell[n] <= piece[2 * n + 1] for n in range(3)) for piece in pieces)
        for cell in itertools.product(*cells)
    )


# --- legacy files ------------------------------------------------------------------------------------------------

_LONGEST_NAME = 256
_LEGACY_TYPES = {"char": "i1", "signed_char": "i1", "unsigned_char": "u1", "short": "i2", "unsigned_short": "u2"}
_LEGACY_TYPES |= {"int": "i4", "unsigned_int": "u4", "long": "i8", "unsigned_long": "u8", "vtkidtype": "i4"}
_LEGACY_TYPES |= {"vtktypeint64": "i8", "vtktypeuint64": "u8", "long_long": "i8", "unsigned_long_long": "u8"}
_LEGACY_TYPES |= {"float": "f4", "double": "f8"}
# Attributes and their components; None where the file says how many.
_ATTRIBUTES = {"SCALARS": None, "COLOR_SCALARS": None, "TEXTURE_COORDINATES": None, "VECTORS": 3, "NORMALS": 3}
_ATTRIBUTES |= {"TENSORS": 9, "TENSORS6": 6, "GLOBAL_IDS": 1, "PEDIGREE_IDS": 1, "EDGE_FLAGS": 1}
_LEGACY_CELLS = ("VERTICES", "LINES", "POLYGONS", "TRIANGLE_STRIPS")
_WORD = re.compile(rb"\s*(\S*)")


def check_legacy(path: str, kind: str, *, header_only: bool = False) -> LegacyFile:
    """Refuse a legacy VTK file that does not follow the grammar to its end, or to where numbers in text begin."""
    with mapped(path) as content:
        walk = LegacyFile(path, content, {"ImageData": "STRUCTURED_POINTS", "PolyData": "POLYDATA"}[kind])
        walk.check(header_only=header_only)
        return walk


class LegacyFile:
    """A walk through a legacy file.

    Attributes
    ----------
    lengths, spacing, origin
        Of the grid, along x, y, z.
    scalars
        Type and components of the numbers at the points: the first ``SCALARS``, else the first array.
    texts
        Texts of fields.
    """

    def __init__(self, path: str, content: mmap.mmap, kind: str) -> None:
        self.path, self.content, self.kind = path, content, kind
        self.lengths: tuple[int, ...] = ()
        self.spacing, self.origin = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
        self.scalars: tuple[str, int] | None = None
        self.texts: dict[str, str] = {}
        self._is_active = self._is_binary = self._in_cells = False
        self._at = self._after = self._cells = 0
        self._points: int | None = None
        self._version = (3, 0)

    def bad(self, what: str) -> FileError:
        return unreadable(self.path, f"{what} at byte {self._at}")

    def check(self, *, header_only: bool) -> None:
        self._check_start()
        count = None
        arrays = 0
        while (word := self._peek()) is not None:
            arrays += 1
            if arrays > _MOST_ARRAYS:
                raise self.bad(f"more than {_MOST_ARRAYS} arrays")
            keyword = word.upper()
            if keyword in ("POINT_DATA", "CELL_DATA"):
                self._word()
                expected = self._points if keyword == "POINT_DATA" else self._cells
                count = self._whole(keyword)
                self._in_cells = keyword == "CELL_DATA"
                if expected is None or (keyword == "POINT_DATA" and count != expected):
                    raise self.bad(f"field {keyword} is {count}, the grid has {expected}")
            elif keyword == "FIELD":
                self._word()
                self._check_field(is_voxels=count is not None)
            elif keyword == "METADATA":
                self._skip_metadata()
            elif count is None:
                self._check_structure(keyword)
            else:
                self._check_attribute(keyword, count)
            if header_only and not self._is_binary and self.scalars:
                break
        if self._points is None:
            raise self.bad("the file is truncated: there is no grid")
        if count and keyword in ("POINT_DATA", "CELL_DATA"):
            raise self.bad(f"the file is truncated: no array follows {keyword} {count}")

    def _check_start(self) -> None:
        start = re.match(rb"# vtk DataFile Version (\d)\.(\d)\s*?\n", self.content[:256], re.IGNORECASE)
        if start is None:
            raise unreadable(self.path, "it does not begin with '# vtk DataFile Version'")
        self._version = int(start[1]), int(start[2])
        self._at = start.end()
        self._line()
        mode = self._line().strip().upper()
        if mode not in (b"ASCII", b"BINARY"):
            raise self.bad(f"{shown(mode.decode('latin-1'))!r} in place of ASCII or BINARY")
        self._is_binary = mode == b"BINARY"
        if self._word().upper() != "DATASET" or self._word().upper() != self.kind:
            raise self.bad(f"no DATASET {self.kind}")

    # --- words ---

    def _line(self) -> bytes:
        """The rest of the line."""
        end = self.content.find(b"\n", self._at, self._at + _LONGEST_NAME)
        if end < 0:
            raise self.bad(f"a line of more than {_LONGEST_NAME} characters, or the end of the file")
        text = self.content[self._at : end]
        self._at = end + 1
        return text

    def _peek(self) -> str | None:
        """The next word; None at the end of the file."""
        found = _WORD.match(self.content, self._at)
        if found is None or not found[1]:
            return None
        if len(found[1]) > _LONGEST_NAME:
            raise self.bad(f"a word of {len(found[1])} characters")
        self._after = found.end()
        return found[1].decode("latin-1")

    def _next_is(self, keyword: str) -> bool:
        return (self._peek() or "").upper() == keyword

    def _word(self) -> str:
        word = self._peek()
        if word is None:
            raise self.bad("the file is truncated: a word is missing")
        self._at = self._after
        return word

    def _whole(self, name: str) -> int:
        word = self._word()
        if not re.fullmatch(r"\d{1,15}", word):
            raise self.bad(f"field {name} is {shown(word)!r}, which is not a whole number")
        return int(word)

    # --- the grid or the surface ---

    def _check_structure(self, keyword: str) -> None:
        self._word()
        if self.kind == "POLYDATA":
            self._check_surface(keyword)
        elif keyword == "DIMENSIONS":
            i, j, k = (self._whole(keyword) for _ in range(3))
            check_shape(self.path, (k, j, i), itemsize=8)
            self._points, self.lengths = i * j * k, (i, j, k)
            self._cells = math.prod(max(length - 1, 1) for length in self.lengths)
            if self._points > len(self.content) * 8:
                held = f"the file has {len(self.content)} bytes"
                raise unreadable(self.path, f"field DIMENSIONS promises {self._points} voxels, {held}")
        elif keyword in ("SPACING", "ASPECT_RATIO", "ORIGIN"):
            x, y, z = check_numbers(self.path, keyword, " ".join(self._word() for _ in range(3)), 3)
            if keyword == "ORIGIN":
                self.origin = x, y, z
            else:
                self.spacing = x, y, z
        else:
            raise self.bad(f"unknown word {shown(keyword)!r}")

    def _check_surface(self, keyword: str) -> None:
        if keyword == "POINTS":
            self._points = self._whole(keyword)
            self._data(self._word(), self._points * 3, keyword)
        elif keyword in _LEGACY_CELLS and self._points is not None:
            count, size = self._whole(keyword), self._whole(keyword)
            self._cells += max(count - 1, 0) if self._version >= (5, 1) else count
            used = (self._new_cells if self._version >= (5, 1) else self._old_cells)(keyword, count, size)
            # VTK does not look.
            if used.size and not (used.min() >= 0 and used.max() < self._points):
                raise unreadable(self.path, f"a cell uses point {used.max()} of {self._points}")
        else:
            raise self.bad(f"unknown word {shown(keyword)!r}")

    def _old_cells(self, keyword: str, count: int, size: int) -> NDArray[Any]:
        """The points of cells that are their number of points and these."""
        listed = self._data("int", size, keyword)
        at, used = 0, []
        while at < size:
            length = int(listed[at])
            if length < 0 or at + length >= size:
                raise self.bad(f"field {keyword}: a cell of {length} points")
            used.append(listed[at + 1 : at + 1 + length])
            at += length + 1
        if len(used) != count:
            raise self.bad(f"field {keyword}: {len(used)} cells, {count} are needed")
        return np.concatenate(used) if used else np.zeros(0, np.int64)

    def _new_cells(self, keyword: str, count: int, size: int) -> NDArray[Any]:
        """The points of cells that are offsets into them."""
        offsets, used = self._part("OFFSETS", count), self._part("CONNECTIVITY", size)
        if count and (offsets[0] != 0 or offsets[-1] != size or (np.diff(offsets) < 0).any()):
            raise self.bad(f"field {keyword}: offsets that do not fit")
        return used

    def _part(self, keyword: str, count: int) -> NDArray[Any]:
        if self._word().upper() != keyword:
            raise self.bad(f"no {keyword}")
        return self._data(self._word(), count, keyword)

    # --- arrays ---

    def _check_attribute(self, keyword: str, count: int) -> None:
        self._word()
        name = self._word()
        colours = "unsigned_char" if self._is_binary else "float"
        if keyword == "LOOKUP_TABLE":
            self._data(colours, self._whole(keyword) * 4, name)
            return
        if keyword not in _ATTRIBUTES:
            raise self.bad(f"unknown word {shown(keyword)!r}")
        is_late = keyword == "TEXTURE_COORDINATES"
        kind = "" if is_late else "unsigned_char" if keyword == "COLOR_SCALARS" else self._word()
        is_one = keyword == "SCALARS" and not re.fullmatch(r"\d+", self._peek() or "")
        components = 1 if is_one else _ATTRIBUTES[keyword] or self._whole(keyword)
        self._check_components(components, keyword)
        if keyword == "SCALARS" and self._next_is("LOOKUP_TABLE"):
            self._word()
            self._word()
        kind = kind or self._word()
        self._note(kind, components, is_active=keyword.endswith("SCALARS"))
        self._data(colours if keyword == "COLOR_SCALARS" else kind, count * components, name)

    def _note(self, kind: str, components: int, *, is_active: bool = False) -> None:
        """Remember the numbers that become voxels."""
        if not self._in_cells and (not self.scalars or (is_active and not self._is_active)):
            self.scalars, self._is_active = (_LEGACY_TYPES.get(kind.lower(), "V"), components), is_active

    def _check_components(self, components: int, keyword: str) -> None:
        if not 1 <= components <= _MOST_COMPONENTS:
            raise self.bad(f"field {keyword} has {components} components, 1 to {_MOST_COMPONENTS} are possible")

    def _check_field(self, *, is_voxels: bool) -> None:
        self._word()
        count = self._whole("FIELD")
        if count > _MOST_ARRAYS:
            raise self.bad(f"field FIELD has {count} arrays")
        for _ in range(count):
            if self._next_is("METADATA"):
                self._skip_metadata()
            name = self._word()
            if name.upper() == "NULL_ARRAY":
                continue
            components, tuples = self._whole(name), self._whole(name)
            self._check_components(max(components, 1), name)
            kind = self._word()
            if kind.lower() == "string":
                self._check_texts(components * tuples, name)
                continue
            if is_voxels:
                self._note(kind, components)
            self._data(kind, components * tuples, name)

    def _skip_metadata(self) -> None:
        """Lines up to an empty one."""
        self._word()
        self._line()
        while self._line().strip():
            pass

    def _check_texts(self, count: int, name: str) -> None:
        """Texts of a field: a line each, or length and bytes."""
        self._end_line()
        for number in range(count):
            text = self._binary_text() if self._is_binary else self._text_line()
            if number == 0:
                self.texts[unquote(name)] = text

    def _text_line(self) -> str:
        end = self.content.find(b"\n", self._at)
        if end < 0:
            raise self.bad("the file is truncated: a text has no end")
        begin, self._at = self._at, end + 1
        return unquote(decoded(self.content[begin:end]))

    def _binary_text(self) -> str:
        """The top two bits of the first byte say how many bytes the length has."""
        first = self.content[self._at : self._at + 1]
        if not first:
            raise self.bad("the file is truncated: a text is missing")
        count = 8 >> (first[0] >> 6)
        length = int.from_bytes(self.content[self._at : self._at + count], "big") & ((1 << (8 * count - 2)) - 1)
        self._at += count
        if self._at + length > len(self.content):
            raise self.bad(f"the file is truncated: a text of {length} bytes")
        begin, self._at = self._at, self._at + length
        return decoded(self.content[begin : self._at])

    def _end_line(self) -> None:
        rest = self._line()
        if rest.strip():
            raise self.bad(f"{shown(rest.decode('latin-1'))!r} at the end of a line")

    def _data(self, kind: str, count: int, name: str) -> NDArray[Any]:
        """Walk over the numbers of an array and return those of a surface or in text."""
        if kind.lower() == "bit":
            dtype, values = np.dtype("u1"), -(-count // 8) if self._is_binary else count
        else:
            code = _LEGACY_TYPES.get(kind.lower())
            if code is None:
                raise self.bad(f"array {shown(name)!r} has type {shown(kind)!r}; known are {', '.join(_LEGACY_TYPES)}")
            dtype, values = np.dtype(code).newbyteorder(">"), count
        if not self._is_binary:
            return self._ascii(dtype, values, name)
        self._end_line()
        size, held = values * dtype.itemsize, len(self.content) - self._at
        if size > held:
            needs = f"array {shown(name)!r} needs {size} bytes, there are {held}"
            raise unreadable(self.path, f"the file is truncated: {needs}")
        begin, self._at = self._at, self._at + size
        return np.frombuffer(self.content[begin : self._at], dtype) if self.kind == "POLYDATA" else np.zeros(0)

    def _ascii(self, dtype: np.dtype[Any], count: int, name: str) -> NDArray[Any]:
        needs = f"the file is truncated: array {shown(name)!r} needs {count} numbers"
        if count * 2 > len(self.content) - self._at + 1:
            raise self.bad(needs)
        words = []
        for found in itertools.islice(_WORD.finditer(self.content, self._at), count):
            words.append(found[1])
            self._at = found.end()
        if len(words) < count or (words and not words[-1]):
            raise self.bad(f"{needs}, there are {len(words)}")
        if count and self._at == len(self.content):
            raise self.bad("the file may be truncated: no end of line follows the last number")
        return typed_numbers(self.path, f"array {shown(name)!r} has a number that is not", words, dtype)
