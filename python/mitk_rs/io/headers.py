"""Strict grammar of the text headers of MetaImage and NRRD.

ITK's readers of these formats trust their headers: a number of dimensions, a long line or a format string ends the
process or shows memory that no file holds. So a header is read here first, field by field, and ITK sees only a header
that :meth:`TextHeader.text` writes anew from checked fields. Free texts (properties) never reach ITK; they may be in
UTF-8 or Latin-1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from mitk_rs._validation import LARGEST_SPACING, SMALLEST_SPACING
from mitk_rs.io.checks import check_numbers, check_shape, data_file, decoded, open_regular, shown, unreadable

__all__ = ["TextHeader", "meta_header", "nrrd_header"]

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
    fields
        The fields that ITK is shown, checked, in their order.
    entries
        Free texts: properties, time points.
    storage
        Checked fields that say how the voxels are stored.
    files
        Where the voxels are; the header's own file if they follow the header.
    start
        Position of the first byte after an attached header.
    lines
        Number of lines of the header.
    """

    path: str
    fields: dict[str, str] = field(default_factory=dict)
    entries: dict[str, str] = field(default_factory=dict)
    storage: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    start: int = 0
    lines: int = 0

    @property
    def is_attached(self) -> bool:
        """True where the voxels follow the header in its file."""
        return self.files == (self.path,)

    def text(self, *data: str) -> str:
        """Write the header anew for ITK: checked fields only, and ``data``, the lines that say where voxels are."""
        separator = " = " if "NDims" in self.fields else ": "
        # ITK's reader of MetaImage needs the number of dimensions before the lists that have one number for each.
        ordered = sorted(self.fields.items(), key=lambda field: field[0] not in ("ObjectType", "NDims"))
        lines = [f"{name}{separator}{value}" for name, value in ordered]
        if separator == ": ":
            lines.insert(0, "NRRD0005")
        return "\n".join([*lines, *data, ""])


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


def _whole(path: str, name: str, text: str, least: int, most: int) -> int:
    number = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else None
    if number is None or not least <= number <= most:
        raise unreadable(path, f"field {name} is {shown(text)!r}, it must be a whole number from {least} to {most}")
    return number


def _sizes(path: str, name: str, text: str, count: int) -> list[int]:
    words = text.split()
    if not all(re.fullmatch(r"[+-]?\d{1,18}", word) for word in words) or len(words) != count:
        raise unreadable(path, f"field {name} is {shown(text)!r}, it must be {count} whole numbers")
    sizes = [int(word) for word in words]
    check_shape(path, reversed(sizes), itemsize=8)
    return sizes


def _one_of(path: str, name: str, text: str, known: Mapping[str, str]) -> str:
    if text not in known:
        raise unreadable(path, f"field {name} is {shown(text)!r}; known are {', '.join(known)}")
    return known[text]


def _data_files(path: str, names: list[str], *, anywhere: bool) -> tuple[str, ...]:
    """The files that a header names, or the header itself; templates of names are not read."""
    for name in names:
        if "%" in name:
            raise unreadable(path, f"the data file {shown(name)!r} is not the name of one file")
    return tuple(data_file(path, name, anywhere=anywhere) for name in names) or (path,)


def _once(path: str, name: str, fields: Mapping[str, str]) -> None:
    if name in fields:
        raise unreadable(path, f"field {name} is there twice")


# --- MetaImage ---------------------------------------------------------------------------------------------------

META_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_PLACES, _SPACINGS = ("Offset", "Position", "Origin"), ("ElementSpacing", "ElementSize")
_MATRICES = ("TransformMatrix", "Rotation", "Orientation")
# Fields of the format that say nothing that an image here keeps.
_META_UNUSED = {
    "Comment",
    "ObjectSubType",
    "TransformType",
    "Name",
    "ID",
    "ParentID",
    "Color",
    "CompressionLevel",
    "DistanceUnits",
    "ElementMin",
    "ElementMax",
    "ElementNBits",
    "ElementToIntensityFunctionSlope",
    "ElementToIntensityFunctionOffset",
    "SequenceID",
    "ElementByteOrderMSB",
}
_FREE = {"Comment", "Name", "ElementDataFile"}
_META_STORAGE = {
    "BinaryData",
    "BinaryDataByteOrderMSB",
    "ElementByteOrderMSB",
    "CompressedData",
    "CompressedDataSize",
    "HeaderSize",
}
_META_FIELDS = {
    "ObjectType",
    "NDims",
    "DimSize",
    "ElementType",
    "ElementNumberOfChannels",
    "CenterOfRotation",
    "AnatomicalOrientation",
    "Modality",
    *_PLACES,
    *_SPACINGS,
    *_MATRICES,
}


