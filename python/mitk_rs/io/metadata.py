"""Time points, properties and exact geometry as the text entries of a file header.

The names and layouts of MITK are used where MITK has them (``mitkItkImageIO.cpp``): ``org_mitk_timegeometry_type``,
``org_mitk_timegeometry_timepoints``, ``org_mitk_uid``, and properties under their names with ``.`` as ``_``. What
these cannot say, types of properties and a geometry that the header would round, is in two JSON entries.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mitk_rs.errors import FileWriteError, RequestError
from mitk_rs.geometry import Frame, SlicedGeometry3D
from mitk_rs.io.checks import unreadable
from mitk_rs.io.formats import Format, lies_flat, lies_in_plane, loses_axes
from mitk_rs.io.record import ImageHeader, frames_of, is_axis_aligned
from mitk_rs.time_geometry import POINTS_KEY, TYPE_KEY, TimeGeometry, time_geometry_from_keys, time_geometry_keys

__all__ = ["check_entries", "entries_of", "header", "header_frame", "is_persistent", "losses"]

_log = logging.getLogger(__name__)

UID = "org_mitk_uid"
GEOMETRY = "mitk_rs_geometry"
PROPERTIES = "mitk_rs_properties"
_OWN = {TYPE_KEY, POINTS_KEY, UID, GEOMETRY, PROPERTIES}

# A name that survives the change of "." to "_" and back, and that is no field of a MetaImage header.
_PLAIN_NAME = re.compile(r"(?=.{1,200}$)[A-Za-z0-9\-\[\]]+(\.[A-Za-z0-9\-\[\]]+)+")
_PLAIN_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
# What describes the file that was read and would be wrong in the next one.
_OF_THE_FILE = re.compile(
    r"path|ITK[._].*|NRRD[._].*|Modality|aux.file|bitpix|cal.(max|min)|datatype|descrip|dim(\[\d\]|.info)|"
    r"intent.(code|name|p\d)|nifti.type|pixdim\[\d\]|qfac|[qs]form.code(.name)?|qoffset.[xyz]|[qs]to.xyz|"
    r"quatern.[bcd]|scl.(inter|slope)|slice.(code|duration|end|start)|srow.[xyz]|toffset|vox.offset|xyzt.units"
)


def header(
    path: str,
    lengths: Sequence[int],
    dtype: np.dtype[Any],
    frame: Frame,
    *,
    components: int = 1,
    entries: Mapping[str, str] | None = None,
    provided: Mapping[str, str] | None = None,
    reader: str = "",
    tolerance: float = 1e-6,
) -> ImageHeader:
    """Describe the image that a file holds.

    Parameters
    ----------
    path
        What errors name.
    lengths
        ``[[t,] z,] y, x``.
    dtype, components
        What a voxel is.
    frame
        What the header's fields say of the place of the image, exact to ``tolerance``.
    entries
        Free texts of the header: times, properties.
    provided
        Properties that the reader adds.
    reader
        Name of the reader.

    Raises
    ------
    FileError
        Time points that decrease.
    """
    found = entries or {}
    try:
        times = time_geometry(found, frame, lengths, tolerance=tolerance)
    except RequestError as error:
        raise unreadable(path, str(error)) from error
    return ImageHeader(
        shape=tuple(lengths) + ((components,) if components > 1 else ()),
        dtype=dtype,
        time_geometry=times,
        components=components,
        properties=read_properties(found, provided or {}),
        uid=found.get(UID),
        reader=reader,
    )


def entries_of(image: ImageHeader, *, exact_header: bool = True, longest: int | None = None) -> dict[str, str]:
    """Return the header entries that keep what the format's own fields do not.

    Parameters
    ----------
    image
        What is written.
    exact_header
        The format writes its numbers with all their digits.
    longest
        Number of letters that an entry can have; properties that need more are left out.
    """
    entries = _property_entries(image, longest or 1 << 62)
    entries.update(time_geometry_keys(image.time_geometry))
    if image.uid:
        entries[UID] = image.uid
    if not (exact_header and _header_is_exact(image)):
        entries[GEOMETRY] = json.dumps([_frame_dict(frame) for frame in _distinct_frames(image)])
    return entries


def check_entries(image: ImageHeader, format_: Format, path: str) -> None:
    """Refuse times and geometries that need longer texts than the format can hold.

    Raises
    ------
    FileWriteError
        Naming what is too long, and formats that can hold it.
    """
    if format_.longest_entry is None:
        return
    for name, text in entries_of(replace(image, properties={})).items():
        if len(text) > format_.longest_entry:
            what = "geometries" if name == GEOMETRY else "time points"
            raise FileWriteError(
                f"cannot write {path}: {format_.name} cannot hold the {what} of {image.time_steps} time steps, "
                f"{len(text)} letters; .nrrd can hold more"
            )


def _property_entries(image: ImageHeader, longest: int) -> dict[str, str]:
    """MITK's text for every property it could read, and all that the text does not tell as JSON objects."""
    plain, typed, _ = _sorted_properties(image, longest)
    for number, part in enumerate(_parts(typed, longest)):
        plain[f"{PROPERTIES}_{number}" if number else PROPERTIES] = json.dumps(part)
    return plain


