"""DICOM series through GDCM: a folder, or one file of it, becomes a volume or a volume over time.

GDCM applies rescale slope and intercept; slices are sorted by their position, never by name.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mitk_rs.errors import DicomSeriesWarning
from mitk_rs.io import metadata, simpleitk
from mitk_rs.io.dicom_series import Slice, Volume, volumes_of
from mitk_rs.io.formats import unreadable
from mitk_rs.io.record import ImageHeader, ImageRecord
from mitk_rs.time_geometry import ArbitraryTimeGeometry

__all__ = ["READER", "is_dicom", "read", "read_all", "read_header"]

READER = "ITK GDCMImageIO"
_READER_NAME = READER.removeprefix("ITK ")
_SERIES, _FRAMES, _PIXELS = "0020|000e", "0028|0008", "7fe0|0010"

_log = logging.getLogger(__name__)


def is_dicom(path: str) -> bool:
    """Return True for a folder and for a file that begins as DICOM files do."""
    if os.path.isdir(path):  # noqa: PTH112
        return True
    with Path(path).open("rb") as file:
        file.seek(128)
        return file.read(4) == b"DICM"


def read_header(path: str, **_: Any) -> ImageHeader:
    """Describe the series without its voxels; parameters as for :func:`read`."""
    volume = _asked_for(path)
    return _header(volume, path) if volume else simpleitk.read_header(path, reader=_READER_NAME)


def read(path: str, **_: Any) -> ImageRecord:
    """Read a series.

    Parameters
    ----------
    path
        A folder, of which the largest volume of the first series is read, or a file, whose volume is read.

    Raises
    ------
    FileError
        No DICOM image is there, or one is damaged.

    Warns
    -----
    DicomSeriesWarning
        Slices are missing, unequally spaced, shifted, or left out.
    """
    volume = _asked_for(path)
    return _read(volume, path) if volume else simpleitk.read(path, reader=_READER_NAME)


def read_all(path: str) -> Iterator[ImageRecord]:
    """Read every volume of every series of a folder."""
    for series in _series_of(path):
        for volume in _volumes(path, series):
            yield _read(volume, path)


def _asked_for(path: str) -> Volume | None:
    """The volume of the series that a file belongs to, or of a folder; None for a file that is an image alone."""
    if os.path.isdir(path):  # noqa: PTH112
        return _of_folder(path)
    own = _slice(path)
    series = own.tags.get(_SERIES)
    if not series or float(own.tags.get(_FRAMES) or 1) > 1:
        return None
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    for volume in _volumes(folder, series):
        if any(os.path.samefile(one.path, path) for one in volume.slices):  # noqa: PTH121
            return volume
    return None


def _of_folder(path: str) -> Volume:
    series = _series_of(path)
    if len(series) > 1:
        _log.warning("%s: %d series, the first is read; name one file of another to read that", path, len(series))
    volumes = _volumes(path, series[0])
    if len(volumes) > 1:
        sizes = ", ".join(str(len(volume.slices)) for volume in volumes)
        _log.warning("%s: the series has volumes of %s slices, the largest is read", path, sizes)
    return volumes[0]


def _series_of(folder: str) -> list[str]:
    series = list(simpleitk.library().ImageSeriesReader.GetGDCMSeriesIDs(folder))
    if not series:
        raise unreadable(folder, "it is a folder without DICOM images")
    _tell_unread(folder, series)
    return series


def _tell_unread(folder: str, series: list[str]) -> None:
    """Name the files that begin as DICOM and that GDCM passes over: damaged ones, and documents without pixels."""
    reader = simpleitk.library().ImageSeriesReader
    known = {os.path.basename(name) for one in series for name in reader.GetGDCMSeriesFileNames(folder, one)}  # noqa: PTH119
    with os.scandir(folder) as files:
        others = [file.name for file in files if file.is_file() and file.name not in known | {"DICOMDIR"}]
    unread = sorted(name for name in others if is_dicom(os.path.join(folder, name)))  # noqa: PTH118
    if unread:
        shown = ", ".join(unread[:5]) + (", ..." if len(unread) > 5 else "")
        warnings.warn(f"{folder}: no image can be read from {shown}", DicomSeriesWarning, stacklevel=2)


def _volumes(folder: str, series: str) -> list[Volume]:
    names = simpleitk.library().ImageSeriesReader.GetGDCMSeriesFileNames(folder, series)
    return volumes_of((_slice(name) for name in names), folder)


def _slice(path: str) -> Slice:
    with simpleitk.opened(path, _READER_NAME) as source:
        header = simpleitk.header_of(source, path)
        frame = header.frame
        return Slice(
            path=path,
            origin=np.array(frame.origin),
            direction=frame.direction,
            spacing=frame.spacing,
            shape=header.shape,
            dtype=header.dtype,
            components=header.components,
            tags=simpleitk.entries(source),
        )


def _header(volume: Volume, path: str) -> ImageHeader:
    first, steps = volume.steps[0][0], len(volume.steps)
    plane = first.shape[1:] if first.shape[0] == 1 else first.shape
    shape = ((steps,) if steps > 1 else ()) + (len(volume.steps[0]), *plane)
    lengths = shape[: len(shape) - (first.components > 1)]
    times = metadata.time_geometry({}, volume.frame, lengths)
    if volume.time_points is not None:
        times = ArbitraryTimeGeometry.from_time_points(volume.time_points).for_image(times.geometries)
    header = ImageHeader(
        shape=shape,
        dtype=np.result_type(*{one.dtype for one in volume.slices}),
        time_geometry=times,
        components=first.components,
        properties=_properties(volume),
        reader=READER,
    )
    _check(volume, header, path)
    return header


def _check(volume: Volume, header: ImageHeader, path: str) -> None:
    if any(one.shape[0] != 1 for one in volume.slices if len(one.shape) - (one.components > 1) == 3):
        raise unreadable(path, "its files hold several slices each, which is no series")
    if header.dtype.str[1:] not in simpleitk.TYPE_CODES:
        raise unreadable(path, f"its slices have voxels of types that fit into no common one ({header.dtype})")


def _properties(volume: Volume) -> dict[str, dict[str, str]]:
    """The tags that all slices agree on, under MITK's names ``DICOM.gggg.eeee``."""
    tags: Mapping[str, str] = volume.slices[0].tags
    common = {
        tag: text
        for tag, text in tags.items()
        if len(tag) == 9
        and tag[4] == "|"
        and tag != _PIXELS
        and all(one.tags.get(tag) == text for one in volume.slices)
    }
    return {
        f"DICOM.{tag[:4].upper()}.{tag[5:].upper()}": {"type": "StringProperty", "value": text.strip()}
        for tag, text in common.items()
    }


def _read(volume: Volume, path: str) -> ImageRecord:
    header = _header(volume, path)
    voxels = np.empty(header.shape, header.dtype)
    planes = voxels.reshape(len(volume.slices), *volume.slices[0].shape)
    for plane, one in zip(planes, volume.slices, strict=True):
        with simpleitk.opened(one.path, _READER_NAME) as source:
            plane[...] = simpleitk.adopt(source.Execute()).reshape(plane.shape)
    return ImageRecord.of(header, voxels)