def meta_header(path: str, *, anywhere: bool = False) -> TextHeader:
    """Read and check the header of a MetaImage file.

    Parameters
    ----------
    path
        ``.mha`` or ``.mhd``.
    anywhere
        Accept data files outside the folder of the header.

    Raises
    ------
    FileError
        Naming the field, its value and what is allowed.
    """
    found: dict[str, bytes] = {}
    with open_regular(path) as file:
        lines = _lines(path, file)
        for line in lines:
            name, value = _meta_line(path, line)
            _once(path, name, found)  # type: ignore[arg-type]
            found[name] = value
            if name == "ElementDataFile":
                break
        else:
            raise unreadable(path, "field ElementDataFile is missing: it is not a MetaImage header, or truncated")
        start = file.tell()
        names = _meta_files(path, found["ElementDataFile"], lines)
    known = _META_FIELDS | _META_STORAGE | _META_UNUSED | {"ElementDataFile"}
    plain = {name: _plain(path, name, value) for name, value in found.items() if name in known - _FREE}
    _check_meta(path, plain)
    return TextHeader(
        path=path,
        fields={name: text for name, text in plain.items() if name in _META_FIELDS},
        entries={name: decoded(value.strip()) for name, value in found.items() if name not in known},
        storage={name: text for name, text in plain.items() if name in _META_STORAGE},
        files=_data_files(path, names, anywhere=anywhere),
        start=start,
    )


def _meta_line(path: str, line: bytes) -> tuple[str, bytes]:
    parts = re.match(rb"\s*([^=:]*?)\s*[=:](.*)", line, re.DOTALL)
    if parts is None:
        raise unreadable(path, f"a line of its header is not 'name = value': {shown(decoded(line))!r}")
    return decoded(parts[1]), parts[2].strip()


def _meta_files(path: str, value: bytes, lines: Iterator[bytes]) -> list[str]:
    """Names of the data files; none if the voxels follow the header."""
    text = decoded(value)
    if text.upper() == "LOCAL":
        return []
    if re.match(r"LIST\b", text):
        return [decoded(line.strip()) for line in lines if line.strip()]
    return [text]


def _check_meta(path: str, fields: dict[str, str]) -> None:
    for name in ("NDims", "DimSize", "ElementType"):
        if name not in fields:
            raise unreadable(path, f"field {name} is missing")
    if fields.get("ObjectType", "Image") != "Image":
        raise unreadable(path, f"field ObjectType is {shown(fields['ObjectType'])!r}, it must be Image")
    count = _whole(path, "NDims", fields["NDims"], 1, 5)
    _sizes(path, "DimSize", fields["DimSize"], count)
    _one_of(path, "ElementType", fields["ElementType"], META_TYPES)
    for names, length in ((_PLACES, count), (_SPACINGS, count), (_MATRICES, count * count)):
        for name in names:
            if name in fields:
                check_numbers(path, name, fields[name], length)
    if "ElementSpacing" in fields:
        _check_spacings(path, "ElementSpacing", check_numbers(path, "ElementSpacing", fields["ElementSpacing"])[:3])
    if "CenterOfRotation" in fields:
        check_numbers(path, "CenterOfRotation", fields["CenterOfRotation"], count)
    for name, most in (("ElementNumberOfChannels", 65535), ("CompressedDataSize", 1 << 62), ("HeaderSize", 1 << 62)):
        if name in fields:
            _whole(path, name, fields[name], {"HeaderSize": -1, "CompressedDataSize": 0}.get(name, 1), most)
    if not re.fullmatch(r"[A-Za-z?]{0,5}", fields.get("AnatomicalOrientation", "")):
        raise unreadable(path, f"field AnatomicalOrientation is {shown(fields['AnatomicalOrientation'])!r}")
    if not re.fullmatch(r"\w{0,40}", fields.get("Modality", "")):
        raise unreadable(path, f"field Modality is {shown(fields['Modality'])!r}")


