"""Time points, properties and exact geometry as the text entries of a file header.

The names and layouts of MITK are used where MITK has them (``mitkItkImageIO.cpp``): ``org_mitk_timegeometry_type``,
``org_mitk_timegeometry_timepoints``, ``org_mitk_uid``, and properties under their names with ``.`` as ``_``. What
these cannot say, types of properties and a geometry that the header would round, is in two JSON entries.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mitk_rs.io.formats import lies_in_plane
from mitk_rs.io.record import Frame, ImageHeader

__all__ = ["entries_of", "header_frame", "read_frames", "read_properties", "read_time_points", "read_uid"]

_log = logging.getLogger(__name__)

TIME_TYPE = "org_mitk_timegeometry_type"
TIME_POINTS = "org_mitk_timegeometry_timepoints"
UID = "org_mitk_uid"
GEOMETRY = "mitk_rs_geometry"
PROPERTIES = "mitk_rs_properties"
_OWN = {TIME_TYPE, TIME_POINTS, UID, GEOMETRY, PROPERTIES}
_OWN_DOTTED = {TIME_TYPE.replace("_", "."), TIME_POINTS.replace("_", "."), UID.replace("_", ".")}

# A name that survives the change of "." to "_" and back, and that is no field of a MetaImage header.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9\-\[\]]+(\.[A-Za-z0-9\-\[\]]+)+")
_PLAIN_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
# What describes the file that was read and would be wrong in the next one.
_OF_THE_FILE = re.compile(
    r"path|ITK[._].*|NRRD[._].*|Modality|aux.file|bitpix|cal.(max|min)|datatype|descrip|dim(\[\d\]|.info)|"
    r"intent.(code|name|p\d)|nifti.type|pixdim\[\d\]|qfac|[qs]form.code(.name)?|qoffset.[xyz]|[qs]to.xyz|"
    r"quatern.[bcd]|scl.(inter|slope)|slice.(code|duration|end|start)|srow.[xyz]|toffset|vox.offset|xyzt.units"
)


def entries_of(image: ImageHeader, *, exact_header: bool = True) -> dict[str, str]:
    """Return the header entries that keep what the format's own fields do not.

    ``exact_header`` says that the format writes its numbers with all their digits.
    """
    entries = _property_entries(image)
    if image.time_points is not None:
        entries[TIME_TYPE] = "ArbitraryTimeGeometry"
        entries[TIME_POINTS] = " ".join(format(point, ".17g") for point in image.time_points)
    if image.uid:
        entries[UID] = image.uid
    if not (exact_header and _header_is_exact(image)):
        entries[GEOMETRY] = json.dumps([_frame_dict(frame) for frame in image.frames])
    return entries


def _property_entries(image: ImageHeader) -> dict[str, str]:
    """MITK's text for every property it could read, and all that the text does not tell as one JSON object."""
    plain: dict[str, str] = {}
    typed: dict[str, Mapping[str, Any]] = {}
    for name, content in image.properties.items():
        if _OF_THE_FILE.fullmatch(name) or name.replace(".", "_") in _OWN:
            continue
        value = content.get("value")
        is_text = content.get("type") == "StringProperty"
        text = value if is_text else json.dumps(value)
        readable = bool(_PLAIN_NAME.fullmatch(name) and _PLAIN_VALUE.fullmatch(str(text)))
        if readable:
            plain[name.replace(".", "_")] = str(text)
        if not (readable and is_text):
            typed[name] = content
    if typed:
        plain[PROPERTIES] = json.dumps(typed)
    return plain


def _header_is_exact(image: ImageHeader) -> bool:
    """True where numbers come back as they were: a header that multiplies spacing into direction rounds both."""
    if len(image.frames) > 1 or not image.frame.is_axis_aligned:
        return False
    return image.dimension > 2 or lies_in_plane(image)


