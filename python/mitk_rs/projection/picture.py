"""Pictures of voxels: turned for radiologists, square pixels, windowed, coloured, with outlines and seeds drawn over.

Every picture of the package goes through this module: one mapping from values to grey, one outline, one change of size,
one writer of PNG and TIFF.
"""

from __future__ import annotations

import io
import math
import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs._validation import check_kind, not_negative, numbers, path_name, positive, real_number, text, wrong_type
from mitk_rs.errors import FileWriteError, RequestError, brief
from mitk_rs.projection.camera import Array, Gaze, View, plane_axes

__all__ = ["Picture", "Pixels", "Shades", "robust_range", "write_animation", "write_array", "write_picture"]

Bytes = NDArray[np.uint8]


# A few hot voxels must not turn the picture dark.
def robust_range(values: Array, *, percentiles: tuple[float, float] = (0.5, 99.8)) -> tuple[float, float]:
    """Least and greatest finite value of a picture without its outliers, which are beyond these percentiles.

    It is all of the range where the percentiles fall together, and (0, 0) where nothing is finite.
    """
    ends = numbers(percentiles, "percentiles")
    if ends.shape != (2,):
        raise RequestError(f"percentiles are {brief(percentiles)}: two numbers are needed")
    low, high = map(float, ends)
    if not 0 <= low < high <= 100:
        raise RequestError(f"percentiles are {low:g} and {high:g}: allowed are 0 <= low < high <= 100")
    finite = values[np.isfinite(values)]
    finite = finite.view(np.uint8) if finite.dtype == np.bool_ else finite
    if finite.size == 0:
        return 0.0, 0.0
    ends = np.percentile(finite, [low, high])
    if ends[0] == ends[1]:
        ends = np.array([finite.min(), finite.max()], np.float64)
    return float(ends[0]), float(ends[1])


def _window_range(window: float | None, level: float | None, values: Array | None = None) -> tuple[float, float]:
    """Values shown black and white: ``level - window / 2`` and ``level + window / 2``.

    Where ``window`` is ``None`` or not positive, they are the robust range of ``values``, as VMTK takes the range of
    the image for a window of 0.
    """
    for name, value in (("window", window), ("level", level)):
        if value is not None:
            real_number(value, name)
    if (window is None) != (level is None):
        raise RequestError("window and level go together: give both or none")
    if window is None or level is None or window <= 0:
        return (0.0, 0.0) if values is None else robust_range(values)
    if not (np.isfinite(window) and np.isfinite(level)):
        raise RequestError(f"window and level must be finite, got {window:g} and {level:g}")
    return level - window / 2, level + window / 2


def to_grey(values: Array, low: float, high: float, dtype: Any = np.uint8) -> Array:
    """Scale ``low .. high`` to 0 .. 255 (uint8) or 0 .. 65535 (uint16), cut at the ends, rounded to nearest.

    A constant picture (``low == high``) is black below and at the value, white above; NaN is black.
    """
    shown = in_window(values, low, high)
    shown *= np.iinfo(dtype).max
    shown += 0.5
    # Not negative, so that cutting off the fraction is rounding down.
    return shown.astype(dtype)


def in_window(values: Array, low: float, high: float) -> NDArray[np.float64]:
    """Where values are between black (0) and white (1), cut at the ends; NaN is 0.

    Where ``low == high`` everything up to there is 0 and everything above is 1.
    """
    if high <= low:
        return np.where(np.asarray(values, np.float64) > high, 1.0, 0.0)
    shown = np.array(values, np.float64)
    shown -= low
    shown /= high - low
    # The larger of a number and NaN is the number, for `fmax` only.
    np.fmax(shown, 0.0, out=shown)
    return np.minimum(shown, 1.0, out=shown)


def _ramp(*stops: tuple[float, str]) -> Bytes:
    """256 colours between ``(position, hex colour)`` stops."""
    positions = [position * 255 for position, _ in stops]
    colours = np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for _, colour in stops])
    channels = [np.interp(np.arange(256), positions, colours[:, c]) for c in range(3)]
    return np.floor(np.stack(channels, axis=-1) + 0.5).astype(np.uint8)