# --- NRRD --------------------------------------------------------------------------------------------------------

_SHORTER = {
    "axismins": "axis mins",
    "axismaxs": "axis maxs",
    "centerings": "centers",
    "blocksize": "block size",
    "oldmin": "old min",
    "oldmax": "old max",
    "byteskip": "byte skip",
    "lineskip": "line skip",
    "datafile": "data file",
    "sampleunits": "sample units",
}
_ENCODINGS = dict.fromkeys(("raw",), "raw") | dict.fromkeys(("txt", "text", "ascii"), "ascii")
_ENCODINGS |= dict.fromkeys(("hex",), "hex") | dict.fromkeys(("gz", "gzip"), "gzip")
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
_QUOTED = r'\s*(?:"[^"\\]{0,200}"\s*)*'
_WORDS = r"[\w?./+-]+"


def nrrd_header(path: str, *, anywhere: bool = False) -> TextHeader:
    """Read and check the header of a NRRD file; parameters and errors as for :func:`meta_header`."""
    fields: dict[str, str] = {}
    entries: dict[str, str] = {}
    names: list[str] = []
    count = 0
    with open_regular(path) as file:
        if not re.fullmatch(rb"NRRD000[1-5]", file.readline(_LONGEST_FIELD).rstrip()):
            raise unreadable(path, "it does not begin with NRRD0001 to NRRD0005")
        # Key and value pairs may come last, and what is left of one looks whole. ITK ignores such a line.
        lines = _lines(path, file, last_must_end=True)
        for count, line in enumerate(lines, start=2):  # noqa: B007 (the number of lines is needed afterwards)
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
    files = _data_files(path, names, anywhere=anywhere)
    return TextHeader(path, fields, entries, storage, files, start, count)


def _add_nrrd_line(path: str, line: bytes, fields: dict[str, str], entries: dict[str, str]) -> None:
    if line.startswith(b"#"):
        return
    name, colon, value = line.partition(b":")
    known = _nrrd_name(name)
    if colon and not value.startswith(b"=") and known in _NRRD_CHECKS:
        _once(path, known, fields)
        is_name = known == "data file"
        fields[known] = decoded(value.strip()) if is_name else _plain(path, known, value)
        return
    name, separator, value = line.partition(b":=")
    if not separator:
        raise unreadable(path, f"a line of its header is neither a field nor 'key:=value': {shown(decoded(line))!r}")
    entries[_unescaped(name)] = _unescaped(value)


def _nrrd_name(name: bytes) -> str:
    text = name.decode("latin-1").strip().lower()
    return _SHORTER.get(text, text)


def _unescaped(text: bytes) -> str:
    return re.sub(r"\\(n|\\)", lambda found: "\n" if found[1] == "n" else "\\", decoded(text))


def _check_nrrd(path: str, fields: dict[str, str], storage: dict[str, str]) -> None:
    for name in ("dimension", "type", "sizes", "encoding"):
        if name not in fields:
            raise unreadable(path, f"field {name} is missing")
    count = _whole(path, "dimension", fields["dimension"], 1, 5)
    for name, text in (*fields.items(), *storage.items()):
        _NRRD_CHECKS[name](path, name, text, count)
    if "space" in fields and "space dimension" in fields:
        raise unreadable(path, "fields space and space dimension are both there, one is possible")
    fields["encoding"] = _ENCODINGS[fields["encoding"].lower()]
    if NRRD_TYPES[fields["type"].lower()][1] != "1" and fields["encoding"] != "ascii" and "endian" not in fields:
        raise unreadable(path, "field endian is missing")
    _check_vectors(path, fields, count)


