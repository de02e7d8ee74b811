"""A time geometry as two texts in a file's header, as MITK writes them into NRRD and MetaImage.

``org_mitk_timegeometry_type`` says ``ArbitraryTimeGeometry``; ``org_mitk_timegeometry_timepoints`` holds n
+ 1 numbers in ms. MITK rounds them to 6 digits and drops proportional grids; we write 17 digits, which read
back exactly, and write every grid that is not a fresh image's. Gaps cannot be stored: they go to the step
after them."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from mitk_rs.geometry import BaseGeometry
from mitk_rs.time_geometry.base import TimeGeometry
from mitk_rs.time_geometry.kinds import ArbitraryTimeGeometry, ProportionalTimeGeometry

__all__ = ["POINTS_KEY", "TYPE_KEY", "time_geometry_from_keys", "time_geometry_keys"]

TYPE_KEY = "org_mitk_timegeometry_type"
POINTS_KEY = "org_mitk_timegeometry_timepoints"

_log = logging.getLogger("mitk_rs")


def time_geometry_keys(time_geometry: TimeGeometry) -> dict[str, str]:
    """The header texts of a time geometry; none for that of a fresh image.

    Examples
    --------
    >>> from mitk_rs import ProportionalTimeGeometry
    >>> from mitk_rs.time_geometry import time_geometry_keys
    >>> time_geometry_keys(ProportionalTimeGeometry(0, 2.5, 2))["org_mitk_timegeometry_timepoints"]
    '0 2.5 5'
    """
    if isinstance(time_geometry, ProportionalTimeGeometry) and time_geometry.is_default:
        return {}
    points = " ".join(f"{point:.17g}" for point in time_geometry.time_points)
    return {TYPE_KEY: "ArbitraryTimeGeometry", POINTS_KEY: points} if points else {}


def time_geometry_from_keys(keys: Mapping[str, str], geometry: BaseGeometry, steps: int) -> TimeGeometry:
    """The time geometry that header texts describe; every step gets a clone of ``geometry``.

    Dotted keys of older files win over the ones with underscores. Keys that do not fit (another type, not n
    + 1 numbers) are logged and the time geometry is that of a fresh image, as in MITK.

    Raises
    ------
    RequestError
        The time points decrease.
    """
    kind, text = (_value(keys, key) for key in (TYPE_KEY, POINTS_KEY))
    if kind is None and text is None:
        return ProportionalTimeGeometry.from_geometry(geometry, steps)
    points = _numbers(text or "")
    if kind != "ArbitraryTimeGeometry" or len(points) != steps + 1:
        _log.error("time geometry in the header ignored: type %r, %d points, %d steps", kind, len(points), steps)
        return ProportionalTimeGeometry.from_geometry(geometry, steps)
    return ArbitraryTimeGeometry.from_time_points(points, geometry)


def _value(keys: Mapping[str, str], key: str) -> str | None:
    return keys.get(key.replace("_", "."), keys.get(key))


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return []