#: Colour maps by name: 256 RGB colours each, dark to bright.
COLORMAPS: dict[str, Bytes] = {
    "grey": _ramp((0, "000000"), (1, "ffffff")),
    "inverse": _ramp((0, "ffffff"), (1, "000000")),
    "hot": _ramp((0, "000000"), (0.38, "e60000"), (0.75, "ffd200"), (1, "ffffff")),
    "bone": _ramp((0, "000000"), (0.375, "525272"), (0.75, "a6c5c5"), (1, "ffffff")),
    "ice": _ramp((0, "000000"), (0.4, "0b3c8c"), (0.75, "38b6e8"), (1, "ffffff")),
    "depth": _ramp((0, "fff7c2"), (0.3, "f5a742"), (0.6, "b0306a"), (1, "1b0f40")),
}


def _apply_colormap(grey: Bytes, name: str) -> Bytes:
    """Colour a uint8 picture ``(y, x)``; the result is ``(y, x, 3)``, or the picture itself for ``"grey"``."""
    if not isinstance(name, str) or name not in COLORMAPS:
        raise RequestError(f"colormap is {brief(name)}: allowed are {', '.join(COLORMAPS)}")
    return grey if name == "grey" else COLORMAPS[name][grey]


# A picture that is given no size has at least so many pixels along its longer side.
_LEAST_SIDE = 512

#: Largest width and height of a picture in pixels.
MAX_SIZE = 16384

# Of the first overlay, and of the others.
OUTLINE_COLOURS = ((64, 255, 128), (255, 150, 60))
SEED_COLOURS = ((255, 80, 80), (80, 200, 255))


def check_size(size: Sequence[int] | int) -> tuple[int, int]:
    """Width and height in pixels; one number is a square."""
    try:
        values: Any = [size, size] if np.ndim(size) == 0 else size
        width, height = map(operator.index, values) if len(values) == 2 else (0, 0)
    except (TypeError, ValueError):
        width = height = 0
    if not (1 <= width <= MAX_SIZE and 1 <= height <= MAX_SIZE):
        raise RequestError(f"size is {brief(size)}: expected width and height in pixels, 1 to {MAX_SIZE} each")
    return width, height


