"""When an image's time steps are, and where each of them lies.

A *time step* is a number counted from 0, a *time point* a moment in milliseconds. Each step lasts from its
lower bound, included, to its upper bound, excluded. Every step owns a spatial geometry of its own. Classes
and results are those of MITK's ``TimeGeometry`` and its descendants."""

from mitk_rs.time_geometry.base import TimeGeometry
from mitk_rs.time_geometry.kinds import ArbitraryTimeGeometry, ProportionalTimeGeometry
from mitk_rs.time_geometry.metadata import time_geometry_from_keys, time_geometry_keys

__all__ = [
    "ArbitraryTimeGeometry",
    "ProportionalTimeGeometry",
    "TimeGeometry",
    "time_geometry_from_keys",
    "time_geometry_keys",
]