def _check_vectors(path: str, fields: Mapping[str, str], count: int) -> None:
    """Refuse vectors whose number or length does not fit the image, or whose numbers are not finite."""
    for name, wanted in (("space directions", count), ("space origin", 1), ("measurement frame", None)):
        if name not in fields:
            continue
        if not re.fullmatch(rf"\s*(?:(?:none|{_VECTOR})\s*)+", fields[name]):
            raise unreadable(path, f"field {name} is {shown(fields[name])!r}, which is not a list of vectors")
        vectors = re.findall(rf"none|{_VECTOR}", fields[name])
        if wanted is not None and len(vectors) != wanted:
            raise unreadable(path, f"field {name} has {len(vectors)} vectors, {wanted} are needed")
        numbers = [check_numbers(path, name, one.strip("()").replace(",", " ")) for one in vectors if one != "none"]
        lengths = {len(one) for one in numbers}
        if name == "space directions":
            _check_spacings(path, name, [math.hypot(*one) for one in numbers])
        if len(lengths) > 1 or (lengths and max(lengths) > 4):
            raise unreadable(path, f"field {name} has vectors of {sorted(lengths)} numbers")
    if "space" not in fields and "space dimension" not in fields and {"space directions", "space origin"} & {*fields}:
        raise unreadable(path, "fields space and space dimension are missing, but vectors of that space are there")


def _check_spacings(path: str, name: str, lengths: list[float]) -> None:
    """Refuse lengths of voxels that no image has: ITK takes 1 for those that it cannot compute with."""
    for length in lengths:
        if not SMALLEST_SPACING <= length <= LARGEST_SPACING:
            limits = f"{SMALLEST_SPACING:g} to {LARGEST_SPACING:g} mm"
            raise unreadable(path, f"field {name} has a length of {length:g}, spacing must be {limits} on every axis")


_Check = Callable[[str, str, str, int], object]


def _matching(pattern: str, what: str) -> _Check:
    def check(path: str, name: str, text: str, _: int) -> None:
        if not re.fullmatch(pattern, text):
            raise unreadable(path, f"field {name} is {shown(text)!r}, which is not {what}")

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
    if len(text.split()) != count or not re.fullmatch(rf"(?:{_WORDS}\s*)*", text):
        raise unreadable(path, f"field {name} is {shown(text)!r}, it must be {count} words")


def _known(table: Mapping[str, object]) -> _Check:
    def check(path: str, name: str, text: str, _: int) -> None:
        if text.lower() not in table:
            raise unreadable(path, f"field {name} is {shown(text)!r}; known are {', '.join(table)}")

    return check


def _between(least: int, most: int) -> _Check:
    return lambda path, name, text, _: _whole(path, name, text, least, most)


_anything: _Check = lambda path, name, text, count: None  # noqa: E731
_NRRD_CHECKS: dict[str, _Check] = {
    "type": _known(NRRD_TYPES),
    "dimension": _between(1, 5),
    "sizes": _sizes,
    "encoding": _known(_ENCODINGS),
    "endian": _known({"little": 0, "big": 0}),
    "space": _matching(r"[A-Za-z0-9-]{1,60}", "the name of a space"),
    "space dimension": _between(1, 4),
    "space directions": _anything,
    "space origin": _anything,
    "measurement frame": _anything,
    "space units": _matching(_QUOTED, "a list of texts in quotes"),
    "sample units": _matching(r'[^"\\]{0,200}|"[^"\\]{0,200}"', "a unit"),
    "spacings": _listed,
    "thicknesses": _listed,
    "axis mins": _listed,
    "axis maxs": _listed,
    "min": _matching(r"\S{0,40}", "a number"),
    "max": _matching(r"\S{0,40}", "a number"),
    "old min": _matching(r"\S{0,40}", "a number"),
    "old max": _matching(r"\S{0,40}", "a number"),
    "block size": _between(0, 0),
    "centers": _words,
    "kinds": _words,
    "labels": _matching(_QUOTED, "a list of texts in quotes"),
    "units": _matching(_QUOTED, "a list of texts in quotes"),
    "content": _anything,
    "number": _anything,
    "byte skip": _between(-1, 1 << 62),
    "line skip": _between(0, 1 << 31),
    "data file": _anything,
}