def _frame_dict(frame: Frame) -> dict[str, Any]:
    return {
        "spacing": list(frame.spacing),
        "origin": list(frame.origin),
        "direction": frame.direction.tolist(),
    }


def header_frame(image: ImageHeader) -> Frame:
    """Return the frame that the header's own fields can show: for a tilted 2-D image only what lies in the plane."""
    frame = image.frame
    if image.dimension > 2:
        return frame
    direction = np.eye(3)
    if np.array_equal(frame.direction[2], [0, 0, 1]) and np.array_equal(frame.direction[:, 2], [0, 0, 1]):
        direction[:2, :2] = frame.direction[:2, :2]
    return Frame((*frame.spacing[:2], 1.0), (*frame.origin[:2], 0.0), direction)


def read_frames(
    entries: Mapping[str, str], header: Frame, dimension: int, steps: int, *, tolerance: float = 1e-6
) -> tuple[Frame, ...]:
    """Return the exact frames if they describe the same place as the header's fields, else the header's frame.

    Another program may have moved the image and kept entries it does not know; then the header is right.
    """
    try:
        stored = json.loads(entries[GEOMETRY])
        frames = tuple(
            Frame(tuple(one["spacing"]), tuple(one["origin"]), np.array(one["direction"], np.float64))
            for one in stored
        )
        first = ImageHeader(shape=(1,) * dimension, dtype=np.dtype("u1"), frames=frames)
        if len(frames) in (1, steps) and header_frame(first).is_close(header, tolerance):
            return frames
    except (KeyError, TypeError, ValueError, IndexError):
        pass
    return (header,)


def read_time_points(entries: Mapping[str, str], steps: int) -> tuple[float, ...] | None:
    """Return the bounds of the time steps, or None for the default grid.

    As MITK does, entries that do not fit fall back to the default grid with an error in the log.

    Raises
    ------
    ValueError
        The numbers decrease.
    """
    kind = _time_entry(entries, TIME_TYPE)
    if kind is None:
        return None
    words = (_time_entry(entries, TIME_POINTS) or "").split()
    try:
        points = tuple(float(word) for word in words)
    except ValueError:
        points = ()
    if kind != "ArbitraryTimeGeometry" or len(points) != steps + 1 or not all(map(math.isfinite, points)):
        _log.error("time geometry %r with %d time points for %d steps: ignored", kind, len(words), steps)
        return None
    if any(later < earlier for earlier, later in zip(points, points[1:], strict=False)):
        raise ValueError(f"field {TIME_POINTS}: the time points decrease")
    return points


def _time_entry(entries: Mapping[str, str], name: str) -> str | None:
    """The dotted spelling is older and wins."""
    return entries.get(name.replace("_", "."), entries.get(name))


def read_uid(entries: Mapping[str, str]) -> str | None:
    """Return MITK's identifier of the object."""
    return entries.get(UID)


def read_properties(entries: Mapping[str, str], provided: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the properties that the entries tell, and those that the reader adds (``provided``)."""
    found = {
        name.replace("_", "."): {"type": "StringProperty", "value": value}
        for name, value in entries.items()
        if name not in _OWN and name not in _OWN_DOTTED
    }
    found.update(_typed_properties(entries.get(PROPERTIES, "{}")))
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


def as_time_points(bounds: Sequence[tuple[float, float]]) -> tuple[float, ...] | None:
    """Return the time points to store for steps with these bounds, None for the default grid of MITK.

    The default grid is 0, 1, 2, ... ms for several steps and all of time for one. A final step without length is
    stored one millisecond long, as MITK stores it; a gap closes, since only the upper bounds are stored.
    """
    lower, upper = bounds[0][0], [end for _, end in bounds]
    if len(bounds) == 1 and not (math.isfinite(lower) and abs(lower) < 1e300):
        return None
    if upper[-1] == bounds[-1][0]:
        upper[-1] += 1.0
    points = (float(lower), *map(float, upper))
    return None if points == tuple(map(float, range(len(points)))) and len(bounds) > 1 else points
