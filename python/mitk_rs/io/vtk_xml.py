"""Strict grammar of VTK's XML files, ``.vti`` and ``.vtp``: what VTK's readers would trust without looking.

:func:`check_xml` walks through a whole file: every array must have a known type, a number of values that fits the grid
or the points, and all of its bytes in the file. VTK reads the file afterwards.
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
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from mitk_rs.io.checks import (
    MOST_ARRAYS,
    MOST_COMPONENTS,
    check_numbers,
    check_shape,
    mapped,
    shown,
    typed_numbers,
    unreadable,
)

__all__ = ["check_xml"]

_MOST_PIECES = 64
_MOST_TEXTS = 1 << 20
_XML_TYPES = {
    "Int8": "i1",
    "UInt8": "u1",
    "Int16": "i2",
    "UInt16": "u2",
    "Int32": "i4",
    "UInt32": "u4",
    "Int64": "i8",
    "UInt64": "u8",
    "Float32": "f4",
    "Float64": "f8",
}
_COMPRESSORS = {"", "vtkZLibDataCompressor", "vtkLZ4DataCompressor", "vtkLZMADataCompressor"}
_CELLS = {"Verts": "NumberOfVerts", "Lines": "NumberOfLines", "Strips": "NumberOfStrips", "Polys": "NumberOfPolys"}


@dataclass
class _Array:
    """One ``DataArray`` or ``Array`` element."""

    attributes: Mapping[str, str]
    parents: tuple[str, ...]
    piece: int
    text: list[str] = field(default_factory=list)


@dataclass
class _Document:
    """The elements of a VTK XML file, up to its appended data."""

    root: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    pieces: list[Mapping[str, str]] = field(default_factory=list)
    arrays: list[_Array] = field(default_factory=list)
    encoding: str = ""
    appended: int = 0


def check_xml(path: str, kind: str) -> None:
    """Refuse a VTK XML file whose arrays are not all there, or whose attributes VTK would misunderstand.

    Parameters
    ----------
    path
        ``.vti`` or ``.vtp``.
    kind
        ``ImageData`` or ``PolyData``.

    Raises
    ------
    FileError
        Naming element, attribute and value.
    """
    with mapped(path) as content:
        document = _parsed(path, content, kind)
        if document.root.get("type") != kind:
            raise unreadable(path, f"its type is {shown(document.root.get('type', ''))!r}, not {kind}")
        ending = content[max(0, len(content) - 256) :]
        if b"</VTKFile>" not in ending:
            raise unreadable(path, "the file is truncated: its last element is missing")
        _Xml(path, content, document, kind).check()


def _parsed(path: str, content: mmap.mmap, kind: str) -> _Document:
    """Read the elements; appended data are not XML and end the reading."""
    found = _Document()
    stack: list[str] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    end = content.find(b"<AppendedData")

    def start(name: str, attributes: dict[str, str]) -> None:
        stack.append(name)
        if len(stack) > 12 or len(found.arrays) > MOST_ARRAYS or len(found.pieces) > _MOST_PIECES:
            raise unreadable(path, f"it has more than {MOST_ARRAYS} arrays or {_MOST_PIECES} pieces")
        if name == "VTKFile":
            found.root = attributes
        elif name == kind:
            found.data = attributes
        elif name == "Piece":
            found.pieces.append(attributes)
        elif name in ("DataArray", "Array"):
            found.arrays.append(_Array(attributes, tuple(stack[:-1]), len(found.pieces) - 1))

    def stop(name: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        if stack and stack[-1] in ("DataArray", "Array"):
            found.arrays[-1].text.append(data)

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, stop, text
    try:
        parser.Parse(content[:end] if end >= 0 else content[:], end < 0)
    except expat.ExpatError as error:
        raise unreadable(path, f"it is not XML: {error}") from error
    if end >= 0:
        tag = re.match(rb"<AppendedData\s+encoding\s*=\s*[\"'](raw|base64)[\"']\s*>\s*_", content[end : end + 256])
        if tag is None:
            raise unreadable(path, "element AppendedData does not begin with its encoding, raw or base64, and a '_'")
        found.encoding, found.appended = tag[1].decode(), end + tag.end()
    return found


class _Xml:
    """The checks of one document."""

    def __init__(self, path: str, content: mmap.mmap, document: _Document, kind: str) -> None:
        self.path, self.content, self.document, self.kind = path, content, document, kind
        root = document.root
        self.order = {"LittleEndian": "<", "BigEndian": ">"}.get(root.get("byte_order", "LittleEndian"), "")
        header = {"UInt32": "u4", "UInt64": "u8"}.get(root.get("header_type", "UInt32"), "")
        self.compressor = root.get("compressor", "")
        if not self.order or not header or self.compressor not in _COMPRESSORS:
            raise unreadable(path, f"element VTKFile has unknown attributes: {shown(str(dict(root)), 200)}")
        self.header = np.dtype(self.order + header)

    def check(self) -> None:
        self._check_grid() if self.kind == "ImageData" else self._check_cells()
        for array in self.document.arrays:
            self._check_array(array)

    def _attribute(self, attributes: Mapping[str, str], name: str, least: int, most: int, otherwise: int) -> int:
        text = attributes.get(name)
        if text is None:
            return otherwise
        number = int(text) if re.fullmatch(r"\s*[+-]?\d{1,18}\s*", text) else least - 1
        if not least <= number <= most:
            raise unreadable(self.path, f"field {name} is {shown(text)!r}, it must be {least} to {most}")
        return number

    def _extent(self, attributes: Mapping[str, str], name: str) -> list[int]:
        text = attributes.get(name, "")
        if not re.fullmatch(r"\s*(?:[+-]?\d{1,9}\s+){5}[+-]?\d{1,9}\s*", text):
            raise unreadable(self.path, f"field {name} is {shown(text)!r}, it must be six whole numbers")
        extent = [int(word) for word in text.split()]
        if any(first > last for first, last in zip(extent[::2], extent[1::2], strict=True)):
            raise unreadable(self.path, f"field {name} is {shown(text)!r}, every axis must have at least one voxel")
        return extent

    def _check_grid(self) -> None:
        data = self.document.data
        for name, count in (("Origin", 3), ("Spacing", 3), ("Direction", 9)):
            if name in data:
                check_numbers(self.path, name, data[name], count)
        whole = self._extent(data, "WholeExtent")
        lengths = [last - first + 1 for first, last in zip(whole[::2], whole[1::2], strict=True)]
        check_shape(self.path, reversed(lengths), itemsize=8)
        if math.prod(lengths) > len(self.content) * 4096:
            text = " x ".join(map(str, lengths))
            raise unreadable(
                self.path, f"field extent promises {text} voxels, but the file has only {len(self.content)} bytes"
            )
        pieces = [self._extent(piece, "Extent") for piece in self.document.pieces]
        if not _covers(whole, pieces):
            raise unreadable(
                self.path, f"its {len(pieces)} pieces do not cover the extent {data['WholeExtent'].strip()}"
            )

    def _tuples(self, array: _Array) -> int | None:
        """How many values an array has, in units of its components; None where that is free."""
        parents = array.parents
        if "Piece" not in parents:
            return None
        piece = self.document.pieces[array.piece]
        if self.kind == "ImageData":
            extent = self._extent(piece, "Extent")
            points = [last - first + 1 for first, last in zip(extent[::2], extent[1::2], strict=True)]
            cells = [max(length - 1, 1) for length in points]
            return math.prod(points if "PointData" in parents else cells)
        numbers = {name: self._attribute(piece, name, 0, 1 << 40, 0) for name in _CELLS.values()}
        if "PointData" in parents or "Points" in parents:
            return self._attribute(piece, "NumberOfPoints", 0, 1 << 40, 0)
        if "CellData" in parents:
            return sum(numbers.values())
        kind = next((name for name in _CELLS if name in parents), None)
        is_offsets = array.attributes.get("Name") == "offsets"
        return numbers[_CELLS[kind]] if kind and is_offsets else None

    def _check_array(self, array: _Array) -> None:
        """Refuse an array whose bytes are not all there."""
        is_text = array.attributes.get("type") == "String"
        components = self._attribute(array.attributes, "NumberOfComponents", 0, MOST_COMPONENTS, 1) or 1
        tuples = self._tuples(array)
        free = self._attribute(array.attributes, "NumberOfTuples", 0, 1 << 40, -1)
        if is_text and "FieldData" in array.parents:
            return self._check_text(array, free * components)
        code = _XML_TYPES.get(array.attributes.get("type", ""))
        if code is None:
            kind = shown(array.attributes.get("type", ""))
            raise unreadable(
                self.path, f"array {self._name(array)} has type {kind!r}; known are {', '.join(_XML_TYPES)}"
            )
        tuples = tuples if tuples is not None else (free if free >= 0 else None)
        self._values(
            array, np.dtype(self.order + code), None if tuples is None else tuples * components, check_only=True
        )
        return None

    def _name(self, array: _Array) -> str:
        return repr(shown(array.attributes.get("Name", "")))

    def _check_text(self, array: _Array, count: int) -> None:
        """As many texts as the array says, each ended by a zero: VTK makes room for these, and writes all there are."""
        if count > _MOST_TEXTS:
            raise unreadable(self.path, f"array {self._name(array)} has {count} texts, {_MOST_TEXTS} are possible")
        is_ascii = array.attributes.get("format", "ascii") == "ascii"
        codes = self._values(array, np.dtype("i8" if is_ascii else "i1"), None)
        there = 0 if codes is None else np.count_nonzero(codes == 0) + np.count_nonzero(codes[-1:])
        # VTK leaves out an array that does not say how many there are.
        if count > 0 and count != there:
            raise unreadable(self.path, f"array {self._name(array)} has {there} texts, {count} are needed")

    def _values(
        self, array: _Array, dtype: np.dtype[Any], count: int | None, *, check_only: bool = False
    ) -> NDArray[Any] | None:
        """Return the values of an array, ``count`` of them; or only make sure that they are there."""
        form = array.attributes.get("format", "ascii")
        if form == "ascii":
            return self._ascii_values(array, dtype, count)
        if form == "binary":
            text = re.sub(r"\s+", "", "".join(array.text)).encode()
            return self._block_values(array, _Base64(self.path, text, 0), dtype, count, check_only=check_only)
        if form != "appended" or not self.document.encoding:
            raise unreadable(self.path, f"array {self._name(array)} has format {shown(form)!r}")
        offset = self._attribute(array.attributes, "offset", 0, len(self.content), -1)
        begin = self.document.appended + offset
        if offset < 0 or begin >= len(self.content):
            raise unreadable(self.path, f"array {self._name(array)} has no offset within the file")
        kind = _Raw if self.document.encoding == "raw" else _Base64
        return self._block_values(array, kind(self.path, self.content, begin), dtype, count, check_only=check_only)

    def _ascii_values(self, array: _Array, dtype: np.dtype[Any], count: int | None) -> NDArray[Any]:
        words = "".join(array.text).split()
        if count is not None and len(words) != count:
            raise unreadable(self.path, f"array {self._name(array)} has {len(words)} numbers, {count} are needed")
        return typed_numbers(self.path, self._name(array), words, dtype)

    def _block_values(
        self, array: _Array, source: _Raw | _Base64, dtype: np.dtype[Any], count: int | None, *, check_only: bool
    ) -> NDArray[Any] | None:
        name = self._name(array)
        needed = None if count is None else count * dtype.itemsize
        if not self.compressor:
            (size,) = source.numbers(1, self.header, name)
            if needed is not None and size != needed:
                raise unreadable(self.path, f"array {name} has {size} bytes, {needed} are needed")
            if check_only:
                return source.need(size, name)
            return np.frombuffer(source.take(size, name), dtype)
        (blocks,) = source.numbers(1, self.header, name)
        if blocks > 1 << 24:
            raise unreadable(self.path, f"array {name} has {blocks} blocks")
        size, last = source.numbers(2, self.header, name) if blocks else (0, 0)
        packed = source.numbers(blocks, self.header, name)
        source.restart()
        total = size * (blocks - (last > 0)) + last
        if (needed is not None and total != needed) or last > size or total > len(self.content) * 4096:
            raise unreadable(self.path, f"array {name} has {total} bytes in {blocks} blocks, {needed} are needed")
        if check_only:
            return source.need(sum(packed), name)
        if self.compressor != "vtkZLibDataCompressor":
            raise unreadable(
                self.path, f"array {name} is packed by {self.compressor}, which surfaces and texts cannot be here"
            )
        try:
            return np.frombuffer(
                b"".join(zlib.decompress(source.take(one, name), 15, size or 1) for one in packed), dtype
            )
        except (zlib.error, ValueError) as error:
            raise unreadable(self.path, f"array {name} is damaged: {error}") from error

    def _check_cells(self) -> None:
        """Refuse cells whose offsets or points do not exist: VTK takes memory for whatever they say."""
        for array in self.document.arrays:
            if not any(kind in array.parents for kind in _CELLS) or array.attributes.get("Name") != "offsets":
                continue
            points = self._attribute(self.document.pieces[array.piece], "NumberOfPoints", 0, 1 << 40, 0)
            offsets = self._integers(array, self._tuples(array))
            others = [
                one
                for one in self.document.arrays
                if one.parents == array.parents
                and one.piece == array.piece
                and one.attributes.get("Name") == "connectivity"
            ]
            if len(others) != 1:
                raise unreadable(self.path, f"element {array.parents[-1]} has {len(others)} arrays 'connectivity'")
            used = self._integers(others[0], int(offsets[-1]) if offsets.size else 0)
            if offsets.size and (offsets[0] < 0 or (np.diff(offsets) < 0).any()):
                raise unreadable(self.path, f"the offsets of {array.parents[-1]} decrease")
            if used.size and not (used.min() >= 0 and used.max() < points):
                raise unreadable(
                    self.path, f"a cell uses point {used.max() if used.min() >= 0 else used.min()} of {points}"
                )

    def _integers(self, array: _Array, count: int | None) -> NDArray[Any]:
        code = _XML_TYPES.get(array.attributes.get("type", ""), "f8")
        if code[0] == "f" or (count or 0) < 0 or (count or 0) > len(self.content) * 4096:
            raise unreadable(self.path, f"array {self._name(array)} has {count} values of type {code}")
        values = self._values(array, np.dtype(self.order + code), count)
        if values is None or (count is not None and values.size != count):
            raise unreadable(self.path, f"array {self._name(array)} does not have {count} values")
        return values.astype(np.int64)


class _Raw:
    """Bytes of the file."""

    def __init__(self, path: str, content: mmap.mmap, begin: int) -> None:
        self.path, self._content, self._at = path, content, begin

    def take(self, count: int, name: str) -> bytes:
        self.need(count, name)
        self._at += count
        return self._content[self._at - count : self._at]

    def need(self, count: int, name: str) -> None:
        if self._at + count > len(self._content):
            held = max(len(self._content) - self._at, 0)
            raise unreadable(self.path, f"the file is truncated: array {name} needs {count} bytes, there are {held}")

    def numbers(self, count: int, dtype: np.dtype[Any], name: str) -> list[int]:
        return [int(one) for one in np.frombuffer(self.take(count * dtype.itemsize, name), dtype)]

    def restart(self) -> None:
        """The data follow the numbers."""


class _Base64:
    """Bytes written as base64: the numbers before the data are a text of their own."""

    def __init__(self, path: str, text: Any, begin: int) -> None:
        self.path, self._text, self._at = path, text, begin
        self._held = b""

    def take(self, count: int, name: str) -> bytes:
        while len(self._held) < count:
            missing = -(-(count - len(self._held)) // 3) * 4
            part = self._text[self._at : self._at + missing]
            self._at += len(part)
            try:
                decoded = base64.b64decode(part, validate=True)
            except binascii.Error:
                decoded = b""
            if not decoded:
                raise unreadable(self.path, f"the file is truncated: array {name} needs {count} bytes")
            self._held += decoded
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def need(self, count: int, name: str) -> None:
        if -(-(count - len(self._held)) // 3) * 4 > len(self._text) - self._at:
            raise unreadable(self.path, f"the file is truncated: array {name} needs {count} bytes")

    def numbers(self, count: int, dtype: np.dtype[Any], name: str) -> list[int]:
        self.need(count * dtype.itemsize, name)
        return [int(one) for one in np.frombuffer(self.take(count * dtype.itemsize, name), dtype)]

    def restart(self) -> None:
        """What is left of the text of the numbers is padding."""
        self._held = b""


def _covers(whole: Sequence[int], pieces: Sequence[Sequence[int]]) -> bool:
    """Whether every point of the whole extent is in a piece, and every piece within it."""
    for axis in range(0, 6, 2):
        if any(piece[axis] < whole[axis] or piece[axis + 1] > whole[axis + 1] for piece in pieces):
            return False
    bounds = [sorted({*(p[axis] for p in pieces), *(p[axis + 1] + 1 for p in pieces), whole[axis], whole[axis + 1] + 1})
              for axis in range(0, 6, 2)]  # fmt: skip
    return all(
        any(all(piece[2 * n] <= cell[n] <= piece[2 * n + 1] for n in range(3)) for piece in pieces)
        for cell in itertools.product(*(bound[:-1] for bound in bounds))
    )
