"""Strict grammar of the text headers of MetaImage and NRRD.

ITK's readers of these formats trust their headers: a number of dimensions, a long line or a format string ends the
process or shows memory that no file holds. So a header is read here first, field by field, and ITK sees only
:attr:`TextHeader.text`, made anew of checked fields. Free texts (properties) never reach ITK; they may be in
UTF-8 or Latin-1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from mitk_rs._validation import LARGEST_SPACING, SMALLEST_SPACING
from mitk_rs.io.checks import check_numbers, check_shape, data_file, decoded, open_regular, shown, unreadable

# A field that says how the image is stored: ITK's reader of NRRD writes longer ones behind the 1,024 letters of its
# messages.
_LONGEST_FIELD = 700
# Free text, which ITK does not see, and what all lines together may have.
_LONGEST_TEXT = 10_000
_MOST_LINES = 10_000
_LONGEST_HEADER = 1 << 26


@dataclass(frozen=True)
class TextHeader:
    """What a header says.

    Attributes
    ----------
    path
        The header's file.
    fields, storage
        Checked fields: those that ITK is shown, in their order, and others that say how the voxels are stored.
    entries
        Free texts: properties, time points.
    files
        Where the voxels are; the header's own file if they follow the header.
    start
        Position of the first byte after an attached header.
    """

    path: str
    fields: dict[str, str]
    entries: dict[str, str]
    storage: dict[str, str]
    files: tuple[str, ...]
    start: int

    @property
    def is_attached(self) -> bool:
        """True where the voxels follow the header in its file."""
        return self.files == (self.path,)

    @property
    def is_meta(self) -> bool:
        """True for MetaImage, False for NRRD."""
        return "NDims" in self.fields

    @property
    def text(self) -> str:
        """A header for ITK: checked fields only."""
        if not self.is_meta:
            return "\n".join(["NRRD0005", *(f"{name}: {value}" for name, value in self.fields.items()), "", ""])
        # ITK's reader of MetaImage needs the number of dimensions before the lists that have one number for each.
        ordered = sorted(self.fields.items(), key=lambda field: field[0] not in ("ObjectType", "NDims"))
        return "\n".join([*(f"{name} = {value}" for name, value in ordered), "ElementDataFile = LOCAL", ""])


def _lines(path: str, file: BinaryIO, *, last_must_end: bool = False) -> Iterator[bytes]:
    """The lines of a header, without their ends."""
    left = _LONGEST_HEADER
    for _ in range(_MOST_LINES):
        line = file.readline(left)
        left -= len(line)
        if left <= 0:
            raise unreadable(path, f"its header is longer than {_LONGEST_HEADER} bytes")
        if not line:
            return
        if last_must_end and not line.endswith(b"\n"):
            raise unreadable(path, "the last line of its header does not end: the file was cut short")
        yield line.rstrip(b"\r\n")
    raise unreadable(path, f"its header has more than {_MOST_LINES} lines")


def _plain(path: str, name: str, value: bytes) -> str:
    """A field that says how the image is stored: short and in ASCII."""
    most = _LONGEST_TEXT if name == "content" else _LONGEST_FIELD
    if len(value) > most:
        raise unreadable(path, f"field {name} has {len(value)} characters, {most} are possible")
    text = value.decode("ascii", "replace").strip()
    if not all(" " <= letter <= "~" or letter == "\t" for letter in text):
        raise unreadable(path, f"field {name} has characters that are not printable ASCII: {shown(text)!r}")
    return text


def _data_files(path: str, names: list[str], *, anywhere: bool) -> tuple[str, ...]:
    """The files that a header names, or the header itself; templates of names are not read."""
    for name in names:
        if "%" in name:
            raise unreadable(path, f"the data file {shown(name)!r} is not the name of one file")
    return tuple(data_file(path, name, anywhere=anywhere) for name in names) or (path,)


def _check_new(path: str, name: str, fields: Collection[str]) -> None:
    if name in fields:
        raise unreadable(path, f"field {name} is there twice")


def _check_there(path: str, fields: Mapping[str, str], *names: str) -> None:
    for name in names:
        if name not in fields:
            raise unreadable(path, f"field {name} is missing")


# --- checks of a field: path, name, text, and how many dimensions the image has ----------------------------------

_Check = Callable[[str, str, str, int], object]


def _sizes(path: str, name: str, text: str, count: int) -> None:
    words = text.split()
    if not all(re.fullmatch(r"[+-]?\d{1,18}", word) for word in words) or len(words) != count:
        raise unreadable(path, f"field {name} is {shown(text)!r}, it must be {count} whole numbers")
    check_shape(path, reversed([int(word) for word in words]), itemsize=8)


def _between(least: int, most: int) -> _Check:
    def check(path: str, name: str, text: str, _: int) -> int:
        number = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else None
        if number is None or not least <= number <= most:
            raise unreadable(path, f"field {name} is {shown(text)!r}, it must be a whole number from {least} to {most}")
        return number

    return check


def _matching(pattern: str, what: str = "") -> _Check:
    def check(path: str, name: str, text: str, _: int) -> None:
        if not re.fullmatch(pattern, text):
            raise unreadable(path, f"field {name} is {shown(text)!r}{what and f', which is not {what}'}")

    return check


def _known(table: Collection[str], folded: Callable[[str], str] = str.lower) -> _Check:
    def check(path: str, name: str, text: str, _: int) -> None:
        if folded(text) not in table:
            raise unreadable(path, f"field {name} is {shown(text)!r}; known are {', '.join(table)}")

    return check


def _listed(path: str, name: str, text: str, count: int) -> None:
    words = text.split()
    if len(words) != count:
        raise unreadable(path, f"field {name} has {len(words)} numbers, {count} are needed")
    # NaN says that an axis has none.
    numbers = check_numbers(path, name, " ".join(word for word in words if word.lower() != "nan"))
    if name == "spacings":
        _check_spacings(path, name, [abs(number) for number in numbers])


def _words(path: str, name: str, text: str, count: int) -> None:
    if len(text.split()) != count or not re.fullmatch(r"(?:[\w?./+-]+\s*)*", text):
        raise unreadable(path, f"field {name} is {shown(text)!r}, it must be {count} words")


def _anything(path: str, name: str, text: str, count: int) -> None:
    """Checked elsewhere, or not used."""


def _check_spacings(path: str, name: str, lengths: list[float]) -> None:
    """Refuse lengths of voxels that no image has: ITK takes 1 for those that it cannot compute with."""
    for length in lengths:
        if not SMALLEST_SPACING <= length <= LARGEST_SPACING:
            limits = f"{SMALLEST_SPACING:g} to {LARGEST_SPACING:g} mm"
            raise unreadable(path, f"field {name} has a length of {length:g}, spacing must be {limits} on every axis")


_dimension = _between(1, 5)

# --- MetaImage ---------------------------------------------------------------------------------------------------

META_TYPES = {"MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2"}
META_TYPES |= {"MET_INT": "i4", "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4"}
META_TYPES |= {"MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8"}
_FREE = {"Comment", "Name", "ElementDataFile"}
_META_STORAGE = "BinaryData BinaryDataByteOrderMSB ElementByteOrderMSB CompressedData CompressedDataSize HeaderSize"
_META_FIELDS = """ObjectType NDims DimSize ElementType ElementNumberOfChannels CenterOfRotation AnatomicalOrientation
    Modality Offset Position Origin ElementSpacing ElementSize TransformMatrix Rotation Orientation"""
# Fields of the format that say nothing that an image here keeps.
_META_UNUSED = """Comment ObjectSubType TransformType Name ID ParentID Color CompressionLevel DistanceUnits ElementMin
    ElementMax ElementNBits ElementToIntensityFunctionSlope ElementToIntensityFunctionOffset SequenceID
    ElementDataFile"""


def _matrix(path: str, name: str, text: str, count: int) -> None:
    check_numbers(path, name, text, count * count)


def _spacing(path: str, name: str, text: str, _: int) -> None:
    _check_spacings(path, name, check_numbers(path, name, text)[:3])


# In the order in which they are made.
_META_CHECKS: tuple[tuple[str, _Check], ...] = (
    ("DimSize", _sizes),
    ("ElementType", _known(META_TYPES, str)),
    *((name, check_numbers) for name in ("Offset", "Position", "Origin", "ElementSpacing", "ElementSize")),
    *((name, _matrix) for name in ("TransformMatrix", "Rotation", "Orientation")),
    ("ElementSpacing", _spacing),
    ("CenterOfRotation", check_numbers),
    ("ElementNumberOfChannels", _between(1, 65535)),
    ("CompressedDataSize", _between(0, 1 << 62)),
    ("HeaderSize", _between(-1, 1 << 62)),
    ("AnatomicalOrientation", _matching(r"[A-Za-z?]{0,5}")),
    ("Modality", _matching(r"\w{0,40}")),
)


def meta_header(path: str, *, anywhere: bool = False) -> TextHeader:
    """Read and check the header of a MetaImage file; with ``anywhere`` its data may be outside of its folder."""
    found: dict[str, bytes] = {}
    with open_regular(path) as file:
        lines = _lines(path, file)
        for line in lines:
            name, value = _meta_line(path, line)
            _check_new(path, name, found)
            found[name] = value
            if name == "ElementDataFile":
                break
        else:
            raise unreadable(path, "field ElementDataFile is missing: it is not a MetaImage header, or truncated")
        start = file.tell()
        names = _meta_files(found["ElementDataFile"], lines)
    shown_to_itk, storage = _META_FIELDS.split(), _META_STORAGE.split()
    known = {*shown_to_itk, *storage, *_META_UNUSED.split()}
    plain = {name: _plain(path, name, value) for name, value in found.items() if name in known - _FREE}
    _check_meta(path, plain)
    return TextHeader(
        path=path,
        fields={name: text for name, text in plain.items() if name in shown_to_itk},
        entries={name: decoded(value.strip()) for name, value in found.items() if name not in known},
        storage={name: text for name, text in plain.items() if name in storage},
        files=_data_files(path, names, anywhere=anywhere),
        start=start,
    )


def _meta_line(path: str, line: bytes) -> tuple[str, bytes]:
    parts = re.match(rb"\s*([^=:]*?)\s*[=:](.*)", line, re.DOTALL)
    if parts is None:
        raise unreadable(path, f"a line of its header is not 'name = value': {shown(decoded(line))!r}")
    return decoded(parts[1]), parts[2].strip()


def _meta_files(value: bytes, lines: Iterator[bytes]) -> list[str]:
    """Names of the data files; none if the voxels follow the header."""
    text = decoded(value)
    if text.upper() == "LOCAL":
        return []
    if re.match(r"LIST\b", text):
        return [decoded(line.strip()) for line in lines if line.strip()]
    return [text]


def _check_meta(path: str, fields: dict[str, str]) -> None:
    _check_there(path, fields, "NDims", "DimSize", "ElementType")
    if fields.get("ObjectType", "Image") != "Image":
        raise unreadable(path, f"field ObjectType is {shown(fields['ObjectType'])!r}, it must be Image")
    _dimension(path, "NDims", fields["NDims"], 0)
    for name, check in _META_CHECKS:
        if name in fields:
            check(path, name, fields[name], int(fields["NDims"]))


# --- NRRD --------------------------------------------------------------------------------------------------------

_SHORTER = {
    name.replace(" ", ""): name
    for name in (
        *("axis mins", "axis maxs", "block size", "old min", "old max"),
        *("byte skip", "line skip", "data file", "sample units"),
    )
} | {"centerings": "centers"}
_ENCODINGS = {"raw": "raw", "txt": "ascii", "text": "ascii", "ascii": "ascii"}
_ENCODINGS |= {"hex": "hex", "gz": "gzip", "gzip": "gzip"}
_NRRD_NAMES = {
    "i1": "signed char,int8,int8_t",
    "u1": "uchar,unsigned char,uint8,uint8_t",
    "i2": "short,short int,signed short,signed short int,int16,int16_t",
    "u2": "ushort,unsigned short,unsigned short int,uint16,uint16_t",
    "i4": "int,signed int,int32,int32_t",
    "u4": "uint,unsigned int,uint32,uint32_t",
    "i8": "longlong,long long,long long int,signed long long,signed long long int,int64,int64_t",
    "u8": "ulonglong,unsigned long long,unsigned long long int,uint64,uint64_t",
    "f4": "float",
    "f8": "double",
}
NRRD_TYPES = {name: code for code, names in _NRRD_NAMES.items() for name in names.split(",")}
_VECTOR = r"\(\s*[^\s,()]+(?:\s*,\s*[^\s,()]+)*\s*\)"
_quoted = _matching(r'\s*(?:"[^"\\]{0,200}"\s*)*', "a list of texts in quotes")
_number = _matching(r"\S{0,40}", "a number")
_NRRD_CHECKS: dict[str, _Check] = {
    **dict.fromkeys(("space directions", "space origin", "measurement frame"), _anything),
    **dict.fromkeys(("content", "number", "data file"), _anything),
    **dict.fromkeys(("spacings", "thicknesses", "axis mins", "axis maxs"), _listed),
    **dict.fromkeys(("min", "max", "old min", "old max"), _number),
    **dict.fromkeys(("space units", "labels", "units"), _quoted),
    **dict.fromkeys(("centers", "kinds"), _words),
    "type": _known(NRRD_TYPES),
    "dimension": _dimension,
    "sizes": _sizes,
    "encoding": _known(_ENCODINGS),
    "endian": _known(("little", "big")),
    "space": _matching(r"[A-Za-z0-9-]{1,60}", "the name of a space"),
    "space dimension": _between(1, 4),
    "sample units": _matching(r'[^"\\]{0,200}|"[^"\\]{0,200}"', "a unit"),
    "block size": _between(0, 0),
    "byte skip": _between(-1, 1 << 62),
    "line skip": _between(0, 1 << 31),
}


def nrrd_header(path: str, *, anywhere: bool = False) -> TextHeader:
    """Read and check the header of a NRRD file; with ``anywhere`` its data may be outside of its folder."""
    fields: dict[str, str] = {}
    entries: dict[str, str] = {}
    names: list[str] = []
    with open_regular(path) as file:
        if not re.fullmatch(rb"NRRD000[1-5]", file.readline(_LONGEST_FIELD).rstrip()):
            raise unreadable(path, "it does not begin with NRRD0001 to NRRD0005")
        # Key and value pairs may come last, and what is left of one looks whole. ITK ignores such a line.
        lines = _lines(path, file, last_must_end=True)
        for line in lines:
            if not line:
                break
            _add_nrrd_line(path, line, fields, entries)
            if fields.get("data file", "").startswith("LIST"):
                names = [decoded(one) for one in lines if one]
                break
        start = file.tell()
    storage: dict[str, str] = {
        name: fields.pop(name) for name in ("byte skip", "line skip", "data file") if name in fields
    }
    _check_nrrd(path, fields, storage)
    if "content" in fields:
        entries["NRRD_content"] = fields.pop("content")
    for name in ("number", "min", "max", "block size"):
        fields.pop(name, None)
    if "data file" in storage and not names:
        names = [storage["data file"]]
    return TextHeader(path, fields, entries, storage, _data_files(path, names, anywhere=anywhere), start)


def _add_nrrd_line(path: str, line: bytes, fields: dict[str, str], entries: dict[str, str]) -> None:
    if line.startswith(b"#"):
        return
    name, colon, value = line.partition(b":")
    known = name.decode("latin-1").strip().lower()
    known = _SHORTER.get(known, known)
    if colon and not value.startswith(b"=") and known in _NRRD_CHECKS:
        _check_new(path, known, fields)
        fields[known] = decoded(value.strip()) if known == "data file" else _plain(path, known, value)
        return
    name, separator, value = line.partition(b":=")
    if not separator:
        raise unreadable(path, f"a line of its header is neither a field nor 'key:=value': {shown(decoded(line))!r}")
    entries[_unescaped(name)] = _unescaped(value)


def _unescaped(text: bytes) -> str:
    return re.sub(r"\\(n|\\)", lambda found: "\n" if found[1] == "n" else "\\", decoded(text))


def _check_nrrd(path: str, fields: dict[str, str], storage: dict[str, str]) -> None:
    _check_there(path, fields, "dimension", "type", "sizes", "encoding")
    _dimension(path, "dimension", fields["dimension"], 0)
    count = int(fields["dimension"])
    for name, text in (*fields.items(), *storage.items()):
        _NRRD_CHECKS[name](path, name, text, count)
    if "space" in fields and "space dimension" in fields:
        raise unreadable(path, "fields space and space dimension are both there, one is possible")
    fields["encoding"] = _ENCODINGS[fields["encoding"].lower()]
    if NRRD_TYPES[fields["type"].lower()][1] != "1" and fields["encoding"] != "ascii" and "endian" not in fields:
        raise unreadable(path, "field endian is missing")
    for name, wanted in (("space directions", count), ("space origin", 1), ("measurement frame", None)):
        if name in fields:
            _check_vectors(path, name, fields[name], wanted)
    if "space" not in fields and "space dimension" not in fields and {"space directions", "space origin"} & {*fields}:
        raise unreadable(path, "fields space and space dimension are missing, but vectors of that space are there")


def _check_vectors(path: str, name: str, text: str, wanted: int | None) -> None:
    """Refuse vectors whose number or length does not fit the image, or whose numbers are not finite."""
    if not re.fullmatch(rf"\s*(?:(?:none|{_VECTOR})\s*)+", text):
        raise unreadable(path, f"field {name} is {shown(text)!r}, which is not a list of vectors")
    vectors = re.findall(rf"none|{_VECTOR}", text)
    if wanted is not None and len(vectors) != wanted:
        raise unreadable(path, f"field {name} has {len(vectors)} vectors, {wanted} are needed")
    numbers = [check_numbers(path, name, one.strip("()").replace(",", " ")) for one in vectors if one != "none"]
    lengths = {len(one) for one in numbers}
    if name == "space directions":
        _check_spacings(path, name, [math.hypot(*one) for one in numbers])
    if len(lengths) > 1 or (lengths and max(lengths) > 4):
        raise unreadable(path, f"field {name} has vectors of {sorted(lengths)} numbers")
