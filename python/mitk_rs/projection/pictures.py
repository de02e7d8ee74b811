"""Pictures of projections: upright, square pixels, windowed, coloured, with outlines and seeds drawn over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mitk_rs._validation import check_kind, numbers, wrong_type
from mitk_rs.errors import GeometryError, RequestError
from mitk_rs.projection.axes import project
from mitk_rs.projection.camera import Gaze
from mitk_rs.projection.geometry import plane_axes
from mitk_rs.projection.layout import AXES, Array, axis_number
from mitk_rs.projection.orientation import View, view_along
from mitk_rs.projection.window import apply_colormap, robust_range, to_grey, window_range

__all__ = ["MAX_SIZE", "Picture", "Shades", "axis_picture", "check_size"]

#: Largest width and height of a picture in pixels.
MAX_SIZE = 16384

OUTLINE_COLOUR = (64, 255, 128)
SEED_COLOURS = ((255, 80, 80), (80, 200, 255))


def check_size(size: Sequence[int] | int) -> tuple[int, int]:
    """Width and height in pixels; one number is a square.

    Raises
    ------
    RequestError
        Not one or two whole numbers of 1 to :data:`MAX_SIZE`.
    """
    values = (size, size) if hasattr(size, "__index__") else tuple(size)
    whole = len(values) == 2 and all(hasattr(v, "__index__") for v in values)
    if not whole or not all(1 <= v.__index__() <= MAX_SIZE for v in values):
        raise RequestError(f"size is {size!r}: expected width and height in pixels, 1 to {MAX_SIZE} each")
    return values[0].__index__(), values[1].__index__()


@dataclass(frozen=True)
class Shades:
    """How values become shades: window and level, or percentiles; bits; colour map."""

    window: float | None = None
    level: float | None = None
    percentiles: tuple[float, float] | None = None
    colormap: str = "grey"
    bits: int = 8

    def check(self) -> None:
        """Refuse what no picture can have, before anything is computed."""
        window_range(self.window, self.level)
        if self.percentiles is not None:
            robust_range(np.zeros(1), percentiles=self.percentiles)
        apply_colormap(np.zeros((1, 1), np.uint8), self.colormap)
        if self.bits not in (8, 16):
            raise RequestError(f"bits is {self.bits}: allowed are 8 and 16")
        if self.colormap != "grey" and self.bits != 8:
            raise RequestError("a colour map needs 8 bits: 16 bits are for grey pictures")

    def range(self, values: Array) -> tuple[float, float]:
        """Values shown black and white."""
        if self.percentiles is not None:
            return robust_range(values, percentiles=self.percentiles)
        return window_range(self.window, self.level, values)

    def apply(self, values: Array, ends: tuple[float, float] | None = None) -> Array:
        """The picture of values, grey or coloured."""
        grey = to_grey(values, *(ends or self.range(values)), np.uint8 if self.bits == 8 else np.uint16)
        return apply_colormap(grey, self.colormap)


@dataclass(frozen=True)
class Picture:
    """A picture with square pixels of ``mm`` each.

    ``origin`` is where the corner of the projection lies in it, ``scale`` pixels of the picture per pixel of the
    (turned) projection, both as (x, y).
    """

    pixels: Array
    mm: float
    view: View | Gaze
    scale: tuple[float, float]
    origin: tuple[int, int] = (0, 0)

    def coloured(self) -> Array:
        """The pixels as RGB bytes, a copy."""
        pixels = self.pixels if self.pixels.dtype == np.uint8 else (self.pixels >> 8).astype(np.uint8)
        return pixels.copy() if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=2)


def fitted(shape: tuple[int, ...], pixel: tuple[float, float], size: tuple[int, int] | None) -> tuple[int, int, float]:
    """Width, height and mm per pixel of a picture with square pixels, the largest that fits ``size``."""
    extent = (shape[1] * pixel[0], shape[0] * pixel[1])
    mm = min(pixel) if size is None else max(extent[0] / size[0], extent[1] / size[1])
    width, height = (max(1, math.floor(e / mm + 0.5)) for e in extent)
    if size is None and max(width, height) > MAX_SIZE:
        raise RequestError(
            f"the picture would have {width} x {height} pixels, more than {MAX_SIZE}: give a size to scale it down"
        )
    return (width, height, mm) if size is None else (min(width, size[0]), min(height, size[1]), mm)


def resized(picture: Array, width: int, height: int) -> Array:
    """A picture ``(y, x)`` of any real type with another number of pixels: linear between pixel centres, averaged
    where it shrinks."""
    from PIL import Image

    if picture.shape[:2] == (height, width):
        return picture
    plane = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    return np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR), np.float32)


def framed(pixels: Array, size: tuple[int, int] | None) -> tuple[Array, tuple[int, int]]:
    """The picture in the middle of a black one of ``size``, and where its corner is."""
    if size is None or pixels.shape[:2] == size[::-1]:
        return pixels, (0, 0)
    frame = np.zeros((size[1], size[0], *pixels.shape[2:]), pixels.dtype)
    left, top = (size[0] - pixels.shape[1]) // 2, (size[1] - pixels.shape[0]) // 2
    frame[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return frame, (left, top)


def axis_picture(
    image: Any,
    *,
    axis: str | int = "z",
    kind: str = "max",
    slab: Any = None,
    time_step: int | None = None,
    shades: Shades | None = None,
    size: Sequence[int] | int | None = None,
    overlay: Any = None,
    seeds: Iterable[Sequence[float]] = (),
    threads: int | None = None,
) -> Picture:
    """The picture of a projection along an axis, turned for radiologists (see :mod:`mitk_rs.projection.orientation`).

    Parameters
    ----------
    image
        ``Image`` with one time step or with ``time_step``.
    axis, kind, slab, time_step, threads
        As for :func:`mitk_rs.project`.
    shades
        Window, level, colour map, bits. The default is a robust range of the projection in grey.
    size
        Width and height of the picture; it is scaled to fit, on black. By default one voxel is one pixel along the
        axis with the finer spacing.
    overlay
        Level set (``Image`` on the same grid, negative inside) whose outline is drawn over the picture.
    seeds
        Voxel indices (x, y, z) to mark.

    Raises
    ------
    RequestError
        What cannot be projected or drawn.
    GeometryError
        An overlay on another grid.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> from mitk_rs.projection.pictures import axis_picture
    >>> scan = mitk.Image(np.zeros((10, 20, 30), np.int16), spacing=(1, 1, 2))
    >>> axis_picture(scan, axis="y").pixels.shape
    (20, 30)
    """
    shades = Shades() if shades is None else shades
    check_kind(shades, Shades, "shades", "a Shades")
    shades.check()
    fixed = None if size is None else check_size(size)
    number = axis_number(axis, names=AXES[:3])
    marks = check_seeds(seeds, image)
    projected = project(image, axis=number, kind=kind, slab=slab, time_step=time_step, threads=threads)
    values = only_numbers(scalar_values(projected), kind)
    view = view_along(image.get_direction(time_step or 0), image.get_spacing(time_step or 0), number)
    picture = drawn(values, view, shades, fixed)
    if overlay is not None:
        check_grid(image, overlay, time_step or 0)
        inside = scalar_values(project(overlay, axis=number, kind="min", slab=slab, threads=threads))
        picture = outlined(picture, view.apply(inside))
    return with_seeds(picture, marks, number, values.shape) if len(marks) else picture


def drawn(values: Array, view: View, shades: Shades, size: tuple[int, int] | None) -> Picture:
    """A projection turned, windowed and scaled to square pixels."""
    turned = view.apply(values)
    ends = shades.range(values)
    width, height, mm = fitted(turned.shape, view.pixel, size)
    pixels, origin = framed(shades.apply(resized(turned, width, height), ends), size)
    return Picture(pixels, mm, view, (width / turned.shape[1], height / turned.shape[0]), origin)


def scalar_values(projected: Any) -> Array:
    """The values ``(y, x)`` of a projection, of a 4-D one that of its only step."""
    array = np.asarray(projected.as_numpy(writeable=False)) if hasattr(projected, "as_numpy") else projected
    if array.ndim == 2:
        return array
    if getattr(projected, "components", 1) > 1:
        raise RequestError(f"the image has {projected.components} components a voxel: a picture needs one")
    raise RequestError(f"the image has {array.shape[0]} time steps: choose one with time_step= or --time-step")


def only_numbers(values: Array, kind: str) -> Array:
    """An extremum with NaN where there was nothing else, instead of the number that then stands there: it would
    stretch the window over the whole range of the type."""
    if values.dtype.kind != "f" or kind not in ("max", "min"):
        return values
    info = np.finfo(values.dtype)
    return np.where(values == (info.min if kind == "max" else info.max), np.nan, values)


def check_grid(image: Any, overlay: Any, time_step: int) -> None:
    """Refuse an overlay whose voxels are not those of the image.

    Raises
    ------
    GeometryError
        Another size, spacing, origin or direction.
    """
    if not hasattr(overlay, "get_geometry"):
        raise wrong_type("overlay", "an Image", overlay)
    shape = _volume_shape(image)
    if tuple(overlay.shape) != tuple(shape):
        raise GeometryError(f"the overlay has the shape {tuple(overlay.shape)}, the image {tuple(shape)} (z, y, x)")
    mine, other = (i.get_geometry(s) for i, s in ((image, time_step), (overlay, 0)))
    # NIfTI keeps single precision: compare to a thousandth of a voxel.
    tolerance = 1e-3 * min(mine.spacing)
    corners = np.array([[0, 0, 0], [shape[2], 0, 0], [0, shape[1], 0], [0, 0, shape[0]]], np.float64)
    distance = np.abs(_world(mine, corners) - _world(other, corners)).max()
    if distance > tolerance:
        raise GeometryError(f"the overlay lies elsewhere: its corners are up to {distance:.3g} mm from the image's")


def _world(geometry: Any, indices: Array) -> Array:
    matrix = np.asarray(geometry.direction) * np.asarray(geometry.spacing)
    world: Array = indices @ matrix.T + np.asarray(geometry.origin)
    return world


def outlined(picture: Picture, field: Array) -> Picture:
    """The picture with the outline of ``field < 0`` drawn over; ``field`` is turned like the picture."""
    width, height = (max(1, round(n * s)) for n, s in zip(field.shape[::-1], picture.scale, strict=True))
    return edge_drawn(picture, resized(np.clip(field, -1.0, 1.0), width, height) < 0)


def edge_drawn(picture: Picture, mask: Array) -> Picture:
    """The picture with the edge of a mask of its own pixels drawn over, on the inside."""
    inside = np.pad(mask, 1)
    core = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    pixels = picture.coloured()
    left, top = picture.origin
    pixels[top : top + mask.shape[0], left : left + mask.shape[1]][mask & ~core] = OUTLINE_COLOUR
    return replace(picture, pixels=pixels)


def check_seeds(seeds: Iterable[Sequence[float]], image: Any) -> Array:
    """Seeds as an array of triples, each within a voxel of the image.

    Raises
    ------
    RequestError
        Not triples of finite numbers, or outside.
    """
    given = numbers(list(seeds), "seeds")
    if given.size and (given.ndim != 2 or given.shape[1] != 3 or not np.isfinite(given).all()):
        raise RequestError("seeds must be (x, y, z) triples of finite numbers, such as [(71, 213, 16)]")
    given = given.reshape(-1, 3)
    size = _volume_shape(image)[::-1]
    for seed in given:
        if not ((seed >= -0.5) & (seed < np.array(size) - 0.5)).all():
            allowed = " x ".join(map(str, size))
            raise RequestError(f"the seed ({', '.join(f'{v:g}' for v in seed)}) lies outside the {allowed} voxels")
    return given


def _volume_shape(image: Any) -> tuple[int, ...]:
    """Voxels along z, y and x; of a 2-D image one slice."""
    if not hasattr(image, "get_geometry"):
        raise wrong_type("image", "an Image", image)
    shape: tuple[int, ...] = image.shape if image.components == 1 else image.shape[:-1]
    return (1, *shape) if len(shape) == 2 else shape[-3:]


def with_seeds(picture: Picture, seeds: Array, axis: int, shape: tuple[int, ...]) -> Picture:
    """The picture of a projection along an axis with a ring around each seed."""
    columns, rows = plane_axes(axis)
    assert isinstance(picture.view, View)
    points = [picture.view.point(seed[columns], seed[rows], shape) for seed in seeds]
    scaled = (np.array(points) + 0.5) * picture.scale - 0.5
    return rings(picture, scaled + picture.origin)


def rings(picture: Picture, points: Array) -> Picture:
    """The picture with a ring around each point (x, y), the first in red, the others in blue."""
    from PIL import Image, ImageDraw

    canvas = Image.fromarray(picture.coloured())
    draw = ImageDraw.Draw(canvas)
    radius = max(3.0, min(picture.pixels.shape[:2]) / 80)
    for number, (x, y) in enumerate(points.tolist()):
        colour = SEED_COLOURS[min(number, 1)]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=max(1, round(radius / 3)))
    return replace(picture, pixels=np.asarray(canvas))
