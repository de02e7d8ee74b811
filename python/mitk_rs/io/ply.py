"""Doubt about ``.ply`` files: VTK's reader crashes where one ends early or names points that it does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.io.formats import unreadable

__all__ = ["check_ply"]

_CODES = ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")
_OLD_NAMES = ("char", "uchar", "short", "ushort", "int", "uint", "float", "double")
_NAMES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
_TYPES = dict(zip(_OLD_NAMES + _NAMES, _CODES * 2, strict=True))
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_HEADER = re.compile(rb"\Aply\r?\n.*?^end_header\r?\n", re.DOTALL | re.MULTILINE)
# VTK counts the points of a polygon in one byte.
_MOST_POINTS = 255


@dataclass
class _Property:
    """A number of an element, or a list of them with the type of its length."""

    name: str
    type: str
    length: str = ""


@dataclass
class _Element:
    """So many items of the same properties."""

    name: str
    count: int
    properties: list[_Property] = field(default_factory=list)


def check_ply(path: str) -> None:
    """Refuse a file that VTK's reader would not survive.

    Raises
    ------
    FileError
        No header, types that the format does not have, fewer numbers than the header promises, polygons of points that
        do not exist or of more than 255 points.
    """
    content = Path(path).read_bytes()
    header = _HEADER.search(content)
    if header is None:
        raise unreadable(path, "it has no complete header of a .ply file")
    try:
        order, elements = _parsed(header[0].decode("latin-1").split("\n"))
        body = content[header.end() :]
        items = _of_text(body, elements) if order == "" else _of_bytes(body, elements, order)
        points = next((element.count for element in elements if element.name == "vertex"), 0)
        for indices in items:
            _check_indices(indices, points)
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise unreadable(path, f"it is damaged or truncated: {error}") from None


def _words(line: str) -> list[str]:
    """Separated as VTK's reader does; ``str.split`` knows more kinds of blanks."""
    return re.findall(r"[^ \t\r]+", line)


def _parsed(lines: Sequence[str]) -> tuple[str, list[_Element]]:
    order: str | None = None
    elements: list[_Element] = []
    for words in map(_words, lines):
        match words:
            case ["format", kind, _]:
                order = _ORDERS[kind]
            case ["element", name, count] if count.isdecimal():
                elements.append(_Element(name, int(count)))
            case ["property", "list", length, kind, name]:
                elements[-1].properties.append(_Property(name, _TYPES[kind], _TYPES[length]))
            case ["property", kind, name]:
                elements[-1].properties.append(_Property(name, _TYPES[kind]))
            case [] | ["ply"] | ["end_header"] | ["comment" | "obj_info", *_]:
                pass
            case _:
                raise ValueError(f"line {' '.join(words)!r} of its header is none of that format")
    if order is None:
        raise ValueError("its header names no format")
    for element in elements:
        _check_element(element)
    return order, elements


def _check_element(element: _Element) -> None:
    names = {one.name for one in element.properties if bool(one.length) == (element.name == "face")}
    known = {"vertex": names >= {"x", "y", "z"}, "face": bool(names & {"vertex_indices", "vertex_index"})}
    if element.count < 0 or not element.properties or not known.get(element.name, True):
        raise ValueError(f"its header describes no {element.name} that can be read")


def _check_indices(indices: NDArray[Any], points: int) -> None:
    if indices.shape[-1] > _MOST_POINTS:
        raise ValueError(f"a polygon has {indices.shape[-1]} points, at most {_MOST_POINTS} can be read")
    if indices.size and not (indices.min() >= 0 and indices.max() < points):
        raise ValueError(f"a polygon has point {indices.max()} of {points}")


def _of_bytes(body: bytes, elements: Sequence[_Element], order: str) -> Iterator[NDArray[Any]]:
    """The lists of polygons; raises where there are too few bytes."""
    offset = 0
    for element in elements:
        alike = _alike(body, offset, element, order)
        if alike is not None:
            offset += alike.nbytes
            yield from (alike[one.name] for one in element.properties if one.length and element.name == "face")
            continue
        for _ in range(element.count):
            for one in element.properties:
                numbers, offset = _numbers(body, offset, one, order)
                if one.length and element.name == "face":
                    yield numbers


def _numbers(body: bytes, offset: int, one: _Property, order: str) -> tuple[NDArray[Any], int]:
    count = 1
    if one.length:
        kind = np.dtype(order + one.length)
        count = int(np.frombuffer(body, kind, 1, offset)[0])
        offset += kind.itemsize
    kind = np.dtype(order + one.type)
    if count < 0 or offset + count * kind.itemsize > len(body):
        raise ValueError(f"its {len(body)} bytes end before what the header promises")
    return np.frombuffer(body, kind, count, offset), offset + count * kind.itemsize


def _alike(body: bytes, offset: int, element: _Element, order: str) -> NDArray[Any] | None:
    """All items at once, if their lists are as long as those of the first: thousands of times as quick."""
    kinds: list[Any] = []
    first = offset
    for one in element.properties if element.count else []:
        numbers, first = _numbers(body, first, one, order)
        kinds += [(f"length {one.name}", order + one.length)] if one.length else []
        kinds.append((one.name, order + one.type, (numbers.size,)) if one.length else (one.name, order + one.type))
    kind = np.dtype(kinds)
    if offset + element.count * kind.itemsize > len(body):
        return None
    items = np.frombuffer(body, kind, element.count, offset) if element.count else np.zeros(0, kind)
    lists = [one.name for one in element.properties if one.length]
    same = all((items[f"length {name}"] == items[name].shape[-1]).all() for name in lists)
    return items if same else None


def _of_text(body: bytes, elements: Sequence[_Element]) -> Iterator[NDArray[Any]]:
    """The lists of polygons; raises where there are too few lines, or too few numbers in one."""
    lines = iter(body.decode("latin-1").split("\n"))
    for element in elements:
        for _ in range(element.count):
            line = next(lines, None)
            if line is None:
                raise ValueError("its lines end before what the header promises")
            yield from _of_line(_words(line), element)


def _of_line(words: Sequence[str], element: _Element) -> Iterator[NDArray[Any]]:
    at = 0
    for one in element.properties:
        count = int(words[at]) if one.length else 1
        at += bool(one.length)
        numbers = [int(word) if one.type[0] in "iu" else float(word) for word in words[at : at + count]]
        if count < 0 or len(numbers) != count:
            raise ValueError(f"a line has {len(words)} numbers, too few for a {element.name}")
        at += count
        if one.length and element.name == "face":
            yield np.array(numbers)
