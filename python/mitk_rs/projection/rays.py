"""Maximum intensity projections from any direction: trilinear samples along the ray of each pixel."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload
from weakref import WeakKeyDictionary

import numpy as np

from mitk_rs import _core
from mitk_rs._sources import Array, ImageT, Source, progress_bar, shows_progress
from mitk_rs._validation import (
    Run,
    RunOptions,
    check_kind,
    check_names,
    flag,
    numbers,
    real_number,
    run_options,
    whole_number,
    wrong_type,
)
from mitk_rs.errors import RequestError, brief
from mitk_rs.interop import as_image
from mitk_rs.projection.camera import Gaze, aim, gaze
from mitk_rs.projection.picture import Pixels, Shades, check_size

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["Camera", "Volume", "render_mip", "render_spin", "turn_window", "turning", "view_image"]

_TYPES = ("uint8", "uint16", "float32")

# Bricks of each image and time step, with the stamp of the voxels they were made of.
_kept: WeakKeyDictionary[Any, dict[int, tuple[int, Any]]] = WeakKeyDictionary()
_kept_lock = threading.Lock()


class RenderOptions(RunOptions, total=False):
    """Options of :func:`render_mip` that most calls leave out."""

    roll: float
    direction: Sequence[float] | None
    up: Sequence[float] | None
    percentiles: tuple[float, float] | None
    perspective: bool | float
    zoom: float
    mm: float | None
    sample_distance: float | None
    dtype: Any
    background: float | None
    time_step: int | None
    spacing: Sequence[float] | None


class SpinOptions(RenderOptions, total=False):
    """Options of :func:`render_spin`: those of :func:`render_mip`."""

    elevation: float
    size: Sequence[int] | int
    window: float | None
    level: float | None


_CAMERA = ("roll", "direction", "up", "perspective", "zoom", "mm", "sample_distance")


@overload
def render_mip(
    image: Image | Array,
    *,
    azimuth: float = 0.0,
    elevation: float = 0.0,
    size: Sequence[int] | int = (512, 512),
    window: float | None = None,
    level: float | None = None,
    depth: Literal[False] = False,
    **options: Unpack[RenderOptions],
) -> Array: ...
@overload
def render_mip(
    image: Image | Array, *, azimuth: float = 0.0, depth: Literal[True], **options: Unpack[SpinOptions]
) -> tuple[Array, Array]: ...
@shows_progress
def render_mip(
    image: Image | Array,
    *,
    azimuth: float = 0.0,
    elevation: float = 0.0,
    size: Sequence[int] | int = (512, 512),
    window: float | None = None,
    level: float | None = None,
    depth: bool = False,
    **options: Unpack[RenderOptions],
) -> Array | tuple[Array, Array]:
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
        Width and height in pixels, 512 x 512 by default.
    window, level, percentiles
        Values shown black (``level - window / 2``) and white; by default a robust range of the picture. They play no
        part for float32.
    perspective
        ``True`` is a view angle of 30 degrees, as VTK's cameras have; a number is another one. Default: parallel rays.
    zoom, mm
        Magnification of the picture that just shows the whole volume (1 by default); or millimetres per pixel in its
        middle.
    sample_distance
        Millimetres from sample to sample; half the smallest spacing by default.
    dtype
        uint8 (default), uint16 or float32. The last gives values, NaN where a ray misses the volume.
    background
        Pixel where a ray misses: 0 by default.
    depth
        Whether to return the depth of the maximum, too.
    time_step
        Which time step of an image with several.
    spacing
        Distances (x, y, z) in mm of an array; 1 by default.
    threads, progress, cancel, timeout
        As for :func:`mitk_rs.fast_marching`. The result does not depend on ``threads``.

    Returns
    -------
    Pixels or numpy.ndarray
        The picture ``(y, x)``, an array that notebooks show; an ordinary array for float32. With ``depth`` a pair of it
        and a float32 array in mm, from the plane through the middle of the volume (parallel) or from the eye, NaN where
        a ray misses.

    Raises
    ------
    RequestError
        A camera, size, window or distance that is not finite or out of range; several components; a 2-D image.
    TimeStepError
        The time step does not exist.

    See Also
    --------
    render_spin : Pictures of a whole turn.
    project : Projections along an axis, exact.

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
    check_names("render_mip", options, RenderOptions)
    kind = _checked_type(options.get("dtype", np.uint8))
    shades = Shades(window, level, options.get("percentiles"), bits=16 if kind == "uint16" else 8)
    shades.check()
    seen = Camera(azimuth, elevation, size=size, **_named(options, _CAMERA), options=run_options(options))
    volume = Volume(image, options.get("time_step"), options.get("spacing"))
    values, depths = seen.cast(volume, depth=flag(depth, "depth"))
    picture = _shaded(values, kind, shades, options.get("background"))
    return (picture, depths) if depths is not None else picture


def _named(options: RenderOptions, names: Sequence[str]) -> dict[str, Any]:
    return {name: options[name] for name in names if name in options}  # type: ignore[literal-required]


def _shaded(values: Array, kind: str, shades: Shades, background: float | None) -> Array:
    """Values as grey, or as they are."""
    missed = np.isnan(values)
    background = None if background is None else real_number(background, "background")
    picture = values if kind == "float32" else shades.apply(values).view(Pixels)
    if background is None:
        return picture
    limit = 0 if kind == "float32" else np.iinfo(picture.dtype).max
    if limit and not 0 <= background <= limit:
        raise RequestError(f"background is {background:g}: allowed are 0 to {limit}")
    picture[missed] = background
    return picture


def render_spin(
    image: Image | Array, *, frames: int, azimuth: float = 0.0, **options: Unpack[SpinOptions]
) -> Iterator[Array]:
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
        All others of :func:`render_mip` but ``direction`` and ``depth``. By default parallel pictures are as wide and
        high as the turning volume needs, 512 pixels along the longer side.

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
    check_names("render_spin", options, SpinOptions)
    bar = options.pop("progress") if isinstance(options.get("progress"), bool) else False
    if options.get("direction") is not None:
        raise TypeError("render_spin() has no direction: it turns around the body axis, from azimuth on")
    given = _named(options, ("elevation", "size", *_CAMERA))
    real_number(azimuth, "azimuth")
    if options.get("background") is not None:
        real_number(options["background"], "background")
    cameras = [Camera(azimuth + 360.0 * i / frames, **given, options=run_options(options)) for i in range(frames)]
    image = as_image(image)
    volume = Volume(image, options.get("time_step"), options.get("spacing"))
    if options.get("mm") is None:
        cameras = turning(cameras, volume, fit="size" not in options)
        options["mm"], options["size"] = cameras[0].mm, cameras[0].size
    if options.get("window") is None and _checked_type(options.get("dtype", np.uint8)) != "float32":
        shown = options.pop("percentiles", None)
        cameras = [replace(camera, mm=options["mm"]) for camera in cameras]
        options["window"], options["level"] = turn_window(volume, cameras, shown)
    pictures = (render_mip(image, azimuth=camera.azimuth, **options) for camera in cameras)
    return _with_bar(pictures, frames) if bar else pictures


def _with_bar(pictures: Iterator[Array], count: int) -> Iterator[Array]:
    with progress_bar("render spin") as bar:
        for done, picture in enumerate(pictures, 1):
            bar(done / count)
            yield picture


# Pixels along the longer side of a turntable that is given no size, and along the shorter one at least.
_TURN_SIDES = (512, 32)


def turning(cameras: Sequence[Camera], volume: Volume, *, fit: bool = False) -> list[Camera]:
    """The cameras with one scale, with which each of them sees everything; with ``fit`` also of the size that needs."""
    if fit and all(_view_angle_of(camera.perspective) is None for camera in cameras):
        extents = np.max([_box_extent(volume.scene, camera.gaze()) for camera in cameras], axis=0)
        width, height = (
            np.maximum(np.ceil(_TURN_SIDES[0] * extents / extents.max()), _TURN_SIDES[1]).astype(int).tolist()
        )
        cameras = [replace(camera, size=(width, height)) for camera in cameras]
    mm = max(camera.pixel(volume) for camera in cameras)
    return [replace(camera, mm=mm) for camera in cameras]


def turn_window(
    volume: Volume, cameras: Sequence[Camera], percentiles: tuple[float, float] | None = None
) -> tuple[float, float]:
    """One window and level for all cameras of a turn, from a few of them."""
    looks = [camera.cast(volume)[0].ravel() for camera in cameras[:: max(1, len(cameras) // 4)]]
    shades = Shades(percentiles=percentiles)
    low, high = shades.range(np.concatenate(looks))
    # A constant volume: any window that is not empty will do.
    return max(high - low, 1e-12 * max(1.0, abs(high))), (low + high) / 2


def _checked_type(dtype: Any) -> str:
    try:
        name: str = np.dtype(dtype).name
    except (TypeError, ValueError):
        name = brief(dtype)
    if name not in _TYPES:
        raise RequestError(f"dtype is {name}: allowed are {', '.join(_TYPES)}")
    return name


def _view_angle_of(perspective: float) -> float | None:
    """The view angle in degrees that ``perspective`` means, ``None`` for parallel rays."""
    if perspective is False:
        return None
    angle = 30.0 if perspective is True else real_number(perspective, "perspective")
    if not 0.1 <= angle <= 170:
        raise RequestError(f"perspective is {angle}: expected a view angle of 0.1 to 170 degrees")
    return angle


# Beyond these (mm, or times) squares and the places of pixels would be infinite or 0.
_SMALLEST, _LARGEST = 1e-100, 1e100


def _positive(name: str, value: float) -> float:
    number = real_number(value, name)
    if not (math.isfinite(number) and number > 0):
        raise RequestError(f"{name} is {number}: expected a finite number > 0")
    return number


def _scale(name: str, value: float) -> float:
    number = _positive(name, value)
    if not _SMALLEST <= number <= _LARGEST:
        raise RequestError(f"{name} is {number:g}: allowed are {_SMALLEST:g} to {_LARGEST:g}")
    return number


@dataclass(frozen=True)
class _Scene:
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


def _box_extent(scene: _Scene, view: Gaze) -> tuple[float, float]:
    """Width and height in mm of a volume as it is looked at with parallel rays."""
    offsets = scene.corners() - scene.centre()
    across, along = (2 * float(np.abs(offsets @ axis).max()) for axis in (view.right, view.down))
    # Half a voxel around the outermost centres belongs to the volume, too.
    return across + scene.spacing(), along + scene.spacing()


def _fitting(scene: _Scene, view: Gaze, size: tuple[int, int], view_angle: float | None) -> float:
    """mm per pixel with which everything is seen."""
    offsets = scene.corners() - scene.centre()
    if view_angle is None:
        across, along = _box_extent(scene, view)
        return max(across / size[0], along / size[1])
    radius = max(float(np.linalg.norm(offsets, axis=1).max()), scene.spacing())
    distance = radius / math.sin(math.radians(view_angle) / 2)
    return 2 * distance * math.tan(math.radians(view_angle) / 2) / min(size)


class Volume(Source):
    """A scalar volume that rays are cast through; ``scene`` is where it is in the world."""

    def __init__(self, source: Any, time_step: int | None = None, spacing: Sequence[float] | None = None) -> None:
        super().__init__(source, time_step=time_step, spacing=spacing, axes=(3,))
        z, y, x = self.shape
        self.scene = _Scene(self.matrix, np.asarray(self.origin), (x, y, z))

    def bricks(self, voxels: Array, options: Run) -> Any:
        """Upper bounds of the voxels: those kept with the image if it has not changed since, else new ones."""
        stamp = self._source._stamp() if self.is_image else None
        if stamp is None:
            return _core.Bricks(voxels, **options)
        with _kept_lock:
            known = _kept.get(self._source, {}).get(self.step or 0)
        if known is not None and known[0] == stamp:
            return known[1]
        made = _core.Bricks(voxels, **options)
        with _kept_lock:
            _kept.setdefault(self._source, {})[self.step or 0] = (stamp, made)
        return made


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
    options: Run = field(default_factory=Run)

    def gaze(self) -> Gaze:
        """Directions of the picture."""
        if self.direction is not None:
            return gaze(self.direction, self.up, self.roll)
        view = aim(self.azimuth, self.elevation, self.roll)
        return view if self.up is None else gaze(view.forward.tolist(), self.up, self.roll)

    def cast(
        self, volume: Volume, *, depth: bool = False, skip: bool = True, plain: bool = False
    ) -> tuple[Array, Array | None]:
        """Values of the pixels, NaN where a ray misses, and depths in mm.

        ``skip=False`` takes every sample and ``plain`` one ray at a time: neither changes a bit.
        """
        check_kind(volume, Volume, "volume", "a Volume")
        distance = volume.scene.spacing() / 2 if self.sample_distance is None else self.sample_distance
        _positive("sample_distance", distance)
        depth, skip, plain = flag(depth, "depth"), flag(skip, "skip"), flag(plain, "plain")
        rays, _ = self._rays(volume, distance)

        def compute(voxels: Array) -> tuple[Array, Any]:
            bricks = volume.bricks(voxels, self.options) if skip and not plain else None
            return _core.cast_rays(voxels, bricks, **rays, depths=depth, plain=plain, **self.options)

        values, numbers = volume.read(compute)
        missed = np.isneginf(values)
        values[missed] = np.nan
        if numbers is None:
            return values, None
        depths = (distance * numbers.astype(np.float64)).astype(np.float32)
        depths[missed] = np.nan
        return values, depths

    def pixel(self, volume: Volume) -> float:
        """Millimetres per pixel in the middle of the volume."""
        check_kind(volume, Volume, "volume", "a Volume")
        return self._rays(volume, 1.0)[1]

    def _rays(self, volume: Volume, distance: float) -> tuple[dict[str, Any], float]:
        """The camera for the core, and mm per pixel in the middle of the volume.

        A parallel picture fits the volume's corners; one in perspective, as VTK's, the sphere around them.
        """
        scene, view, size = volume.scene, self.gaze(), check_size(self.size)
        view_angle, zoom = _view_angle_of(self.perspective), _scale("zoom", self.zoom)
        mm = _fitting(scene, view, size, view_angle) / zoom if self.mm is None else _scale("mm", self.mm)
        to_index, middle = np.linalg.inv(scene.matrix), scene.centre()
        corner = middle - mm * ((size[0] - 1) / 2 * view.right + (size[1] - 1) / 2 * view.down)
        rays: dict[str, Any] = {
            "size": size,
            "corner": (to_index @ (corner - scene.origin)).tolist(),
            "column": (to_index @ (mm * view.right)).tolist(),
            "row": (to_index @ (mm * view.down)).tolist(),
        }
        if view_angle is None:
            return rays | {"step": (to_index @ (distance * view.forward)).tolist()}, mm
        eye = middle - mm * size[1] / 2 / math.tan(math.radians(view_angle) / 2) * view.forward
        place = {"eye": (to_index @ (eye - scene.origin)).tolist(), "matrix": scene.matrix.tolist()}
        return rays | place | {"distance": distance}, mm

    # As geometries map them, places at infinity are NaN.
    @np.errstate(all="ignore")
    def place(self, volume: Volume, indices: Array) -> Array:
        """Where voxel indices ``(n, 3)`` are seen, in pixels (x, y)."""
        pixel = self.pixel(volume)
        view, scene = self.gaze(), volume.scene
        indices = numbers(indices, "indices")
        if indices.ndim == 0 or indices.shape[-1] != 3:
            raise RequestError(f"indices must be rows of three numbers (x, y, z), got the shape {indices.shape}")
        size = check_size(self.size)
        offsets = indices @ scene.matrix.T + scene.origin - scene.centre()
        right, down, away = offsets @ view.right, offsets @ view.down, offsets @ view.forward
        angle = _view_angle_of(self.perspective)
        if angle is not None:
            distance = pixel * size[1] / 2 / math.tan(math.radians(angle) / 2)
            scale = distance / np.maximum(distance + away, 1e-9)
            right, down = right * scale, down * scale
        return np.stack([right / pixel + (size[0] - 1) / 2, down / pixel + (size[1] - 1) / 2], axis=-1)


def view_image(image: ImageT, camera: Camera, *, depth: bool = False, time_step: int | None = None) -> ImageT:
    """The values (or depths in mm) of a parallel view as a 2-D float32 ``Image`` at its place in the world.

    Raises
    ------
    RequestError
        A picture in perspective, whose pixels have no fixed place.
    """
    check_kind(camera, Camera, "camera", "a Camera")
    if _view_angle_of(camera.perspective) is not None:
        raise RequestError("a picture in perspective has no geometry: write .npy, .png or .tif")
    image = as_image(image)
    volume = Volume(image, time_step)
    if not volume.is_image:
        raise wrong_type("image", "an Image", image)
    values, depths = camera.cast(volume, depth=depth)
    view, mm = camera.gaze(), camera.pixel(volume)
    size = check_size(camera.size)
    corner = volume.scene.centre() - mm * ((size[0] - 1) / 2 * view.right + (size[1] - 1) / 2 * view.down)
    direction = np.column_stack([view.right, view.down, view.forward])
    return image._like(values if depths is None else depths, (mm, mm, 1.0), corner, direction)