_Typed = dict[str, Mapping[str, Any]]


def _sorted_properties(image: ImageHeader, longest: int) -> tuple[dict[str, str], _Typed, list[str]]:
    """Properties as plain texts, those that need more than the text, and names of those that are too long for both."""
    plain: dict[str, str] = {}
    typed: _Typed = {}
    lost: list[str] = []
    for name, content in image.properties.items():
        if not is_persistent(name):
            continue
        value = content.get("value")
        is_text = content.get("type") == "StringProperty"
        text = str(value if is_text else json.dumps(value))
        readable = len(text) <= longest and bool(_PLAIN_NAME.fullmatch(name) and _PLAIN_VALUE.fullmatch(text))
        if readable:
            plain[name.replace(".", "_")] = text
        if not (readable and is_text):
            fits = len(json.dumps({name: content})) <= longest
            typed |= {name: content} if fits else {}
            lost += [] if fits else [name]
    return plain, typed, lost


def _parts(typed: _Typed, longest: int) -> Iterator[_Typed]:
    """Divide properties so that the text of each part is not too long."""
    part: _Typed = {}
    length = 0
    for name, content in typed.items():
        own = len(json.dumps({name: content}))
        if part and length + own > longest:
            yield part
            part, length = {}, 0
        part[name] = content
        length += own
    if part:
        yield part


def _header_is_exact(image: ImageHeader) -> bool:
    """True where numbers come back as they were: a header that multiplies spacing into direction rounds both."""
    if image.has_moving_frame or not is_axis_aligned(image.frame.direction):
        return False
    return image.dimension > 2 or lies_in_plane(image)


def _distinct_frames(image: ImageHeader) -> tuple[Frame, ...]:
    frames = frames_of(image.time_geometry)
    return frames if image.has_moving_frame else frames[:1]


def _frame_dict(frame: Frame) -> dict[str, Any]:
    return {"spacing": frame.spacing, "origin": frame.origin, "direction": frame.direction.tolist()}


def losses(image: ImageHeader, format_: Format) -> list[str]:
    """Return what ``format_`` silently leaves out of an image that otherwise fits."""
    lost = []
    frame, standard = image.frame, Frame()
    if format_.geometry == "none":
        lost += [name for name in ("spacing", "origin", "cosines") if getattr(frame, name) != getattr(standard, name)]
    if loses_axes(image, format_):
        lost.append("axes of length 1")
    if not format_.metadata:
        if time_geometry_keys(image.time_geometry):
            lost.append("time points")
        lost += [f"property {name}" for name in image.properties if is_persistent(name)]
    elif format_.longest_entry is not None:
        lost += [f"property {name}" for name in _sorted_properties(image, format_.longest_entry)[2]]
    if format_.lossy:
        lost.append("exact voxels")
    return ["direction" if name == "cosines" else name for name in lost]


