"""DICOM: a folder, or one file of it, becomes a volume or a volume over time.

Headers are read once, by pydicom; slices are sorted by their position, never by name.
"""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import Exception as MitkException
from mitk_rs.errors import FileError
from mitk_rs.io import checks, formats, isolation, itk
from mitk_rs.io.checks import unreadable
from mitk_rs.io.dicom_files import DicomFile, Slice, Volume, element_text, pixels, quiet, volumes_of, warn
from mitk_rs.io.formats import ALL_TYPES, ImageHeader, ImageRecord, ReadOptions
from mitk_rs.time_geometry import ArbitraryTimeGeometry

READER = "pydicom DICOM"
_ENDINGS = (".dcm", ".ima", ".dicom")
_log = logging.getLogger(__name__)

# Blocks of a file that are enough to see to which series it belongs.
_GLANCE = 1 << 16
_SERIES_TAG = b"\x20\x00\x0e\x00"


def library() -> Any:
    import pydicom

    return pydicom, itk.library()


def is_dicom(path: str) -> bool:
    """Return True for a folder, for a file that begins as DICOM files do, and for the endings of DICOM files."""
    if os.path.isdir(path) or path.lower().endswith(_ENDINGS):  # noqa: PTH112
        return True
    with checks.open_regular(path) as file:
        file.seek(128)
        return file.read(4) == b"DICM"


@dataclass(frozen=True)
class SeriesInfo:
    """One of the volumes of a folder with DICOM files.

    Attributes
    ----------
    number
        Its number in the list, from 1.
    uid
        Series Instance UID.
    series_number, description, modality
        What the headers say.
    slices
        Number of images.
    size
        Columns, rows, slices and, of a series over time, time steps.
    """

    number: int
    uid: str
    series_number: int | None
    description: str
    modality: str
    slices: int
    size: tuple[int, ...]

    def __str__(self) -> str:
        size = " x ".join(map(str, self.size))
        name = f" '{self.description}'" if self.description else ""
        images = "1 image" if self.slices == 1 else f"{self.slices} images"
        return f"{self.number}:{name} {self.modality} {images}, {size}".replace("  ", " ")


@dataclass
class _Series:
    """What was found of one series."""

    uid: str
    number: int | None
    description: str
    modality: str
    slices: list[Slice] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    tags: dict[tuple[object, ...], dict[int, tuple[str, bytes]]] = field(default_factory=dict)
    charset: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """One volume of a folder, and what the list says of it."""

    info: SeriesInfo
    volume: Volume
    series: _Series


def list_series(folder: str) -> list[SeriesInfo]:
    """Return the series of a folder; one that has images of several sizes or directions is there for each."""
    return [entry.info for entry in _entries(folder, _Scan(folder))]


def read_header(path: str, options: ReadOptions) -> ImageHeader:
    """Describe the volume without its voxels. Gaps are warned of, not refused."""
    return _header(_asked_for(path, {**options, "allow_gaps": True}), path)


def read(path: str, options: ReadOptions) -> ImageRecord:
    """Read a volume: that of a file, or of a folder with one series or of which one is chosen."""
    return _read(_asked_for(path, options), path)


def read_all(path: str, options: ReadOptions) -> Iterator[ImageRecord]:
    scan = _Scan(path)
    for entry in _entries(path, scan):
        _check_regular(path, entry, scan, allowed=options.get("allow_gaps", False))
        yield _read(entry, path)


# --- choosing ----------------------------------------------------------------------------------------------------


def _asked_for(path: str, options: ReadOptions) -> _Entry:
    """The volume of a folder, or that a file belongs to."""
    scan = _Scan(path)
    entries = _entries(path, scan)
    is_folder = os.path.isdir(path)  # noqa: PTH112
    entry = _chosen(path, entries, options.get("series")) if is_folder else _of_file(path, entries)
    _check_regular(path, entry, scan, allowed=options.get("allow_gaps", False))
    return entry


def _chosen(path: str, entries: Sequence[_Entry], wanted: int | str | None) -> _Entry:
    if wanted is None:
        found = list(entries)
    else:
        text = str(wanted).strip()
        found = [entry for entry in entries if text == str(entry.info.number)] if text.isdecimal() else []
        found = found or [entry for entry in entries if text in (entry.info.uid, entry.info.description)]
    if len(found) == 1:
        return found[0]
    listed = "; ".join(str(entry.info) for entry in entries[:20]) + ("; ..." if len(entries) > 20 else "")
    if wanted is not None:
        matches = "is not one" if not found else f"names {len(found)}"
        raise unreadable(path, f"series {wanted!r} {matches} of the {len(entries)} series there: {listed}")
    raise unreadable(path, f"the folder has {len(entries)} series, choose one with series=N (--series N): {listed}")


