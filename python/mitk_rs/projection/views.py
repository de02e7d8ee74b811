"""Pictures and images of a view from any direction, with outlines and seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mitk_rs._validation import check_kind
from mitk_rs.errors import RequestError
from mitk_rs.projection.axes import Options
from mitk_rs.projection.camera import Gaze, aim, gaze, rays_of
from mitk_rs.projection.layout import Array
from mitk_rs.projection.pictures import Picture, Shades, check_grid, check_seeds, check_size, edge_drawn, rings
from mitk_rs.projection.render import Volume, view_angle_of

__all__ = ["Camera", "turning", "view_image", "view_picture"]


@dataclass(frozen=True)
class Camera:
    """Where a view is taken from; see :func:`mitk_rs.render_mip` for each option."""

    azimuth: float = 0.0
    elevation: float = 0.0
    roll: float = 0.0
    direction: Sequence[float] | None = None
    up: Sequence[float] | None = None
    size: Sequence[int] | int = (512, 512)
    perspective: bool | float = False
    zoom: float = 1.0
    mm: float | None = None
    sample_distance: float | None = None
    options: Options = field(default_factory=Options)

    def gaze(self) -> Gaze:
        """Directions of the picture."""
        if self.direction is not None:
            return gaze(self.direction, self.up, self.roll)
        view = aim(self.azimuth, self.elevation, self.roll)
        return view if self.up is None else gaze(view.forward.tolist(), self.up, self.roll)

    def cast(self, volume: Volume, *, depth: bool = False) -> tuple[Array, Array | None]:
        """Values and depths of a volume seen with this camera."""
        return volume.cast(
            self.gaze(),
            size=check_size(self.size),
            view_angle=view_angle_of(self.perspective),
            zoom=self.zoom,
            mm=self.mm,
            sample_distance=self.sample_distance,
            depth=depth,
            skip=True,
            options=self.options,
        )

    def pixel(self, volume: Volume) -> float:
        """Millimetres per pixel in the middle of the volume."""
        return self._rays(volume)[1]

    def _rays(self, volume: Volume) -> tuple[dict[str, Any], float, float]:
        return rays_of(
            volume.scene,
            self.gaze(),
            size=check_size(self.size),
            sample_distance=1.0,
            view_angle=view_angle_of(self.perspective),
            zoom=self.zoom,
            mm=self.mm,
        )

    def place(self, volume: Volume, indices: Array) -> Array:
        """Where voxel indices ``(n, 3)`` are seen, in pixels (x, y)."""
        view, scene = self.gaze(), volume.scene
        pixel = self.pixel(volume)
        size = check_size(self.size)
        offsets = indices @ scene.matrix.T + scene.origin - scene.centre()
        right, down, away = offsets @ view.right, offsets @ view.down, offsets @ view.forward
        angle = view_angle_of(self.perspective)
        if angle is not None:
            distance = pixel * size[1] / 2 / math.tan(math.radians(angle) / 2)
            scale = distance / np.maximum(distance + away, 1e-9)
            right, down = right * scale, down * scale
        return np.stack([right / pixel + (size[0] - 1) / 2, down / pixel + (size[1] - 1) / 2], axis=-1)


def turning(cameras: Sequence[Camera], image: Any, time_step: int | None = None) -> list[Camera]:
    """The cameras with one scale, with which each of them sees everything."""
    volume = Volume(image, time_step)
    mm = max(camera.pixel(volume) for camera in cameras)
    return [replace(camera, mm=mm) for camera in cameras]


def view_picture(
    image: Any,
    camera: Camera,
    *,
    shades: Shades | None = None,
    depth: bool = False,
    time_step: int | None = None,
    overlay: Any = None,
    seeds: Iterable[Sequence[float]] = (),
) -> Picture:
    """The picture of a view, or of its depths.

    Raises
    ------
    RequestError
        A camera, window or seed that is not allowed; several components; a 2-D image.
    GeometryError
        An overlay on another grid.
    """
    shades = Shades() if shades is None else shades
    check_kind(shades, Shades, "shades", "a Shades")
    check_kind(camera, Camera, "camera", "a Camera")
    shades.check()
    volume = Volume(image, time_step)
    marks = check_seeds(seeds, image)
    values, depths = camera.cast(volume, depth=depth)
    values = values if depths is None else depths
    missed = np.isnan(values)
    pixels = shades.apply(values)
    pixels[missed] = 0
    picture = Picture(pixels, camera.pixel(volume), camera.gaze(), (1.0, 1.0))
    if overlay is not None:
        check_grid(image, overlay, time_step or 0)
        picture = edge_drawn(picture, _silhouette(overlay, camera))
    return rings(picture, camera.place(volume, marks)) if len(marks) else picture


def _silhouette(level_set: Any, camera: Camera) -> Array:
    """Pixels whose rays pass through the inside of a level set."""
    inside = np.clip(-np.asarray(level_set.as_numpy(writeable=False), np.float32), -1, 1)
    same_place = level_set._like(inside, level_set.get_spacing(), level_set.get_origin(), level_set.get_direction())
    values, _ = camera.cast(Volume(same_place, None))
    return np.nan_to_num(values, nan=-1.0) > 0


def view_image(image: Any, camera: Camera, *, depth: bool = False, time_step: int | None = None) -> Any:
    """The values (or depths in mm) of a parallel view as a 2-D float32 ``Image`` at its place in the world.

    Raises
    ------
    RequestError
        A picture in perspective, whose pixels have no fixed place.
    """
    check_kind(camera, Camera, "camera", "a Camera")
    if view_angle_of(camera.perspective) is not None:
        raise RequestError("a picture in perspective has no geometry: write .npy, .png or .tif")
    volume = Volume(image, time_step)
    values, depths = camera.cast(volume, depth=depth)
    view, mm = camera.gaze(), camera.pixel(volume)
    size = check_size(camera.size)
    corner = volume.scene.centre() - mm * ((size[0] - 1) / 2 * view.right + (size[1] - 1) / 2 * view.down)
    direction = np.column_stack([view.right, view.down, view.forward])
    return image._like(values if depths is None else depths, (mm, mm, 1.0), corner, direction)