def is_persistent(name: str) -> bool:
    """Return False for properties that describe the file an image came from, not the image."""
    return not (_OF_THE_FILE.fullmatch(name) or name.replace(".", "_") in _OWN)


def header_frame(image: ImageHeader) -> Frame:
    """Return the frame that the header's own fields can show: for a tilted 2-D image only what lies in the plane."""
    return image.frame if image.dimension > 2 else _in_plane(image.frame)


def _in_plane(frame: Frame) -> Frame:
    direction = np.eye(3)
    if lies_flat(frame.direction):
        direction[:2, :2] = frame.direction[:2, :2]
    flat = Frame(spacing=(*frame.spacing[:2], 1.0), origin=(*frame.origin[:2], 0.0))
    return flat.with_direction(direction)


def time_geometry(
    entries: Mapping[str, str], frame: Frame, lengths: Sequence[int], *, tolerance: float = 1e-6
) -> TimeGeometry:
    """Return time steps and geometries of an image of ``lengths`` (``[[t,] z,] y, x``).

    ``frame`` is what the header's fields say, ``tolerance`` how exactly they do.

    Raises
    ------
    RequestError
        The time points decrease.
    """
    steps = lengths[0] if len(lengths) == 4 else 1
    sizes = tuple(reversed(lengths))[:3]
    frames = _stored_frames(entries, frame, len(lengths), tolerance)
    geometries = [
        SlicedGeometry3D.for_image(sizes, spacing=one.spacing, origin=one.origin, direction=one.direction)
        for one in (frames if len(frames) == steps else frames[:1])
    ]
    times = time_geometry_from_keys(entries, geometries[0], steps)
    for step, geometry in enumerate(geometries[1:], start=1):
        times.set_geometry_for_time_step(geometry, step)
    return times


def _stored_frames(entries: Mapping[str, str], header: Frame, dimension: int, tolerance: float) -> list[Frame]:
    """The exact frames if they describe the same place as the header's fields, else the header's frame.

    Another program may have moved the image and kept entries it does not know; then the header is right.
    """
    try:
        frames = [_frame(stored) for stored in json.loads(entries[GEOMETRY])]
        shown = [frames[0]] if dimension > 2 else [frames[0], _in_plane(frames[0])]
    except (KeyError, TypeError, ValueError, IndexError, RequestError):
        return [header]
    return frames if any(_same_place(one, header, tolerance) for one in shown) else [header]


def _frame(stored: Mapping[str, Any]) -> Frame:
    spacing, origin = tuple(map(float, stored["spacing"])), tuple(map(float, stored["origin"]))
    if len(spacing) != 3 or len(origin) != 3:
        raise ValueError("three numbers are needed")
    return Frame(spacing=spacing, origin=origin).with_direction(stored["direction"])


def _same_place(one: Frame, other: Frame, tolerance: float) -> bool:
    return all(
        np.allclose(mine, theirs, rtol=tolerance, atol=tolerance)
        for mine, theirs in (
            (one.spacing, other.spacing),
            (one.origin, other.origin),
            (one.cosines, other.cosines),
        )
    )


def read_properties(entries: Mapping[str, str], provided: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the properties that the entries tell, and those that the reader adds (``provided``)."""
    found = {
        name.replace("_", "."): {"type": "StringProperty", "value": value}
        for name, value in entries.items()
        if name.replace(".", "_") not in _OWN and not name.startswith(PROPERTIES)
    }
    for name, text in entries.items():
        if name.startswith(PROPERTIES):
            found.update(_typed_properties(text))
    found.update({name: {"type": "StringProperty", "value": value} for name, value in provided.items()})
    return found


def _typed_properties(text: str) -> dict[str, dict[str, Any]]:
    try:
        stored = json.loads(text)
    except ValueError:
        _log.error("header entry %s is not JSON: ignored", PROPERTIES)
        return {}
    if not isinstance(stored, dict):
        return {}
    return {name: one for name, one in stored.items() if isinstance(one, dict) and "type" in one}