def _of_file(path: str, entries: Sequence[_Entry]) -> _Entry:
    for entry in entries:
        if any(_is_same(one.path, path) for one in entry.volume.slices):
            return entry
    raise unreadable(path, "another file of the folder holds the same image, and its volume does not have this file")


def _check_regular(path: str, entry: _Entry, scan: _Scan, *, allowed: bool) -> None:
    """Refuse, or warn of, a volume that is not a regular stack."""
    faults = list(entry.volume.faults)
    damaged = [name for name, uid in scan.damaged.items() if uid in ("", entry.series.uid)]
    if damaged:
        names = sorted(checks.printable(os.path.basename(name)) for name in damaged)  # noqa: PTH119
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        if os.path.isdir(path):  # noqa: PTH112
            faults.append(f"no image can be read from {shown}")
        else:
            warn(f"{checks.printable(path)}: no image can be read from {shown}")
    if not faults:
        return
    if not allowed:
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        raise unreadable(path, f"{'; '.join(faults[:3])}{more}; allow_gaps=True (--allow-gaps) reads it all the same")
    for fault in faults:
        warn(f"{checks.printable(path)}: {fault}")


def _entries(path: str, scan: _Scan) -> list[_Entry]:
    found = []
    for series in sorted(scan.series.values(), key=lambda one: (one.number is None, one.number or 0, one.uid)):
        volumes = series.volumes + volumes_of(series.slices, path) if series.slices else series.volumes
        found += [(volume, series) for volume in volumes]
    if not found:
        first = next(iter(scan.reasons.items()), None)
        if first and not os.path.isdir(path):  # noqa: PTH112
            raise unreadable(path, first[1])
        damaged = f"; {os.path.basename(first[0])}: {first[1]}" if first else ""  # noqa: PTH119
        raise unreadable(path, f"it is a folder without DICOM images{damaged}")
    return [_Entry(_info(number, volume, series), volume, series) for number, (volume, series) in enumerate(found, 1)]


def _info(number: int, volume: Volume, series: _Series) -> SeriesInfo:
    rows, columns = volume.steps[0][0].shape
    times = (len(volume.steps),) if len(volume.steps) > 1 else ()
    return SeriesInfo(
        number=number,
        uid=series.uid,
        series_number=series.number,
        description=series.description,
        modality=series.modality,
        slices=len(volume.slices),
        size=(columns, rows, len(volume.steps[0]), *times),
    )


# --- scanning ----------------------------------------------------------------------------------------------------


class _Scan:
    """The headers of a folder's files, or of the series that one file belongs to; each file is read once.

    ``damaged`` are files that begin as DICOM and cannot be read, with the UID of their series where it is known, and
    ``reasons`` say why.
    """

    def __init__(self, path: str) -> None:
        self.series: dict[str, _Series] = {}
        self.damaged: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        if os.path.isdir(path):  # noqa: PTH112
            for name in _files(path):
                if _start(name, 132):
                    self._add(name)
            return
        uid = self._add(path)
        if path in self.reasons:
            raise unreadable(path, self.reasons[path])
        if not uid or self.series[uid].volumes:
            return
        for name in _files(os.path.dirname(os.path.abspath(path))):  # noqa: PTH100, PTH120
            if not _is_same(name, path) and _may_be_of(name, uid):
                self._add(name, only=uid)

    def _add(self, path: str, only: str = "") -> str:
        """Read the header of a file and return the UID of its series."""
        uid = ""
        try:
            with checks.open_regular(path) as file, quiet():
                header = DicomFile(path, file)
                uid = header.text(0x0020000E)
                if only and uid != only:
                    return uid
                if not header.is_image and header.is_document:
                    self.reasons.setdefault(path, "it is a DICOM document without an image")
                    return uid
                if not header.is_image:
                    raise unreadable(path, "rows and columns are missing: it is truncated, or without an image")
                header.check_length()
                self._add_image(uid, header)
        except MitkException as error:
            self._damage(path, uid, str(error).removeprefix(f"cannot read {path}: "))
        except Exception as error:
            self._damage(path, uid, checks.shown(str(error), 200) or type(error).__name__)
        return uid

    def _damage(self, path: str, uid: str, reason: str) -> None:
        self.damaged[path] = uid
        self.reasons[path] = reason
        _log.info("%s: %s", checks.printable(path), reason)

    def _add_image(self, uid: str, header: DicomFile) -> None:
        slices = header.slices()
        series = self.series.get(uid)
        if series is None:
            series = self.series[uid] = _Series(
                uid, header.whole(0x00200011), header.text(0x0008103E), header.text(0x00080060), charset=header.charset
            )
        moving = header.cine(slices)
        if moving is not None:
            series.volumes.append(moving)
        elif len(slices) > 1:
            series.volumes += volumes_of(slices, header.path)
        else:
            series.slices += slices
        tags = header.tags()
        for group in {one.group for one in slices}:
            known = series.tags.get(group)
            series.tags[group] = tags if known is None else {k: v for k, v in known.items() if tags.get(k) == v}


