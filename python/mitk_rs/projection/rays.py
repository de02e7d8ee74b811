"""Maximum intensity projections from any direction, and what a camera sees of a volume."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from mitk_rs import _core
from mitk_rs._validation import check_kind, real_number, whole_number
from mitk_rs._volumes import read
from mitk_rs.errors import RequestError, TimeStepError
from mitk_rs.projection.axis import Options, Progress
from mitk_rs.projection.camera import Array, Gaze, Scene, aim, gaze, rays_of, turning_pixel
from mitk_rs.projection.picture import check_size, robust_range, to_grey, window_range

__all__ = [
    "Camera",
    "Volume",
    "render_mip",
    "render_spin",
    "turn_window",
    "turning",
    "view_angle_of",
    "view_image",
]

_TYPES = ("uint8", "uint16", "float32")

# Bricks of each image and time step, with the stamp of the voxels they were made of.
_kept: WeakKeyDictionary[Any, dict[int, tuple[int, Any]]] = WeakKeyDictionary()
_kept_lock = threading.Lock()


def render_mip(
    image: Any,
    *,
    azimuth: float = 0.0,
    elevation: float = 0.0,
    roll: float = 0.0,
    direction: Sequence[float] | None = None,
    up: Sequence[float] | None = None,
    size: Sequence[int] | int = (512, 512),
    window: float | None = None,
    level: float | None = None,
    percentiles: tuple[float, float] | None = None,
    perspective: bool | float = False,
    zoom: float = 1.0,
    mm: float | None = None,
    sample_distance: float | None = None,
    dtype: Any = np.uint8,
    background: float | None = None,
    depth: bool = False,
    time_step: int | None = None,
    spacing: Sequence[float] | None = None,
    skip: bool = True,
    threads: int | None = None,
    progress: Progress | None = None,
    cancel: Any = None,
    timeout: float | None = None,
) -> Any:
    """Maximum intensity projection from any direction: trilinear samples along the ray of each pixel.

    Parameters
    ----------
    image
        Scalar ``Image``, or array ``(z, y, x)`` of any real type; spacing and oblique directions are respected.
    azimuth, elevation, roll
        Where the camera is, in degrees: see :mod:`mitk_rs.projection.camera`. All 0 is the view from the front.
    direction, up
        World direction (LPS) of the view and what is up in it, instead of azimuth and elevation.
    size
        Width and height in pixels.
    window, level, percentiles
        Values shown black (``level - window / 2``) and white; by default a robust range of the picture. They play no
        part for float32.
    perspective
        ``True`` is a view angle of 30 degrees, as VTK's cameras have; a number is another one. Default: parallel rays.
    zoom, mm
        Magnification of the picture that just shows the whole volume; or millimetres per pixel in its middle.
    sample_distance
        Millimetres from sample to sample; half the smallest spacing by default.
    dtype
        uint8, uint16 or float32. The last gives values, NaN where a ray misses the volume.
    background
        Pixel where a ray misses: 0 by default.
    depth
        Whether to return the depth of the maximum, too.
    time_step
        Which time step of an image with several.
    spacing
        Distances (x, y, z) in mm of an array; 1 by default.
    skip
        ``False`` takes every sample. Skipping never changes a result; this is for tests.
    threads, progress, cancel, timeout
        As for :func:`mitk_rs.fast_marching`. The result does not depend on ``threads``.

    Returns
    -------
    numpy.ndarray
        The picture ``(y, x)``; with ``depth`` a pair of it and a float32 array in mm, from the plane through the
        middle of the volume (parallel) or from the eye, NaN where a ray misses.

    Raises
    ------
    RequestError
        A camera, size, window or distance that is not finite or out of range; several components; a 2-D image.
    TimeStepError
        There is no such time step.

    Notes
    -----
    Upper bounds of bricks of 8 x 8 x 8 cells are computed first, at the speed of memory, and kept with an ``Image``
    until its voxels may change: while a writeable view of them is alive they are computed for every picture. A NaN
    makes the samples around it count as nothing. The result is that of ``vtkFixedPointVolumeRayCastMapper`` with
    maximum intensity blending, without its rounding to 15 bits.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> scan = np.zeros((20, 20, 20), np.int16)
    >>> scan[8:12, 8:12, 8:12] = 100
    >>> shot = mitk.render_mip(scan, azimuth=30, elevation=10, size=(64, 64), window=100, level=50)
    >>> shot.shape, int(shot.max()), int(shot[0, 0])
    ((64, 64), 255, 0)
    """
    kind = _checked_type(dtype)
    window_range(window, level)
    view = gaze(direction, up, roll) if direction is not None else _aimed(azimuth, elevation, roll, up)
    volume = Volume(image, time_step, spacing)
    values, depths = volume.cast(
        view,
        size=check_size(size),
        view_angle=view_angle_of(perspective),
        zoom=zoom,
        mm=mm,
        sample_distance=sample_distance,
        depth=depth,
        skip=skip,
        options=Options(threads, progress, cancel, timeout),
    )
    picture = shaded(values, kind, window, level, percentiles, background)
    return (picture, depths) if depth else picture


def render_spin(image: Any, *, frames: int, azimuth: float = 0.0, **options: Any) -> Iterator[Array]:
    """Pictures of a whole turn around the body axis, one after the other, with the same window and scale.

    Parameters
    ----------
    image
        As for :func:`render_mip`.
    frames
        Number of pictures, 1 to 3600.
    azimuth
        Of the first one.
    options
        All others of :func:`render_mip` but ``direction``, ``up`` and ``depth``.

    Raises
    ------
    RequestError
        As :func:`render_mip`.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> len(list(mitk.render_spin(np.ones((4, 5, 6)), frames=8, size=16)))
    8
    """
    if not 1 <= whole_number(frames, "frames") <= 3600:
        raise RequestError(f"frames is {frames}: allowed are 1 to 3600")
    angles = [azimuth + 360.0 * i / frames for i in range(frames)]
    if options.get("mm") is None:
        options["mm"] = _turning_pixel(image, angles, **options)
    if options.get("window") is None and options.get("dtype") != "float32":
        shown = options.pop("percentiles", None)
        plain = {k: v for k, v in options.items() if k not in ("window", "level", "dtype", "background")}
        looks = [render_mip(image, azimuth=a, dtype="float32", **plain) for a in angles[:: max(1, frames // 4)]]
        window, level = _common_window(looks, shown)
        options.update(window=window, level=level)
    return (render_mip(image, azimuth=a, **options) for a in angles)


def _turning_pixel(
    image: Any,
    angles: Sequence[float],
    *,
    elevation: float = 0.0,
    roll: float = 0.0,
    up: Sequence[float] | None = None,
    size: Sequence[int] | int = (512, 512),
    perspective: bool | float = False,
    zoom: float = 1.0,
    time_step: int | None = None,
    spacing: Sequence[float] | None = None,
    **_others: Any,
) -> float:
    views = [_aimed(angle, elevation, roll, up) for angle in angles]
    scene, view_angle = Volume(image, time_step, spacing).scene, view_angle_of(perspective)
    return turning_pixel(scene, views, size=check_size(size), view_angle=view_angle, zoom=_positive("zoom", zoom))


def turn_window(
    image: Any, cameras: Sequence[Any], percentiles: Sequence[float] | None, time_step: int | None
) -> tuple[float, float]:
    """One window and level for all cameras of a turn, from a few of them."""
    volume = Volume(image, time_step)
    looks = [camera.cast(volume)[0] for camera in cameras[:: max(1, len(cameras) // 4)]]
    return _common_window(looks, (percentiles[0], percentiles[1]) if percentiles else None)


def _common_window(looks: list[Array], percentiles: tuple[float, float] | None) -> tuple[float, float]:
    low, high = _ends(np.concatenate([look.ravel() for look in looks]), percentiles)
    # A constant volume: any window that is not empty will do.
    return max(high - low, 1e-12 * max(1.0, abs(high))), (low + high) / 2


def _ends(values: Array, percentiles: tuple[float, float] | None) -> tuple[float, float]:
    return robust_range(values, percentiles=percentiles) if percentiles is not None else robust_range(values)


def shaded(
    values: Array,
    kind: str,
    window: float | None,
    level: float | None,
    percentiles: tuple[float, float] | None,
    background: float | None,
) -> Array:
    """Values as grey, or as they are."""
    missed = np.isnan(values)
    background = None if background is None else real_number(background, "background")
    if kind == "float32":
        if background is not None:
            values[missed] = background
        return values
    low, high = window_range(window, level) if window is not None and window > 0 else _ends(values, percentiles)
    grey = to_grey(values, low, high, kind)
    limit = np.iinfo(grey.dtype).max
    if background is not None and not 0 <= background <= limit:
        raise RequestError(f"background is {background:g}: allowed are 0 to {limit}")
    grey[missed] = 0 if background is None else background
    return grey


def _checked_type(dtype: Any) -> str:
    try:
        name: str = np.dtype(dtype).name
    except TypeError:
        name = repr(dtype)
    if name not in _TYPES:
        raise RequestError(f"dtype is {name}: allowed are {', '.join(_TYPES)}")
    return name


def _aimed(azimuth: float, elevation: float, roll: float, up: Sequence[float] | None) -> Gaze:
    view = aim(azimuth, elevation, roll)
    return view if up is None else gaze(view.forward.tolist(), up, roll)


def view_angle_of(perspective: float) -> float | None:
    """The view angle in degrees that ``perspective`` means, ``None`` for parallel rays."""
    if perspective is False:
        return None
    angle = 30.0 if perspective is True else real_number(perspective, "perspective")
    if not 0.1 <= angle <= 170:
        raise RequestError(f"perspective is {angle}: expected a view angle of 0.1 to 170 degrees")
    return angle


def _positive(name: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise RequestError(f"{name} is {value}: expected a finite number > 0")
    return float(value)


class Volume:
    """A scalar volume that rays are cast through."""

    def __init__(self, source: Any, time_step: int | None, spacing: Sequence[float] | None = None) -> None:
        self._source = source
        self._is_image = hasattr(source, "get_geometry")
        self._step = self._checked_step(time_step) if self._is_image else 0
        self._check_shape(time_step)
        self._frame = self._place(spacing)

    def _checked_step(self, time_step: int | None) -> int:
        steps = self._source.time_steps
        if steps == 0:
            raise RequestError("the image is empty")
        if time_step is None and steps > 1:
            raise RequestError(f"the image has {steps} time steps: choose one with time_step= or --time-step")
        step = 0 if time_step is None else whole_number(time_step, "time_step")
        if not 0 <= step < steps:
            raise TimeStepError(f"time step {step} does not exist: the image has {steps}")
        return step

    def _check_shape(self, time_step: int | None) -> None:
        source = self._source
        if not self._is_image and not isinstance(source, np.ndarray):
            raise TypeError(f"the image must be an Image or a numpy array, got {type(source).__name__}")
        if self._is_image and source.components > 1:
            raise RequestError(f"the image has {source.components} components a voxel: rays need one")
        if not self._is_image and time_step is not None:
            raise TypeError("time_step goes with an Image: pass array[time_step] instead")
        shape = source.shape[-3:] if self._is_image and source.ndim == 4 else source.shape
        if len(shape) != 3 or 0 in shape:
            what = "2-D image" if len(shape) == 2 else "array"
            raise RequestError(f"rays need voxels (z, y, x), got a {what} of shape {tuple(source.shape)}")
        self.size = (int(shape[2]), int(shape[1]), int(shape[0]))

    def _place(self, spacing: Sequence[float] | None) -> Scene:
        if self._is_image:
            geometry = self._source.get_geometry(self._step)
            matrix = np.asarray(geometry.direction, np.float64) * np.asarray(geometry.spacing)
            return Scene(matrix, np.asarray(geometry.origin, np.float64), self.size)
        values = np.asarray((1.0, 1.0, 1.0) if spacing is None else spacing, np.float64)
        if values.shape != (3,) or not (np.isfinite(values).all() and (values > 0).all()):
            raise RequestError(f"spacing is {spacing!r}: expected three finite numbers (x, y, z) > 0 mm")
        return Scene(np.diag(values), np.zeros(3), self.size)

    @property
    def scene(self) -> Scene:
        """Where the volume lies."""
        return self._frame

    def _read(self, compute: Callable[[Array], Any]) -> Any:
        if not self._is_image:
            return compute(self._source)
        step = self._step if self._source.ndim == 4 else None
        return read(self._source, step, compute)

    def bricks(self, voxels: Array, options: Options) -> Any:
        """Upper bounds of the voxels: those kept with the image if it has not changed since, else new ones."""
        stamp = self._source._stamp() if self._is_image else None
        if stamp is None:
            return _core.Bricks(voxels, **options.keywords())
        with _kept_lock:
            known = _kept.get(self._source, {}).get(self._step)
        if known is not None and known[0] == stamp:
            return known[1]
        made = _core.Bricks(voxels, **options.keywords())
        with _kept_lock:
            _kept.setdefault(self._source, {})[self._step] = (stamp, made)
        return made

    def cast(
        self,
        view: Gaze,
        *,
        size: tuple[int, int],
        view_angle: float | None,
        zoom: float,
        mm: float | None,
        sample_distance: float | None,
        depth: bool,
        skip: bool,
        options: Options,
        plain: bool = False,
    ) -> tuple[Array, Array | None]:
        """Values of the pixels, NaN where a ray misses, and depths in mm."""
        _positive("zoom", zoom)
        if mm is not None:
            _positive("mm", mm)
        distance = self.scene.spacing() / 2 if sample_distance is None else sample_distance
        _positive("sample_distance", distance)
        check_kind(skip, (bool, int), "skip", "True or False")
        camera, _, start = rays_of(
            self.scene, view, size=size, sample_distance=distance, view_angle=view_angle, zoom=zoom, mm=mm
        )

        def compute(voxels: Array) -> tuple[Array, Any]:
            bricks = self.bricks(voxels, options) if skip and not plain else None
            return _core.cast_rays(voxels, bricks, **camera, depths=depth, plain=plain, **options.keywords())

        values, numbers = self._read(compute)
        missed = np.isneginf(values)
        values[missed] = np.nan
        if numbers is None:
            return values, None
        depths = (start + distance * numbers.astype(np.float64)).astype(np.float32)
        depths[missed] = np.nan
        return values, depths


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
