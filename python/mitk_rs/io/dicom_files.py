"""From DICOM files to volumes: one file's header as pydicom reads it, its pixels, and which images belong together.

The elements stay bytes until somebody asks for one. pydicom gives the pixels that are stored as numbers or by run
lengths, GDCM (through SimpleITK) the compressed ones. Slope and intercept are applied; the result has the type that
GDCM chooses: the smallest that holds every value that the bits can have.
"""

from __future__ import annotations

import math
import os
import re
import statistics
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import DicomSeriesWarning, FileError, MemoryLimitError
from mitk_rs.geometry import Frame
from mitk_rs.io import checks, itk
from mitk_rs.io.checks import printable, unreadable

# Compressed pixels unpack to at most this many bytes each, deflated files to this many bytes.
_MOST_PACKING = 1 << 14
_MOST_INFLATED = 1 << 31
_DEFLATED = "1.2.840.10008.1.2.1.99"
_IMPLICIT = "1.2.840.10008.1.2"
_NATIVE = {_IMPLICIT, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", _DEFLATED}
_RUN_LENGTHS = "1.2.840.10008.1.2.5"
_PLAIN_COLOURS = {"MONOCHROME1", "MONOCHROME2", "RGB"}
# Slices closer than this are at the same place; distances that differ by more than this share are not equal.
_SAME_PLACE_MM = 1e-3
_UNEQUAL = 0.01

# pydicom warns through Python's warnings; one thread at a time may keep them to itself.
_one_at_a_time = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's warnings about the values of elements to itself."""
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class Slice:
    """One image of a series, or one frame of a file that has several.

    Images with the same ``instance`` are copies. The place is in LPS mm; the third spacing is what the header says of
    the distance of slices, 0 for nothing. ``dtype`` is that of the rescaled voxels. ``clocks`` order images of the
    same place in time, in ms where it is a time: position in time, trigger time, frame reference time, time of
    acquisition, time of the content. ``number`` is that of the image in its series and of the frame in its file.
    ``is_native``: pydicom reads the pixels, which are not compressed, or only by run lengths.
    """

    path: str
    frame: int
    instance: str
    origin: NDArray[np.float64]
    direction: NDArray[np.float64]
    spacing: tuple[float, float, float]
    shape: tuple[int, int]
    dtype: np.dtype[np.generic]
    components: int
    clocks: tuple[float, ...]
    number: tuple[float, int]
    is_native: bool = True

    @property
    def height(self) -> float:
        """Position along the normal in mm."""
        return float(self.origin @ self.direction[:, 2])

    @property
    def group(self) -> tuple[object, ...]:
        """What slices of one volume have in common."""
        turned = tuple(np.round(self.direction.ravel(), 3) + 0.0)
        return (self.shape, self.components, tuple(np.round(self.spacing[:2], 4)), turned)


@dataclass(frozen=True)
class Volume:
    """Slices in order, ``steps[t][z]``.

    ``time_points`` are the bounds of the time steps in ms, None where the headers do not say them; ``faults`` what a
    regular stack would not have: gaps, uneven distances, tilt, images left out.
    """

    steps: list[list[Slice]]
    frame: Frame
    time_points: tuple[float, ...] | None
    faults: list[str] = field(default_factory=list)

    @property
    def slices(self) -> list[Slice]:
        return [one for step in self.steps for one in step]


def warn(message: str) -> None:
    warnings.warn(message, DicomSeriesWarning, stacklevel=2)


_TEXTS = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
_DECODED = {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}
_NUMBERS = {"US": "u2", "SS": "i2", "UL": "u4", "SL": "i4", "FL": "f4", "FD": "f8", "UV": "u8", "SV": "i8"}
_LONGEST_VALUE = 1 << 14
_UNDEFINED = 0xFFFFFFFF
_Groups = tuple[Any, Any]
# After these a text is in its first character set again.
_DELIMITERS = set(b"\r\n\t\f\\^=")


class DicomFile:
    """The data elements of one file, before the pixels, as bytes; nothing is converted that nobody asks for."""

    def __init__(self, path: str, file: BinaryIO, *, with_pixels: bool = False) -> None:
        import pydicom

        _check_inflated(path, file)
        self.path = path
        self._data = pydicom.dcmread(file, stop_before_pixels=not with_pixels, force=True)
        self._position, self._size = file.tell(), os.fstat(file.fileno()).st_size
        self._check_elements()
        self.charset = tuple(self._charset())

    def bad(self, what: str) -> FileError:
        return unreadable(self.path, what)

    def _check_elements(self) -> None:
        """Refuse a file that ends within an element: its value is shorter than its length."""
        for element in self._data.values():
            length, value = getattr(element, "length", 0), element.value
            if isinstance(value, bytes) and len(value) < length < _UNDEFINED:
                what = f"element {_tag_text(int(element.tag))} has {len(value)} of {length} bytes"
                raise self.bad(f"the file is truncated: {what}")

    def _raw(self, tag: int, data: Any = None) -> tuple[str, bytes] | None:
        """Kind and bytes of an element; None where there is none."""
        from pydicom.datadict import dictionary_has_tag, dictionary_VR

        data = self._data if data is None else data
        if tag not in data:
            return None
        element = data.get_item(tag)
        kind = element.VR or (dictionary_VR(tag) if dictionary_has_tag(tag) else "UN")
        if not isinstance(element.value, bytes):
            value = element.value
            values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
            return "UI", "\\".join(str(one) for one in values if one is not None).encode()
        if kind in _NUMBERS and not getattr(element, "is_little_endian", True):
            return kind, _whole_numbers(kind, element.value).byteswap().tobytes()
        return kind, element.value

    def text(self, tag: int, data: Any = None) -> str:
        """The text of an element in its character set; empty where there is none."""
        raw = self._raw(tag, data)
        return element_text(*raw, self.charset) if raw else ""

    def numbers(self, tag: int, data: Any = None) -> list[float]:
        """Return the finite numbers of an element; none where it is missing."""
        text = self.text(tag, data)
        found = [float(word) for word in text.split("\\") if word.strip()]
        if not all(map(math.isfinite, found)):
            raise self.bad(f"element {_tag_text(tag)} is {checks.shown(text)!r}, not finite numbers")
        return found

    def number(self, tag: int, otherwise: float, data: Any = None) -> float:
        return next(iter(self.numbers(tag, data)), otherwise)

    def whole(self, tag: int) -> int | None:
        """Return the whole number of an element; None where there is none."""
        found = self.numbers(tag)
        return int(found[0]) if found else None

    def items(self, tag: int, data: Any = None) -> list[Any]:
        data = self._data if data is None else data
        if tag not in data:
            return []
        value = data[tag].value
        return list(value) if not isinstance(value, bytes | str) else []

    def _charset(self) -> list[str]:
        from pydicom.charset import python_encoding

        raw = self._raw(0x00080005)
        codes = raw[1].decode("ascii", "replace").split("\\") if raw else [""]
        return [python_encoding.get(code.strip(" \0"), "latin-1") for code in codes]

    def tags(self) -> dict[int, tuple[str, bytes]]:
        """Return the public elements that are texts or numbers."""
        found = {}
        for tag in self._data.keys():  # noqa: SIM118 (iterating over the data set converts its elements)
            if tag.group % 2 == 0 and tag.group > 2 and (raw := self._raw(tag)):
                kind, value = raw
                if (kind in _TEXTS or kind in _NUMBERS) and len(value) <= _LONGEST_VALUE:
                    found[int(tag)] = raw
        return found

    # --- the image ---

    @property
    def is_image(self) -> bool:
        return 0x00280010 in self._data and 0x00280011 in self._data

    @property
    def is_document(self) -> bool:
        """True where the kind of object does not have an image: a report, a plan, a presentation state."""
        from pydicom.uid import UID

        kind = UID(self.text(0x00080016))
        return bool(kind) and not re.search("Image Storage|Dose|Segmentation|Parametric Map", kind.name)

    @property
    def syntax(self) -> str:
        """Transfer syntax; implicit little endian where it is not said."""
        meta = getattr(self._data, "file_meta", None)
        return str(getattr(meta, "TransferSyntaxUID", "") or _IMPLICIT).strip("\0 ")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.whole(0x00280010) or 0, self.whole(0x00280011) or 0
        checks.check_shape(self.path, (rows, columns))
        return rows, columns

    @property
    def frames(self) -> int:
        """Number of images in the file."""
        count = self.whole(0x00280008)
        if count is None:
            return 1
        if not 1 <= count <= 1 << 24:
            raise self.bad(f"element (0028,0008), the number of frames, is {count}")
        return count

    @property
    def components(self) -> int:
        """Samples of a pixel; those of a palette count when it is looked up."""
        samples = self.whole(0x00280002) or 1
        if samples not in (1, 3, 4):
            raise self.bad(f"element (0028,0002), the samples per pixel, is {samples}, 1, 3 or 4 are possible")
        return 3 if self.colours == "PALETTE COLOR" else samples

    @property
    def colours(self) -> str:
        return self.text(0x00280004)

    @property
    def bits(self) -> tuple[int, int, int, bool]:
        """Bits of a sample: allocated, stored, the highest; and whether it has a sign."""
        allocated = self.whole(0x00280100) or 16
        stored = self.whole(0x00280101) or allocated
        highest = self.whole(0x00280102)
        highest = stored - 1 if highest is None else highest
        if allocated not in (1, 8, 16, 32, 64) or not 1 <= stored <= allocated or not stored - 1 <= highest < allocated:
            bits = f"{stored} of {allocated} bits up to bit {highest}"
            raise self.bad(f"elements (0028,0100), (0028,0101), (0028,0102): {bits}")
        return allocated, stored, highest, self.whole(0x00280103) == 1

    @property
    def is_native(self) -> bool:
        """True where pydicom reads the pixels: they are numbers, or runs of equal ones."""
        return (
            self.syntax in (*_NATIVE, _RUN_LENGTHS) and self.colours in _PLAIN_COLOURS and self.bits[0] in (8, 16, 32)
        )

    def check_length(self) -> None:
        """Refuse a file that ends before its pixels do, before memory is taken for them."""
        samples = 1 if self.colours == "PALETTE COLOR" else self.components
        needed = math.prod(self.shape) * self.frames * samples * self.bits[0] // 8
        # The position is that of the element, whose head takes 8 or 12 bytes.
        held = self._size - self._position - (8 if self.syntax == _IMPLICIT else 12)
        if self.syntax not in _NATIVE or self.syntax == _DEFLATED:
            held = self._size * _MOST_PACKING
        # Two of three samples are shared by neighbours in YBR_FULL_422.
        if held < needed * (2 / 3 if "422" in self.colours else 1):
            raise self.bad(f"the file is truncated: its pixels need {needed} bytes, there are {held}")

    @property
    def whole_shape(self) -> tuple[int, ...]:
        """Frames, rows, columns and, of colours, samples."""
        return (self.frames, *self.shape, *([self.components] if self.components > 1 else []))

    def stored(self) -> NDArray[Any]:
        """Return the stored numbers, ``(frame, y, x[, c])``, without bits that do not belong to them."""
        from pydicom.pixels import pixel_array

        array = pixel_array(self._data, raw=True)
        shape = self.whole_shape
        if array.size != math.prod(shape):
            raise self.bad(f"it has {array.size} values, its header says {math.prod(shape)}")
        allocated, count, highest, has_sign = self.bits
        whole = np.ascontiguousarray(array.reshape(shape), array.dtype.newbyteorder("="))
        signed = f"{'i' if has_sign else 'u'}{allocated // 8}"
        if count == allocated:
            return whole.view(signed)
        # To the left end of the number and back again: this drops what is above, below, and repeats the sign.
        return (whole.view(f"u{allocated // 8}") << (allocated - 1 - highest)).view(signed) >> (allocated - count)

    def scales(self) -> list[tuple[float, float]]:
        return [self._scale(groups) for groups in self._groups()]

    def _groups(self) -> list[_Groups]:
        """What an enhanced object says of each frame: of it alone, else of all. One pair for other objects."""
        shared = next(iter(self.items(0x52009229)), None)
        return [(own, shared) for own in self.items(0x52009230)] or [(None, shared)]

    def _item(self, groups: _Groups, sequence: int, tag: int) -> Any:
        """The item of a sequence that has an element; None where there is none."""
        items = (item for group in groups if group is not None for item in self.items(sequence, group))
        return next((item for item in items if tag in item), None)

    def _scale(self, groups: _Groups) -> tuple[float, float]:
        """Slope and intercept of a frame; a slope of 0 counts as 1, as in GDCM."""
        item = self._item(groups, 0x00289145, 0x00281053)
        slope, intercept = self.number(0x00281053, 1.0, item), self.number(0x00281052, 0.0, item)
        return slope or 1.0, intercept

    def rescaled_type(self, slope: float, intercept: float) -> np.dtype[Any]:
        """Return the type of the rescaled voxels, as GDCM chooses it."""
        allocated, stored, _, has_sign = self.bits
        if (slope, intercept) == (1.0, 0.0) or self.components > 1:
            return np.dtype(f"{'i' if has_sign else 'u'}{max(allocated // 8, 1)}")
        if slope != int(slope) or intercept != int(intercept):
            return np.dtype("f8")
        least, most = (-(1 << stored - 1), (1 << stored - 1) - 1) if has_sign else (0, (1 << stored) - 1)
        ends = sorted((slope * least + intercept, slope * most + intercept))
        for code in ("u1", "u2", "u4") if ends[0] >= 0 else ("i1", "i2", "i4"):
            limits = np.iinfo(code)
            if limits.min <= ends[0] and ends[1] <= limits.max:
                return np.dtype(code)
        return np.dtype("f8")

    # --- places and times ---

    def slices(self) -> list[Slice]:
        """Return the image, or the frames, of the file."""
        count, groups = self.frames, self._groups()
        if count > 1 and len(groups) == count:
            return [self._slice(number, one) for number, one in enumerate(groups)]
        offsets = self.numbers(0x3004000C)
        step = abs(self.number(0x00180088, 0.0)) or abs(self.number(0x00180050, 0.0)) or 1.0
        heights = offsets if len(offsets) == count else [step * number for number in range(count)]
        if count == 1:
            return [self._slice(0, groups[0])]
        first = self._slice(0, (None, groups[0][1]))
        origins = [first.origin + height * first.direction[:, 2] for height in heights]
        numbers = [(first.number[0], number) for number in range(count)]
        return [replace(first, frame=number[1], origin=origins[number[1]], number=number) for number in numbers]

    def _slice(self, number: int, groups: _Groups) -> Slice:
        def numbers(tag: int, sequence: int = 0) -> list[float]:
            item = self._item(groups, sequence, tag) if sequence else None
            return self.numbers(tag, item) if item is not None else self.numbers(tag)

        direction = _direction(self.path, numbers(0x00200037, 0x00209116))
        origin = numbers(0x00200032, 0x00209113) or [0.0, 0.0, 0.0]
        if len(origin) != 3:
            raise self.bad(f"element (0020,0032), the position, has {len(origin)} numbers, 3 are needed")
        slope, intercept = self._scale(groups)
        spacing = self._spacing(numbers)
        checks.frame(self.path, (*spacing[:2], spacing[2] or 1.0), origin, direction)
        instance = self.number(0x00200013, 0.0)
        return Slice(
            path=self.path,
            frame=number,
            instance=self.text(0x00080018),
            origin=np.array(origin),
            direction=direction,
            spacing=spacing,
            shape=self.shape,
            dtype=self.rescaled_type(slope, intercept),
            components=self.components,
            clocks=self._clocks(numbers, groups),
            number=(instance, number),
            is_native=self.is_native,
        )

    def _spacing(self, numbers: Callable[..., list[float]]) -> tuple[float, float, float]:
        others = (found for tag in (0x00181164, 0x00182010, 0x00280034) if (found := numbers(tag)))
        rows_columns = numbers(0x00280030, 0x00289110) or next(others, [1, 1])
        if len(rows_columns) != 2:
            raise self.bad(f"element (0028,0030), the pixel spacing, has {len(rows_columns)} numbers")
        between = numbers(0x00180088, 0x00289110) or numbers(0x00180050, 0x00289110) or [0.0]
        return rows_columns[1], rows_columns[0], abs(between[0])

    def _clocks(self, numbers: Callable[..., list[float]], groups: _Groups) -> tuple[float, ...]:
        position = numbers(0x00209128, 0x00209111) or self.numbers(0x00200100) or [0.0]
        trigger = numbers(0x00209153, 0x00189118) or self.numbers(0x00181060) or [0.0]
        reference = self.numbers(0x00541300) or [0.0]
        content = self._item(groups, 0x00209111, 0x00189074)
        moment = self.text(0x00189074, content) if content is not None else self.text(0x0008002A)
        acquired = _moment_ms(moment, self.text(0x00080022), self.text(0x00080032))
        return (position[0], trigger[0], reference[0], acquired, _time_ms(self.text(0x00080033)))

    def cine(self, slices: Sequence[Slice]) -> Volume | None:
        """Return the volume over time of frames that follow each other at one place; None for others."""
        count = len(slices)
        if count == 1 or self.items(0x52009230) or 0x3004000C in self._data:
            return None
        durations = self.numbers(0x00181065)
        rate = self.number(0x00180040, 0.0) or self.number(0x00082144, 0.0)
        frame_time = self.number(0x00181063, 0.0) or (1000.0 / rate if rate > 0 else 0.0)
        if len(durations) == count and min(durations[1:]) > 0:
            starts = np.cumsum([0.0, *durations[1:]]).tolist()
        elif frame_time > 0:
            starts = [frame_time * number for number in range(count)]
        else:
            return None
        frames = [replace(one, origin=slices[0].origin) for one in slices]
        end = starts[-1] + (starts[-1] - starts[-2])
        return Volume([[one] for one in frames], _frame(frames[:1])[0], (*starts, end))


def _direction(path: str, cosines: list[float]) -> NDArray[np.float64]:
    if not cosines:
        return np.eye(3)
    if len(cosines) != 6:
        raise unreadable(path, f"element (0020,0037), the orientation, has {len(cosines)} numbers, 6 are needed")
    row, column = np.array(cosines[:3]), np.array(cosines[3:])
    return np.stack([row, column, np.cross(row, column)], axis=1)


def _tag_text(tag: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


def _whole_numbers(kind: str, value: bytes) -> NDArray[Any]:
    """The numbers of an element, without a part of one at the end."""
    size = np.dtype(_NUMBERS[kind]).itemsize
    return np.frombuffer(value[: len(value) // size * size], _NUMBERS[kind])


def element_text(kind: str, value: bytes, charset: Sequence[str]) -> str:
    """Return the text of an element: numbers in decimals, several values with a backslash between them."""
    if kind in _NUMBERS:
        numbers = _whole_numbers(kind, value)
        return "\\".join(f"{one:.17g}" if numbers.dtype.kind == "f" else str(one) for one in numbers.tolist())
    if kind not in _DECODED or (value.isascii() and b"\x1b" not in value):
        return value.decode("latin-1").strip("\0 ")
    return _decoded(value, charset).strip("\0 ")


def _decoded(value: bytes, charset: Sequence[str]) -> str:
    from pydicom.charset import decode_bytes

    if b"\x1b" in value or len(charset) > 1:
        return str(decode_bytes(value, list(charset), _DELIMITERS))
    try:
        return value.decode(charset[0] if charset else "latin-1")
    except (UnicodeDecodeError, LookupError):
        return value.decode("latin-1")


def _moment_ms(moment: str, date: str, time: str) -> float:
    """Milliseconds of some calendar; 0 where no element says the moment."""
    if moment:
        date, time = moment[:8], re.split(r"[+-]", moment[8:])[0]
    try:
        day = np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:8]}", "D").astype(int)
    except ValueError:
        day = 0
    return float(day) * 86_400_000.0 + _time_ms(time)


def _time_ms(time: str) -> float:
    """Time of day ``HHMMSS.ffffff``; later parts may be missing."""
    parts = re.fullmatch(r"(\d\d)(\d\d)?(\d\d(?:\.\d*)?)?", time.strip().replace(":", ""))
    if parts is None:
        return 0.0
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return 1000.0 * (3600 * hours + 60 * minutes + seconds)


def _check_inflated(path: str, file: BinaryIO) -> None:
    """Refuse a deflated file that would fill the memory: pydicom inflates it as a whole."""
    start = file.read(1 << 12)
    if _DEFLATED.encode() in start and start[132:140] == b"\x02\x00\x00\x00UL\x04\x00":
        from isal import isal_zlib

        file.seek(144 + int.from_bytes(start[140:144], "little"))
        decoder, count = isal_zlib.decompressobj(-15), 0
        while (data := file.read(1 << 15)) and not decoder.eof:
            count += len(decoder.decompress(data))
            if count > _MOST_INFLATED:
                raise unreadable(path, f"its elements unpack to more than {_MOST_INFLATED} bytes")
    file.seek(0)


# --- pixels ------------------------------------------------------------------------------------------------------


def pixels(path: str) -> NDArray[Any]:
    """Return the rescaled frames of a file, ``(frame, y, x[, c])``."""
    try:
        with checks.open_regular(path) as file, quiet():
            header = DicomFile(path, file, with_pixels=True)
            scales = header.scales()
            if header.is_native:
                return _rescaled(header, header.stored(), scales)
    except MemoryError as error:
        raise MemoryLimitError(f"cannot read {path}: not enough memory for its pixels") from error
    except FileError:
        raise
    except Exception as error:
        raise checks.as_file_error(path, error) from error
    if len(set(scales)) > 1:
        raise unreadable(path, "its frames are compressed and have slopes of their own, which cannot be read")
    voxels = itk.read_voxels(path, "GDCMImageIO")
    count = math.prod(header.whole_shape)
    if voxels.size != count:
        raise unreadable(path, f"GDCM finds {voxels.size} values in it, its header says {count}")
    return voxels.reshape(header.whole_shape)


def _rescaled(header: DicomFile, stored: NDArray[Any], scales: Sequence[tuple[float, float]]) -> NDArray[Any]:
    types = [header.rescaled_type(*scale) for scale in scales]
    made = np.zeros(stored.shape, np.result_type(*types))
    for number, frame in enumerate(stored):
        slope, intercept = scales[min(number, len(scales) - 1)]
        if header.components > 1 or (slope, intercept) == (1.0, 0.0):
            made[number] = frame
        elif made.dtype.kind == "f":
            made[number] = frame.astype(np.float64) * slope + intercept
        else:
            made[number] = frame.astype(np.int64) * int(slope) + int(intercept)
    return made


# --- volumes ----------------------------------------------------------------------------------------------------


def volumes_of(slices: Iterable[Slice], name: str) -> list[Volume]:
    """Sort the slices of one series, in any order, into volumes, the largest first; ``name`` is that of warnings."""
    groups: dict[tuple[object, ...], list[Slice]] = defaultdict(list)
    for one in _without_copies(slices, name):
        groups[one.group].append(one)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [_volume(group) for group in ordered]


def _without_copies(slices: Iterable[Slice], name: str) -> list[Slice]:
    """Leave out files that hold the same image again."""
    found: dict[tuple[str, int], Slice] = {}
    copies = 0
    for one in slices:
        key = (one.instance or one.path, one.frame)
        copies += key in found
        found.setdefault(key, one)
    if copies:
        warn(f"{printable(name)}: {copies} files hold images that other files also hold; they are left out")
    return list(found.values())


def _volume(slices: Sequence[Slice]) -> Volume:
    stacks = _stacks(slices)
    count = min(map(len, stacks))
    surplus = len(slices) - count * len(stacks)
    faults = [f"{surplus} images are left out, not every place has as many time steps"] if surplus else []
    steps = [[stack[step] for stack in stacks] for step in range(count)]
    frame, others = _frame(steps[0])
    return Volume(steps, frame, _time_points(steps), faults + others)


def _stacks(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Images of the same place together, from the lowest to the highest place, each stack in the order of time."""
    stacks: list[list[Slice]] = []
    for one in sorted(slices, key=lambda one: (one.height, one.number, one.path)):
        if stacks and one.height - stacks[-1][0].height < _SAME_PLACE_MM:
            stacks[-1].append(one)
        else:
            stacks.append([one])
    return [sorted(stack, key=lambda one: (one.clocks, one.number, one.path)) for stack in stacks]


def _frame(stack: Sequence[Slice]) -> tuple[Frame, list[str]]:
    """Place the volume where its slices are, also a sheared one, which a tilted gantry gives; say what is irregular."""
    first = stack[0]
    direction, faults = first.direction.copy(), []
    thickness = first.spacing[2] if first.spacing[2] > 0 else 1.0
    if len(stack) > 1:
        faults = _gaps(stack)
        stride = np.median(np.diff([one.origin for one in stack], axis=0), axis=0)
        thickness = float(np.linalg.norm(stride))
        if np.linalg.norm(stride / thickness - direction[:, 2]) > 1e-3:
            faults.append("the slices are shifted along their plane (tilted gantry), so the volume is sheared")
            direction[:, 2] = stride / thickness
    x, y, z = first.origin.tolist()
    spacing = (float(first.spacing[0]), float(first.spacing[1]), thickness)
    return Frame(spacing=spacing, origin=(x, y, z)).with_direction(direction), faults


def _gaps(stack: Sequence[Slice]) -> list[str]:
    distances = np.diff([one.height for one in stack])
    usual = statistics.median(distances)
    faults = []
    for below, distance in enumerate(distances):
        if abs(distance - usual) <= _UNEQUAL * usual:
            continue
        missing = round(distance / usual) - 1
        whole = missing > 0 and abs(distance / usual - missing - 1) <= 10 * _UNEQUAL
        slices = "1 slice is" if missing == 1 else f"{missing} slices are"
        what = f"{slices} missing" if whole else f"the distance is {distance:.4g} mm"
        faults.append(f"{what} after slice {below} of {len(stack)}, slices are {usual:.4g} mm apart elsewhere")
    return faults


def _time_points(steps: Sequence[Sequence[Slice]]) -> tuple[float, ...] | None:
    """Bounds of the time steps in ms from the first; None where the headers do not tell them apart."""
    if len(steps) < 2:
        return None
    # Trigger time, frame reference time, time of acquisition: positions in time have no unit.
    for clock in (1, 2, 3):
        starts = [min(one.clocks[clock] for one in step) for step in steps]
        lengths = np.diff(starts)
        if (lengths > 0).all():
            begun = [start - starts[0] for start in starts]
            return (*begun, begun[-1] + float(lengths[-1]))
    return None
