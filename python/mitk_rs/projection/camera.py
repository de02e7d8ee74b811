"""Directions of pictures: of a camera in the world (LPS mm), and of a projection that is turned for radiologists.

Azimuth 0 and elevation 0 look from the front of the patient (anterior) to the back, with the head up and the patient's
left on the right. Azimuth turns the camera around the body axis, towards the patient's left; elevation lifts it
towards the head; roll turns the picture clockwise. So azimuth 90 is the left side, azimuth 180 the back, elevation 90
the view from above.

Radiological convention: axial pictures are seen from the feet, coronal ones from the front, sagittal ones from the
left; the patient's left is on the right of the picture, anterior is up in axial pictures, superior is up in coronal
and sagittal ones, anterior is on the left in sagittal ones. World is LPS: x grows to the left of the patient, y to
posterior, z to superior. Oblique images are turned by the nearest of these, and the letters name the side of the
patient that each side of the picture shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs._validation import numbers, real_number
from mitk_rs.errors import RequestError, brief

__all__ = ["Gaze", "View", "aim", "angles_of", "gaze", "plane_axes", "view_along"]

Array = NDArray[Any]

# World axes that shall point to the right and down in the picture, for a projection along L, P or S.
_RIGHT_DOWN = {
    0: (np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])),
    1: (np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, -1.0])),
    2: (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])),
}
_LETTERS = ("LR", "PA", "SI")


def _letter(direction: Array) -> str:
    """The side of the patient that a world direction points to most: L, R, P, A, S or I."""
    axis = int(np.argmax(np.abs(direction)))
    return _LETTERS[axis][0 if direction[axis] > 0 else 1]


class _Sides:
    """What has unit world directions to the right and down."""

    right: Array
    down: Array

    @property
    def letters(self) -> dict[str, str]:
        """Sides of the patient at the left, right, top and bottom of the picture."""
        ends = {"left": -self.right, "right": self.right, "top": -self.down, "bottom": self.down}
        return {side: _letter(direction) for side, direction in ends.items()}


@dataclass(frozen=True)
class View(_Sides):
    """Turns a projection upright.

    ``swap`` exchanges rows and columns, then ``flip_rows`` and ``flip_columns`` turn them around. ``right`` and
    ``down`` are unit world directions of the turned picture, ``pixel`` the mm of its pixels (x, y).
    """

    swap: bool
    flip_rows: bool
    flip_columns: bool
    right: Array
    down: Array
    pixel: tuple[float, float]

    def apply(self, picture: Array) -> Array:
        """The picture ``(rows, columns[, c])`` as it is looked at."""
        turned = picture.swapaxes(0, 1) if self.swap else picture
        turned = turned[::-1] if self.flip_rows else turned
        turned = turned[:, ::-1] if self.flip_columns else turned
        return np.ascontiguousarray(turned)

    def point(self, column: float, row: float, shape: tuple[int, ...]) -> tuple[float, float]:
        """Where pixel ``(column, row)`` of a projection of ``shape`` comes to lie, as (x, y)."""
        height, width = shape[:2]
        if self.swap:
            column, row, height, width = row, column, width, height
        return (width - 1 - column if self.flip_columns else column, height - 1 - row if self.flip_rows else row)


def view_along(direction: Array, spacing: Any, axis: int) -> View:
    """How to look at the projection along an axis of a volume with this direction and spacing."""
    columns, rows = (a for a in range(3) if a != axis)
    through = int(np.argmax(np.abs(direction[:, axis])))
    right, down = _RIGHT_DOWN[through]
    x, y = direction[:, columns], direction[:, rows]
    swap = abs(x @ right) + abs(y @ down) < abs(y @ right) + abs(x @ down)
    pixel = (float(spacing[columns]), float(spacing[rows]))
    if swap:
        x, y, pixel = y, x, pixel[::-1]
    flip_columns, flip_rows = bool(x @ right < 0), bool(y @ down < 0)
    x, y = (-x if flip_columns else x), (-y if flip_rows else y)
    return View(bool(swap), flip_rows, flip_columns, x / np.linalg.norm(x), y / np.linalg.norm(y), pixel)


_LEFT, _FRONT, _HEAD = np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([0, 0, 1.0])


@dataclass(frozen=True)
class Gaze(_Sides):
    """Unit world directions of a picture: into it, rightwards, downwards."""

    forward: Array
    right: Array
    down: Array


def aim(azimuth: float, elevation: float, roll: float = 0.0) -> Gaze:
    """The gaze of a camera given by angles in degrees."""
    for name, angle in (("azimuth", azimuth), ("elevation", elevation), ("roll", roll)):
        if not math.isfinite(real_number(angle, name)):
            raise RequestError(f"{name} is {angle}: expected a finite angle in degrees")
    a, e = math.radians(azimuth), math.radians(elevation)
    around = math.sin(a) * _LEFT + math.cos(a) * _FRONT
    forward = -(math.cos(e) * around + math.sin(e) * _HEAD)
    up = math.cos(e) * _HEAD - math.sin(e) * around
    return _rolled(forward, up, roll)


def angles_of(forward: Array) -> tuple[float, float]:
    """Azimuth and elevation in degrees, as of :func:`aim`, of a camera that looks along a unit world direction."""
    azimuth = math.degrees(math.atan2(-forward @ _LEFT, -forward @ _FRONT))
    elevation = math.degrees(math.asin(min(max(float(-forward @ _HEAD), -1.0), 1.0)))
    return azimuth + 0.0, elevation + 0.0


def gaze(direction: Sequence[float], up: Sequence[float] | None = None, roll: float = 0.0) -> Gaze:
    """The gaze along a world direction. ``up`` is what shall point up: the head by default, for a gaze along the body
    axis the front.
    """
    forward = _unit("direction", direction)
    upright = _unit("up", up) if up is not None else _HEAD if abs(forward @ _HEAD) < 1 - 1e-9 else _FRONT
    across = upright - (upright @ forward) * forward
    length = float(np.linalg.norm(across))
    if length < 1e-9:
        raise RequestError(f"up is {tuple(upright.tolist())}: it must not be parallel to the direction of view")
    return _rolled(forward, across / length, roll)


def _unit(name: str, value: Any) -> Array:
    vector = numbers(value, name)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not vector.any():
        raise RequestError(f"{name} is {brief(value)}: expected three finite numbers (x, y, z), not all 0")
    largest = np.abs(vector).max()
    # Squares of these would be infinite or 0.
    vector = vector if 1e-150 < largest < 1e150 else vector / largest
    unit: Array = vector / np.linalg.norm(vector)
    return unit


def _rolled(forward: Array, up: Array, roll: float) -> Gaze:
    if not math.isfinite(roll):
        raise RequestError(f"roll is {roll}: expected a finite angle in degrees")
    right, r = np.cross(forward, up), math.radians(roll)
    return Gaze(forward, math.cos(r) * right - math.sin(r) * -up, -(math.cos(r) * up - math.sin(r) * right))


def plane_axes(axis: int) -> tuple[int, int]:
    """The axes of the volume that columns and rows of a projection along ``axis`` keep."""
    kept = [a for a in range(3) if a != axis]
    return kept[0], kept[1]