def bar_length(most: float) -> float:
    """Length of a scale bar in mm: 1, 2 or 5 times a power of ten, as long as it may be."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(factor * power for factor in (1, 2, 5) if factor == 1 or factor * power <= most)


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
        _window_range(self.window, self.level)
        if self.percentiles is not None:
            robust_range(np.zeros(1), percentiles=self.percentiles)
        _apply_colormap(np.zeros((1, 1), np.uint8), self.colormap)
        if self.bits not in (8, 16):
            raise RequestError(f"bits is {self.bits}: allowed are 8 and 16")
        if self.colormap != "grey" and self.bits != 8:
            raise RequestError("a colour map needs 8 bits: 16 bits are for grey pictures")

    def range(self, values: Array) -> tuple[float, float]:
        """Values shown black and white."""
        _check_values(values)
        if self.percentiles is not None and not (self.window and self.window > 0):
            return robust_range(values, percentiles=self.percentiles)
        return _window_range(self.window, self.level, values)

    def apply(self, values: Array, ends: tuple[float, float] | None = None) -> Array:
        """The picture of values, grey or coloured."""
        _check_values(values)
        found = numbers(self.range(values) if ends is None else ends, "ends")
        if found.shape != (2,):
            raise RequestError(f"ends is {brief(ends)}: two numbers are needed, shown black and white")
        if not np.isfinite(found).all():
            raise RequestError(f"ends is {brief(ends)}: both numbers must be finite")
        low, high = found.tolist()
        grey = to_grey(values, low, high, np.uint8 if self.bits == 8 else np.uint16)
        return _apply_colormap(grey, self.colormap)


class Pixels(np.ndarray[Any, np.dtype[Any]]):
    """Pixels ``(y, x)`` or ``(y, x, 3)``: an array that notebooks show as the picture that it is.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> pixels = mitk.render_mip(np.ones((8, 8, 8)), size=32)
    >>> pixels.shape, pixels._repr_png_()[1:4]
    ((32, 32), b'PNG')
    """

    def _repr_png_(self) -> bytes | None:
        """A PNG of bytes, or of 16 bits of grey; nothing for other numbers and shapes, such as parts of a picture."""
        return png(np.asarray(self)) if _is_picture(self, (np.uint8, np.uint16)) else None


def _check_values(values: Any) -> None:
    check_kind(values, np.ndarray, "values", "a numpy array")
    if values.dtype.kind not in "biuf":
        raise wrong_type("values", "numbers", values)


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

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Picture({width} x {height} pixels of {self.mm:.3g} mm)"

    def _repr_png_(self) -> bytes:
        return png(self.pixels)

    def coloured(self) -> Array:
        """The pixels as RGB bytes, a copy."""
        pixels = self.pixels if self.pixels.dtype == np.uint8 else (self.pixels >> 8).astype(np.uint8)
        return pixels.copy() if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=2)


def fitted(shape: tuple[int, ...], pixel: tuple[float, float], size: tuple[int, int] | None) -> tuple[int, int, float]:
    """Width, height and mm per pixel of a picture with square pixels, the largest that fits ``size``.

    Without a size one voxel is one pixel along the axis with the finer spacing, or as many as a picture of at least 512
    pixels along its longer side needs.
    """
    extent = (shape[1] * pixel[0], shape[0] * pixel[1])
    # Of a small scan a voxel is several whole pixels.
    whole = min(pixel) / max(1, math.ceil(_LEAST_SIDE * min(pixel) / max(extent)))
    mm = whole if size is None else max(extent[0] / size[0], extent[1] / size[1])
    width, height = (max(1, math.floor(e / mm + 0.5)) for e in extent)
    if size is None and max(width, height) > MAX_SIZE:
        raise RequestError(
            f"the picture would have {width} x {height} pixels, more than {MAX_SIZE}: give a size to scale it down"
        )
    return (width, height, mm) if size is None else (min(width, size[0]), min(height, size[1]), mm)


def resized(picture: Array, width: int, height: int, *, nearest: bool = False) -> Array:
    """A picture ``(y, x)`` of any real type with another number of pixels.

    Linear between pixel centres, averaged where it shrinks; or the ``nearest`` pixel. NaN does not spread.
    """
    from PIL import Image

    if picture.shape[:2] == (height, width):
        return picture
    missing = np.isnan(picture)
    if missing.any() and not nearest:
        weights = resized(~missing, width, height)
        values = resized(np.where(missing, 0, picture), width, height) / np.maximum(weights, 1e-6)
        return np.where(resized(missing, width, height, nearest=True) > 0.5, np.float32(np.nan), values)
    plane = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    filter_ = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    return np.asarray(plane.resize((width, height), filter_), np.float32)


def framed(pixels: Array, size: tuple[int, int] | None) -> tuple[Array, tuple[int, int]]:
    """The picture in the middle of a black one of ``size``, and where its corner is."""
    if size is None or pixels.shape[:2] == size[::-1]:
        return pixels, (0, 0)
    frame = np.zeros((size[1], size[0], *pixels.shape[2:]), pixels.dtype)
    left, top = (size[0] - pixels.shape[1]) // 2, (size[1] - pixels.shape[0]) // 2
    frame[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return frame, (left, top)


def drawn(
    values: Array,
    view: View,
    shades: Shades,
    size: tuple[int, int] | None,
    *,
    hidden: Array | None = None,
    nearest: bool = False,
) -> Picture:
    """A projection turned, windowed and scaled to square pixels; black where it is ``hidden``, a mask of it."""
    turned = view.apply(values)
    ends = shades.range(values if hidden is None else values[~hidden])
    width, height, mm = fitted(turned.shape, view.pixel, size)
    pixels = shades.apply(resized(turned, width, height, nearest=nearest), ends)
    if hidden is not None:
        pixels[resized(view.apply(hidden), width, height, nearest=True) > 0.5] = 0
    pixels, origin = framed(pixels, size)
    return Picture(pixels, mm, view, (width / turned.shape[1], height / turned.shape[0]), origin)


def outlined(picture: Picture, field: Array, colour: tuple[int, int, int] = OUTLINE_COLOURS[0]) -> Picture:
    """The picture with the outline of ``field < 0`` drawn over; ``field`` is turned like the picture."""
    width, height = (max(1, round(n * s)) for n, s in zip(field.shape[::-1], picture.scale, strict=True))
    return edge_drawn(picture, resized(np.clip(field, -1.0, 1.0), width, height) < 0, colour)


def edge_drawn(picture: Picture, mask: Array, colour: tuple[int, int, int] = OUTLINE_COLOURS[0]) -> Picture:
    """The picture with the edge of a mask of its own pixels drawn over, on the inside."""
    inside = np.pad(mask, 1)
    core = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    pixels = picture.coloured()
    left, top = picture.origin
    pixels[top : top + mask.shape[0], left : left + mask.shape[1]][mask & ~core] = colour
    return replace(picture, pixels=pixels)


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


def write_picture(
    pixels: Array, path: str | os.PathLike[str], *, mm: float | None = None, suffix: str | None = None
) -> None:
    """Write grey (uint8, uint16) or RGB (uint8) pixels to a PNG or TIFF.

    Parameters
    ----------
    pixels
        ``(y, x)`` or ``(y, x, 3)``.
    path
        Name of the file; its ending chooses the format.
    mm
        Size of a pixel, written as resolution.
    suffix
        The ending that chooses the format, where it is not that of ``path``.

    Raises
    ------
    FileWriteError
        An unknown ending, or a file that cannot be written; an old one is then as it was.
    """
    from PIL import Image

    pixels = _pixels(pixels, "pixels", (np.uint8, np.uint16))
    ending = path if suffix is None else text(suffix, "suffix")
    kind = _format(ending, {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"})
    mm = positive(mm, "mm", zero=True)
    options: dict[str, Any] = {"dpi": (25.4 / mm, 25.4 / mm)} if mm and 1e-3 < mm < 1e3 else {}
    if kind == "TIFF":
        options["compression"] = "tiff_deflate"
    _save(Image.fromarray(pixels), path, 2 * pixels.nbytes, "writing the picture", format=kind, **options)


def _save(picture: Any, path: str | os.PathLike[str], room: int, action: str, **options: Any) -> None:
    from mitk_rs.io.atomic import atomic_output
    from mitk_rs.io.checks import check_room

    check_room(room, action)
    with atomic_output(path) as temporary:
        picture.save(temporary, **options)


def _is_picture(pixels: Array, kinds: tuple[type, ...]) -> bool:
    """Whether they are grey pixels of one of these types, or RGB bytes, and there are any."""
    grey, rgb = pixels.ndim == 2 and pixels.dtype in kinds, pixels.ndim == 3 and pixels.shape[2] == 3
    return pixels.size > 0 and (grey or (rgb and pixels.dtype == np.uint8))


def _pixels(value: Any, name: str, kinds: tuple[type, ...]) -> Array:
    """Pixels to write, side by side in memory."""
    check_kind(value, np.ndarray, name, "a numpy array")
    if not _is_picture(value, kinds):
        types = " or ".join(kind.__name__ for kind in kinds)
        raise RequestError(
            f"{name} must be grey ({types}, shape (y, x)) or RGB (uint8, shape (y, x, 3)), got {value.dtype} of shape "
            f"{value.shape}"
        )
    return np.ascontiguousarray(value)


def png(pixels: Array) -> bytes:
    """Grey or RGB pixels as the bytes of a PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return stream.getvalue()


