"""Where a projection lies in the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mitk_rs.projection.layout import Array

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["place_projection", "plane_axes"]


def plane_axes(axis: int) -> tuple[int, int]:
    """The axes of the volume that columns and rows of a projection along ``axis`` keep."""
    kept = [a for a in range(3) if a != axis]
    return kept[0], kept[1]


def _plane(geometry: Any, axis: int, first: int, end: int) -> tuple[Array, Array, Array]:
    """Spacing, origin and direction of the projection of ``first <= index < end``.

    The picture lies in the middle of the slab and is as thick as it, as in ITK's projection filters. The third axis
    is the projection axis, turned around where that keeps the handedness of the volume.
    """
    columns, rows = plane_axes(axis)
    direction = np.asarray(geometry.direction, np.float64)
    spacing = np.asarray(geometry.spacing, np.float64)
    middle = (first + end - 1) / 2 * spacing[axis] * direction[:, axis]
    third = direction[:, axis] * (-1.0 if axis == 1 else 1.0)
    return (
        np.array([spacing[columns], spacing[rows], spacing[axis] * (end - first)]),
        np.asarray(geometry.origin, np.float64) + middle,
        np.column_stack([direction[:, columns], direction[:, rows], third]),
    )


def place_projection(array: Array, source: Image, steps: list[int], axis: int, slab: tuple[int, int]) -> Image:
    """The image of a projection of ``source``: 2-D, or 2-D + time as ``(t, 1, y, x)``."""
    places = [_plane(source.get_geometry(step), axis, *slab) for step in steps]
    components = source.components > 1
    spacing, origin, direction = places[0]
    image = source._like(array, spacing, origin, direction, components=components)
    if len(steps) > 1:
        image.time_geometry = _moved(image, source, places)
    return image


def _moved(image: Image, source: Image, places: list[tuple[Array, Array, Array]]) -> Any:
    """The time geometry of ``source`` with a plane's geometry at each step."""
    times = source.time_geometry.clone()
    for step, (spacing, origin, direction) in enumerate(places):
        geometry = image.get_geometry(step).clone()
        geometry.direction, geometry.spacing, geometry.origin = direction, spacing, origin
        times.set_geometry_for_time_step(geometry, step)
    return times
