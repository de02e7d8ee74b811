"""Where a picture is taken from, in world coordinates (LPS millimetres).

Azimuth 0 and elevation 0 look from the front of the patient (anterior) to the back, with the head up and the patient's
left on the right. Azimuth turns the camera around the body axis, towards the patient's left; elevation lifts it
towards the head; roll turns the picture clockwise. So azimuth 90 is the left side, azimuth 180 the back, elevation 90
the view from above.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mitk_rs._validation import numbers
from mitk_rs.errors import RequestError
from mitk_rs.projection.layout import Array
from mitk_rs.projection.orientation import letter

__all__ = ["Gaze", "aim", "gaze", "rays_of", "turning_pixel"]

_LEFT, _FRONT, _HEAD = np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([0, 0, 1.0])


@dataclass(frozen=True)
class Gaze:
    """Unit world directions of a picture: into it, to its right, down."""

    forward: Array
    right: Array
    down: Array

    @property
    def letters(self) -> dict[str, str]:
        """Sides of the patient at the left, right, top and bottom of the picture."""
        ends = {"left": -self.right, "right": self.right, "top": -self.down, "bottom": self.down}
        return {side: letter(direction) for side, direction in ends.items()}


def aim(azimuth: float, elevation: float, roll: float = 0.0) -> Gaze:
    """The gaze of a camera given by angles in degrees.

    Raises
    ------
    RequestError
        An angle that is not finite.
    """
    for name, angle in (("azimuth", azimuth), ("elevation", elevation), ("roll", roll)):
        if not math.isfinite(angle):
            raise RequestError(f"{name} is {angle}: expected a finite angle in degrees")
    a, e = math.radians(azimuth), math.radians(elevation)
    around = math.sin(a) * _LEFT + math.cos(a) * _FRONT
    forward = -(math.cos(e) * around + math.sin(e) * _HEAD)
    up = math.cos(e) * _HEAD - math.sin(e) * around
    return _rolled(forward, up, roll)


def gaze(direction: Sequence[float], up: Sequence[float] | None = None, roll: float = 0.0) -> Gaze:
    """The gaze along a world direction. ``up`` is what shall point up: the head by default, for a gaze along the body
    axis the front.

    Raises
    ------
    RequestError
        Not three finite numbers, a direction of length 0, or ``up`` along ``direction``.
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
        raise RequestError(f"{name} is {value!r}: expected three finite numbers (x, y, z), not all 0")
    unit: Array = vector / np.linalg.norm(vector)
    return unit


def _rolled(forward: Array, up: Array, roll: float) -> Gaze:
    if not math.isfinite(roll):
        raise RequestError(f"roll is {roll}: expected a finite angle in degrees")
    right, r = np.cross(forward, up), math.radians(roll)
    return Gaze(forward, math.cos(r) * right - math.sin(r) * -up, -(math.cos(r) * up - math.sin(r) * right))


@dataclass(frozen=True)
class Scene:
    """A volume in the world: index to world, and how many voxels it has (x, y, z)."""

    matrix: Array
    origin: Array
    size: tuple[int, int, int]

    def corners(self) -> Array:
        """World positions of the outermost voxel centres."""
        ends = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * (np.array(self.size) - 1)
        world: Array = ends @ self.matrix.T + self.origin
        return world

    def centre(self) -> Array:
        """World position of the middle."""
        middle: Array = self.corners().mean(axis=0)
        return middle

    def spacing(self) -> float:
        """The smallest spacing in mm."""
        return float(np.linalg.norm(self.matrix, axis=0).min())


def rays_of(
    scene: Scene,
    view: Gaze,
    *,
    size: tuple[int, int],
    sample_distance: float,
    view_angle: float | None,
    zoom: float,
    mm: float | None,
) -> tuple[dict[str, Any], float, float]:
    """The camera for the core, mm per pixel in the middle of the volume, and the depth in mm of sample 0.

    A parallel picture fits the volume's corners into ``size``; one in perspective, as VTK's, the sphere around them.
    """
    pixel = mm if mm is not None else _fitting(scene, view, size, view_angle) / zoom
    to_index = np.linalg.inv(scene.matrix)
    middle = scene.centre()
    corner = middle - pixel * ((size[0] - 1) / 2 * view.right + (size[1] - 1) / 2 * view.down)
    camera: dict[str, Any] = {
        "size": size,
        "corner": (to_index @ (corner - scene.origin)).tolist(),
        "column": (to_index @ (pixel * view.right)).tolist(),
        "row": (to_index @ (pixel * view.down)).tolist(),
    }
    if view_angle is None:
        camera["step"] = (to_index @ (sample_distance * view.forward)).tolist()
        return camera, pixel, 0.0
    eye = middle - pixel * size[1] / 2 / math.tan(math.radians(view_angle) / 2) * view.forward
    camera["eye"] = (to_index @ (eye - scene.origin)).tolist()
    camera["distance"] = sample_distance
    camera["matrix"] = scene.matrix.tolist()
    return camera, pixel, 0.0


def turning_pixel(
    scene: Scene, views: Iterable[Gaze], *, size: tuple[int, int], view_angle: float | None, zoom: float
) -> float:
    """mm per pixel with which everything is seen in each of the views, so that nothing grows or shrinks in a turn."""
    return max(_fitting(scene, view, size, view_angle) for view in views) / zoom


def _fitting(scene: Scene, view: Gaze, size: tuple[int, int], view_angle: float | None) -> float:
    """mm per pixel with which everything is seen."""
    offsets = scene.corners() - scene.centre()
    if view_angle is None:
        across, along = (2 * float(np.abs(offsets @ axis).max()) for axis in (view.right, view.down))
        # Half a voxel around the outermost centres belongs to the volume, too.
        margin = scene.spacing()
        return max((across + margin) / size[0], (along + margin) / size[1])
    radius = max(float(np.linalg.norm(offsets, axis=1).max()), scene.spacing())
    distance = radius / math.sin(math.radians(view_angle) / 2)
    return 2 * distance * math.tan(math.radians(view_angle) / 2) / min(size)