def _files(folder: str) -> list[str]:
    """The regular files of a folder, in the order of their names."""
    with os.scandir(folder) as entries:
        return sorted(entry.path for entry in entries if entry.name != "DICOMDIR" and entry.is_file())


def _is_same(one: str, other: str) -> bool:
    """Whether two names are of one file; False if a file was removed meanwhile."""
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except OSError:
        return False


def _start(path: str, count: int) -> bytes:
    """The first bytes of a file that may be DICOM; none of others."""
    try:
        with checks.open_regular(path) as file:
            start = file.read(count)
    except FileError:
        return b""
    return start if start[128:132] == b"DICM" or path.lower().endswith(_ENDINGS) else b""


def _may_be_of(path: str, uid: str) -> bool:
    """Whether a glance at a file leaves it possible that it belongs to a series."""
    start = _start(path, _GLANCE)
    if _SERIES_TAG not in start:
        return bool(start)
    return re.search(re.escape(uid.encode()) + rb"(?![0-9.])", start) is not None


# --- voxels ------------------------------------------------------------------------------------------------------


def _header(entry: _Entry, path: str) -> ImageHeader:
    volume, first = entry.volume, entry.volume.steps[0][0]
    steps = len(volume.steps)
    lengths = ((steps,) if steps > 1 else ()) + (len(volume.steps[0]), *first.shape)
    dtype = np.result_type(*{one.dtype for one in volume.slices})
    if dtype.str[1:] not in ALL_TYPES:
        raise unreadable(path, f"its slices have voxels of types that fit into no common one ({dtype})")
    made = formats.header(path, lengths, dtype, volume.frame, components=first.components, reader=READER)
    times = made.time_geometry
    if volume.time_points is not None:
        times = ArbitraryTimeGeometry.from_time_points(volume.time_points).for_image(times.geometries)
    return replace(made, time_geometry=times, properties=_properties(entry))


def _properties(entry: _Entry) -> dict[str, dict[str, str]]:
    """The elements that all slices agree on, under MITK's names ``DICOM.gggg.eeee``."""
    series = entry.series
    common = series.tags[entry.volume.steps[0][0].group]
    with quiet():
        return {
            f"DICOM.{tag >> 16:04X}.{tag & 0xFFFF:04X}": {
                "type": "StringProperty",
                "value": element_text(kind, value, series.charset).strip(),
            }
            for tag, (kind, value) in common.items()
        }


def _read(entry: _Entry, path: str) -> ImageRecord:
    header = _header(entry, path)
    slices = entry.volume.slices
    voxels = checks.zeros_of(path, header.shape, header.dtype)
    planes = voxels.reshape(len(slices), *slices[0].shape, *header.shape[header.dimension :])
    wanted: dict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(slices):
        wanted[one.path].append(place)
    for name, frames in _pixels_of({one.path: one.is_native for one in slices}):
        for place in wanted[name]:
            planes[place] = frames[slices[place].frame]
    return ImageRecord.of(header, voxels)


def _pixels_of(files: Mapping[str, bool]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Return the rescaled frames of files; the values say whether pydicom alone can read them.

    The compressed ones are read in another process: GDCM's libraries print about damaged data, and need no trust.
    """
    others = [name for name, is_native in files.items() if not is_native]
    if others and not isolation.is_worker():
        yield from zip(others, isolation.read_pixels(others, isolation.Limits()), strict=True)
        files = {name: True for name, is_native in files.items() if is_native}
    for name in files:
        yield name, pixels(name)