def write_array(array: Array, path: str | os.PathLike[str]) -> None:
    """Write an array to a ``.npy`` file."""
    from mitk_rs.io.atomic import atomic_output

    with atomic_output(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def write_animation(frames: Sequence[Array], path: str | os.PathLike[str], *, seconds: float) -> None:
    """Write frames (uint8, grey or RGB) as an endless animated GIF or WebP that takes ``seconds`` for a turn.

    Raises
    ------
    FileWriteError
        As for :func:`write_picture`.
    RequestError
        No frames, frames of different sizes, or a time that is not finite.
    """
    from PIL import Image

    kind = _format(path, {".gif": "GIF", ".webp": "WEBP"})
    check_kind(frames, Sequence, "frames", "a list of arrays")
    pictures = [_pixels(frame, f"frames[{number}]", (np.uint8,)) for number, frame in enumerate(frames)]
    if len({picture.shape for picture in pictures}) != 1:
        raise RequestError("frames must be one or more pictures of the same shape")
    first, *others = [Image.fromarray(picture) for picture in pictures]
    seconds = not_negative(seconds, "seconds")
    options: dict[str, Any] = {"lossless": False, "quality": 85} if kind == "WEBP" else {"optimize": True}
    options |= {"format": kind, "save_all": True, "append_images": others, "loop": 0}
    # GIF counts hundredths of a second, and players slow down frames shorter than two of them.
    duration = round(min(max(20.0, 1000 * seconds / len(frames)), max(20, _LONGEST[kind] // len(frames))))
    room = 4 * sum(picture.nbytes for picture in pictures)
    _save(first, path, room, "writing the animation", duration=duration, **options)


# Milliseconds that a format can hold for a frame; frames that are equal become one.
_LONGEST = {"GIF": 655_350, "WEBP": 2**24 - 1}


def _format(path: str | os.PathLike[str], known: dict[str, str]) -> str:
    name = path_name(path).lower()
    suffix = name if name in known else Path(name).suffix
    if suffix not in known:
        raise FileWriteError(f"cannot write {path_name(path)}: its ending must be one of {' '.join(known)}")
    return known[suffix]
